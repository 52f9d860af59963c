//! The Responses API: its input read, its events written.
//!
//! Events and their order are the documented and recorded ones: `response.created`,
//! `response.in_progress`, the items one after the other with their parts, then one terminal event
//! with the usage. There is no `[DONE]`.

mod input;
mod item;

use bytes::BytesMut;
use serde::Serialize;
use serde_json::{Value, json};

pub(super) use self::input::read_input;
use self::item::{OpenItem, PartKind};
use super::{
    ModelCall,
    wire::{Tokens, Wire, fragments, fresh_id, put, put_json, put_number},
};
use crate::{protocol::Timestamp, upstream::FinishReason};

/// Writes the events of one response.
pub(super) struct ResponsesWire {
    /// Part of every identifier of this response.
    id: String,
    model: String,
    created_at: i64,
    /// Whether it goes on when its reader leaves, for which it is stored.
    background: bool,
    instructions: Option<String>,
    tools: Value,
    /// Whether thoughts come with something to send back.
    encrypted_reasoning: bool,
    sequence: u64,
    /// What is being written; at most one item is open.
    open: Option<OpenItem>,
    /// The items that are whole.
    output: Vec<Value>,
    tokens: Tokens,
    status: &'static str,
    error: Option<Value>,
    incomplete_details: Option<Value>,
}

/// The response as events and plain answers carry it.
#[derive(Serialize)]
struct ResponseObject<'a> {
    id: String,
    object: &'static str,
    created_at: i64,
    status: &'static str,
    background: bool,
    error: &'a Option<Value>,
    incomplete_details: &'a Option<Value>,
    instructions: &'a Option<String>,
    metadata: Value,
    model: &'a str,
    output: &'a [Value],
    parallel_tool_calls: bool,
    store: bool,
    tool_choice: &'static str,
    tools: &'a Value,
    usage: Option<Value>,
}

impl ResponsesWire {
    pub(super) fn new(call: &ModelCall) -> Self {
        let include = call.body["include"].as_array();
        let encrypted = |wanted: &Value| wanted == "reasoning.encrypted_content";
        let tools = &call.body["tools"];
        Self {
            id: fresh_id(),
            model: call.model.clone(),
            created_at: Timestamp::now().as_seconds(),
            background: call.is_background(),
            instructions: call.instructions.clone(),
            tools: if tools.is_null() { json!([]) } else { tools.clone() },
            encrypted_reasoning: include.is_some_and(|list| list.iter().any(encrypted)),
            sequence: 0,
            open: None,
            output: Vec::new(),
            tokens: Tokens::new(call),
            status: "in_progress",
            error: None,
            incomplete_details: None,
        }
    }

    pub(in super::super) fn response_id(&self) -> String {
        format!("resp_{}", self.id)
    }

    fn response(&self) -> ResponseObject<'_> {
        ResponseObject {
            id: self.response_id(),
            object: "response",
            created_at: self.created_at,
            status: self.status,
            background: self.background,
            error: &self.error,
            incomplete_details: &self.incomplete_details,
            instructions: &self.instructions,
            metadata: json!({}),
            model: &self.model,
            output: &self.output,
            parallel_tool_calls: true,
            store: self.background,
            tool_choice: "auto",
            tools: &self.tools,
            usage: matches!(self.status, "completed" | "incomplete").then(|| self.usage()),
        }
    }

    fn usage(&self) -> Value {
        json!({
            "input_tokens": self.tokens.input,
            "input_tokens_details": { "cached_tokens": 0 },
            "output_tokens": self.tokens.output(),
            "output_tokens_details": { "reasoning_tokens": self.tokens.reasoning() },
            "total_tokens": self.tokens.total(),
        })
    }

    /// An event around the response itself.
    fn response_event(&mut self, kind: &str, out: &mut BytesMut) {
        begin_event(kind, out);
        put(out, ",\"response\":");
        put_json(out, &self.response());
        self.end_event(out);
    }

    /// An event whose members, after its type, are those of an object.
    fn event(&mut self, kind: &str, members: &Value, out: &mut BytesMut) {
        begin_event(kind, out);
        for (name, value) in members.as_object().into_iter().flatten() {
            put(out, ",");
            put_json(out, name);
            put(out, ":");
            put_json(out, value);
        }
        self.end_event(out);
    }

    fn end_event(&mut self, out: &mut BytesMut) {
        put(out, ",\"sequence_number\":");
        put_number(out, self.sequence);
        put(out, "}\n\n");
        self.sequence += 1;
    }

    /// The item and part in which a delta of this kind belongs; opened when it is not yet.
    fn open(&mut self, kind: PartKind, out: &mut BytesMut) {
        if self.open.as_ref().is_some_and(|item| item.holds(kind)) {
            return;
        }
        let fits = self.open.as_ref().is_some_and(|item| item.takes(kind));
        if fits {
            self.close_part(out);
        } else {
            self.close_item(out);
            let item = OpenItem::new(kind, &self.id, self.output.len());
            self.event("response.output_item.added", &item.added(), out);
            self.open = Some(item);
        }
        if let Some(item) = &mut self.open {
            let (event, members) = item.open_part(kind);
            self.event(event, &members, out);
        }
    }

    /// One delta. The hot path: nothing is allocated but the room for the text.
    fn delta(&mut self, kind: PartKind, delta: &str, out: &mut BytesMut) {
        self.open(kind, out);
        let Some(item) = &mut self.open else { return };
        put(out, item.delta_head());
        put_json(out, delta);
        item.append(delta);
        self.end_event(out);
    }

    fn close_part(&mut self, out: &mut BytesMut) {
        let Some(item) = &mut self.open else { return };
        for (event, members) in item.close_part() {
            self.event(event, &members, out);
        }
    }

    fn close_item(&mut self, out: &mut BytesMut) {
        self.close_part(out);
        let Some(item) = self.open.take() else { return };
        let done = item.done(self.encrypted_reasoning);
        self.event("response.output_item.done", &done, out);
        self.output.push(done["item"].clone());
    }
}

