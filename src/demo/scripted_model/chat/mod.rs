//! Chat Completions: its messages read, its chunks written.
//!
//! A stream is a role chunk, deltas, a chunk with the `finish_reason`, the usage when it was asked
//! for, and `[DONE]`.

mod manner;
mod messages;

use bytes::BytesMut;
use serde_json::{Value, json};

pub use self::manner::Manner;
pub(super) use self::messages::read_messages;
use super::{
    ModelCall,
    wire::{Tokens, Wire, fragments, fresh_id, put, put_json},
};
use crate::{protocol::Timestamp, upstream::FinishReason};

/// Writes the chunks of one completion.
pub(super) struct ChatWire {
    /// Part of every identifier of this completion.
    id: String,
    model: String,
    created: i64,
    include_usage: bool,
    manner: Manner,
    /// A chunk up to its delta: the same for all.
    head: String,
    text: String,
    reasoning: String,
    refusal: String,
    calls: Vec<Value>,
    tokens: Tokens,
    finish_reason: &'static str,
}

impl ChatWire {
    pub(super) fn new(call: &ModelCall) -> Self {
        let mut wire = Self {
            id: fresh_id(),
            model: call.model.clone(),
            created: Timestamp::now().as_seconds(),
            include_usage: call.include_usage,
            manner: call.manner,
            head: String::new(),
            text: String::new(),
            reasoning: String::new(),
            refusal: String::new(),
            calls: Vec::new(),
            tokens: Tokens::new(call),
            finish_reason: "stop",
        };
        wire.head = format!("data: {}", wire.object("chat.completion.chunk"));
        // The object goes on where its brace would close.
        wire.head.pop();
        wire
    }

    /// The members that chunks and whole completions share.
    fn object(&self, kind: &str) -> Value {
        json!({
            "id": format!("chatcmpl-{}", self.id), "object": kind, "created": self.created,
            "model": self.model, "system_fingerprint": "fp_scripted",
        })
    }

    /// A chunk whose delta has one member of text. The hot path.
    fn text_chunk(&self, member: &str, delta: &str, out: &mut BytesMut) {
        put(out, &self.head);
        for piece in [",\"choices\":[{\"index\":0,\"delta\":{\"", member, "\":"] {
            put(out, piece);
        }
        put_json(out, delta);
        put(out, "},\"logprobs\":null,\"finish_reason\":null}]");
        self.end_chunk(out);
    }

    fn chunk(&self, delta: &Value, finish_reason: Option<&str>, out: &mut BytesMut) {
        let mut choice = json!({
            "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason,
        });
        for (name, value) in self.manner.choice_members(finish_reason) {
            choice[name] = value;
        }
        put(out, &self.head);
        put(out, ",\"choices\":[");
        put_json(out, &choice);
        put(out, "]");
        self.end_chunk(out);
    }

    fn end_chunk(&self, out: &mut BytesMut) {
        put(out, if self.include_usage { ",\"usage\":null}\n\n" } else { "}\n\n" });
    }

    fn usage(&self) -> Value {
        json!({
            "prompt_tokens": self.tokens.input,
            "completion_tokens": self.tokens.output(),
            "total_tokens": self.tokens.total(),
            "prompt_tokens_details": { "cached_tokens": 0 },
            "completion_tokens_details": { "reasoning_tokens": self.tokens.reasoning() },
        })
    }
}

impl Wire for ChatWire {
    fn begin(&mut self, out: &mut BytesMut) {
        self.manner.put_beginning(&self.model, out);
        if self.manner.begins_with_role() {
            self.chunk(&json!({ "role": "assistant", "content": "", "refusal": null }), None, out);
        }
    }

    fn text(&mut self, delta: &str, out: &mut BytesMut) {
        self.tokens.text_bytes += delta.len() as u64;
        self.text.push_str(delta);
        self.text_chunk("content", delta, out);
    }

    /// OpenAI does not show thoughts in this API; the member is that of others.
    fn reasoning(&mut self, delta: &str, out: &mut BytesMut) {
        self.tokens.reasoning_bytes += delta.len() as u64;
        self.reasoning.push_str(delta);
        self.text_chunk(self.manner.reasoning_member(), delta, out);
    }

    fn refusal(&mut self, delta: &str, out: &mut BytesMut) {
        self.tokens.text_bytes += delta.len() as u64;
        self.refusal.push_str(delta);
        self.text_chunk("refusal", delta, out);
    }

    fn call(&mut self, name: &str, arguments: &str, out: &mut BytesMut) {
        self.tokens.text_bytes += (name.len() + arguments.len()) as u64;
        let index = self.calls.len();
        let id = format!("call_{}{index}", self.id);
        let call = |arguments: &str| {
            json!({
                "id": id, "type": "function",
                "function": { "name": name, "arguments": arguments },
            })
        };
        let is_whole = self.manner.sends_whole_calls();
        let mut first = call(if is_whole { arguments } else { "" });
        first["index"] = json!(index);
        self.chunk(&json!({ "tool_calls": [first] }), None, out);
        for fragment in fragments(if is_whole { "" } else { arguments }) {
            let call = json!({ "index": index, "function": { "arguments": fragment } });
            self.chunk(&json!({ "tool_calls": [call] }), None, out);
        }
        self.calls.push(call(arguments));
    }

    fn item(&mut self, _: &Value, _: &mut BytesMut) {}

    fn image(&mut self, _: &[String], _: Option<&str>, _: &mut BytesMut) {}

    fn error(&mut self, code: &str, message: &str, out: &mut BytesMut) {
        if self.manner.put_error(message, out).is_some() {
            return;
        }
        let error = json!({ "message": message, "type": code, "param": null, "code": code });
        put(out, "data: ");
        put_json(out, &json!({ "error": error }));
        put(out, "\n\n");
    }

    fn finish(&mut self, reason: FinishReason, out: &mut BytesMut) {
        self.finish_reason = match reason {
            FinishReason::Length => "length",
            FinishReason::ContentFilter => "content_filter",
            FinishReason::Complete if self.calls.is_empty() => "stop",
            FinishReason::Complete => "tool_calls",
        };
        self.chunk(&json!({}), Some(self.finish_reason), out);
        if self.include_usage {
            let mut chunk = self.object("chat.completion.chunk");
            if let Value::Object(members) = self.manner.usage_members() {
                for (name, value) in members {
                    chunk[name] = value;
                }
            }
            chunk["usage"] = self.usage();
            put(out, "data: ");
            put_json(out, &chunk);
            put(out, "\n\n");
        }
        put(out, "data: [DONE]\n\n");
    }

    fn whole(&self) -> Value {
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        let mut message = json!({
            "role": "assistant", "content": some(&self.text), "refusal": some(&self.refusal),
        });
        if let Some(reasoning) = some(&self.reasoning) {
            message["reasoning_content"] = json!(reasoning);
        }
        if !self.calls.is_empty() {
            message["tool_calls"] = json!(self.calls);
        }
        let mut whole = self.object("chat.completion");
        whole["choices"] = json!([{
            "index": 0, "message": message, "logprobs": null, "finish_reason": self.finish_reason,
        }]);
        whole["usage"] = self.usage();
        whole
    }
}