impl Wire for ResponsesWire {
    fn begin(&mut self, out: &mut BytesMut) {
        self.response_event("response.created", out);
        self.response_event("response.in_progress", out);
    }

    fn text(&mut self, delta: &str, out: &mut BytesMut) {
        self.tokens.text_bytes += delta.len() as u64;
        self.delta(PartKind::Text, delta, out);
    }

    fn reasoning(&mut self, delta: &str, out: &mut BytesMut) {
        self.tokens.reasoning_bytes += delta.len() as u64;
        self.delta(PartKind::Summary, delta, out);
    }

    fn refusal(&mut self, delta: &str, out: &mut BytesMut) {
        self.tokens.text_bytes += delta.len() as u64;
        self.delta(PartKind::Refusal, delta, out);
    }

    fn call(&mut self, name: &str, arguments: &str, out: &mut BytesMut) {
        self.tokens.text_bytes += (name.len() + arguments.len()) as u64;
        self.close_item(out);
        let index = self.output.len();
        let item_id = format!("fc_{}{index}", self.id);
        let item = |status: &str, arguments: &str| {
            json!({ "output_index": index, "item": {
                "id": item_id, "type": "function_call", "status": status,
                "arguments": arguments, "call_id": format!("call_{}{index}", self.id),
                "name": name,
            }})
        };
        let (added, done) = (item("in_progress", ""), item("completed", arguments));

        self.event("response.output_item.added", &added, out);
        for delta in fragments(arguments) {
            let members = json!({ "delta": delta, "item_id": item_id, "output_index": index });
            self.event("response.function_call_arguments.delta", &members, out);
        }
        let members = json!({ "arguments": arguments, "item_id": item_id, "output_index": index });
        self.event("response.function_call_arguments.done", &members, out);
        self.event("response.output_item.done", &done, out);
        self.output.push(done["item"].clone());
    }

    fn item(&mut self, item: &Value, out: &mut BytesMut) {
        self.close_item(out);
        let index = self.output.len();
        let id = format!("item_{}{index}", self.id);
        let begun = json!({ "id": id, "type": item["type"], "status": "in_progress" });
        let mut whole = json!({ "id": id, "status": "completed" });
        for (name, value) in item.as_object().into_iter().flatten() {
            whole[name] = value.clone();
        }
        let members = json!({ "output_index": index, "item": begun });
        self.event("response.output_item.added", &members, out);
        let members = json!({ "output_index": index, "item": whole });
        self.event("response.output_item.done", &members, out);
        self.output.push(whole);
    }

    fn image(&mut self, drafts: &[String], result: Option<&str>, out: &mut BytesMut) {
        self.close_item(out);
        let index = self.output.len();
        let id = format!("ig_{}{index}", self.id);
        let item = |status: &str, result: Option<&str>| {
            json!({ "output_index": index, "item": {
                "id": id, "type": "image_generation_call", "status": status, "result": result,
            }})
        };
        self.event("response.output_item.added", &item("in_progress", None), out);
        for (number, draft) in drafts.iter().enumerate() {
            let members = json!({
                "item_id": id, "output_index": index,
                "partial_image_index": number, "partial_image_b64": draft,
            });
            self.event("response.image_generation_call.partial_image", &members, out);
        }
        let status = if result.is_some() { "completed" } else { "failed" };
        let done = item(status, result);
        self.event("response.output_item.done", &done, out);
        self.output.push(done["item"].clone());
    }

    /// An event of the form that the service was recorded sending, then the terminal one.
    fn error(&mut self, code: &str, message: &str, out: &mut BytesMut) {
        let nested = json!({ "type": code, "code": code, "message": message, "param": null });
        self.event("error", &json!({ "error": nested }), out);
        self.status = "failed";
        self.error = Some(json!({ "code": code, "message": message }));
        self.response_event("response.failed", out);
    }

    fn finish(&mut self, reason: FinishReason, out: &mut BytesMut) {
        self.close_item(out);
        let incomplete = match reason {
            FinishReason::Complete => None,
            FinishReason::Length => Some("max_output_tokens"),
            FinishReason::ContentFilter => Some("content_filter"),
        };
        self.status = if incomplete.is_some() { "incomplete" } else { "completed" };
        self.incomplete_details = incomplete.map(|reason| json!({ "reason": reason }));
        let kind = match incomplete {
            Some(_) => "response.incomplete",
            None => "response.completed",
        };
        self.response_event(kind, out);
    }

    fn whole(&self) -> Value {
        // The members are JSON themselves.
        serde_json::to_value(self.response()).unwrap_or_default()
    }
}

/// The event line and the type, which stands first.
fn begin_event(kind: &str, out: &mut BytesMut) {
    for piece in ["event: ", kind, "\ndata: {\"type\":\"", kind, "\""] {
        put(out, piece);
    }
}
