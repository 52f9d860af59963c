//! From the chunks of Chat Completions to our events.
//!
//! Chunks have no items: one message, thoughts and calls are told from the members in which they
//! come, and get their indexes here. An answer is whole once its choice has a `finish_reason`, or
//! the stream its `[DONE]`; the rest, for the usage, is read on but not needed.

use serde_json::Value;

use super::{
    calls::Calls,
    wire::{self, Choice, Chunk, Delta, Piece, non_empty},
};
use crate::{
    store::record::Usage,
    upstream::{
        FinishReason, MessagePart, ModelEvent, UpstreamError, answer::Conversion, json,
        provider_error::ProviderError,
    },
};

/// What is known of an answer so far.
#[derive(Default)]
pub(super) struct Converter {
    next_index: usize,
    thoughts: Option<Thoughts>,
    message: Option<Message>,
    calls: Calls,
    reason: Option<FinishReason>,
    usage: Option<Usage>,
    is_finished: bool,
}

struct Thoughts {
    index: usize,
    text: String,
}

struct Message {
    index: usize,
    parts: Vec<Part>,
}

struct Part {
    is_refusal: bool,
    text: String,
}

impl Conversion for Converter {
    fn feed(&mut self, data: &str, out: &mut Vec<ModelEvent>) -> Result<(), UpstreamError> {
        if self.is_finished || data.trim().is_empty() {
            return Ok(());
        }
        if data.trim() == "[DONE]" {
            let said = self.message.is_some() || !self.calls.is_empty();
            let reason = self.reason.or(said.then_some(FinishReason::Complete));
            self.finish(reason.ok_or(UpstreamError::Truncated(None))?, out);
            return Ok(());
        }
        if let Some(text) = wire::only_text(data) {
            self.say(text, false, out);
            return Ok(());
        }
        let chunk: Chunk = json::parse(data)?;
        if !chunk.error.is_null() {
            return Err(ProviderError::from_value(&chunk.error).into_stream_error());
        }
        // Some servers send it with every chunk, as a total: the last one counts.
        self.usage = wire::usage(&chunk.usage).or(self.usage);
        // We ask for one choice. A server that leaves its index out has no other.
        let ours = |choice: &Choice| matches!(choice.index.as_u64(), None | Some(0));
        chunk.choices.into_iter().filter(ours).try_for_each(|choice| self.choice(choice, out))
    }

    fn end(
        &mut self,
        cause: Option<UpstreamError>,
        out: &mut Vec<ModelEvent>,
    ) -> Result<(), UpstreamError> {
        if !self.is_finished {
            let reason = self.reason.ok_or_else(|| cause.unwrap_or(UpstreamError::Truncated(None)));
            self.finish(reason?, out);
        }
        Ok(())
    }

    fn is_finished(&self) -> bool {
        self.is_finished
    }
}

impl Converter {
    fn choice(&mut self, choice: Choice, out: &mut Vec<ModelEvent>) -> Result<(), UpstreamError> {
        self.delta(choice.delta, out)?;
        if let Some(reason) = non_empty(&choice.finish_reason) {
            self.reason = Some(finish_reason(reason)?);
        }
        Ok(())
    }

    fn delta(&mut self, delta: Delta, out: &mut Vec<ModelEvent>) -> Result<(), UpstreamError> {
        // Where both are sent they say the same.
        let thought = non_empty(&delta.reasoning_content).or_else(|| non_empty(&delta.reasoning));
        if let Some(thought) = thought {
            self.think(thought, out);
        }
        for piece in wire::pieces(delta.content) {
            match piece {
                Piece::Text(text) => self.say(text, false, out),
                Piece::Thought(thought) => self.think(&thought, out),
            }
        }
        if let Value::String(refusal) = delta.refusal {
            self.say(refusal, true, out);
        }
        if let Value::Array(fragments) = &delta.tool_calls
            && !fragments.is_empty()
        {
            self.end_thoughts(out);
            self.calls.add(fragments)?;
        }
        if delta.function_call.is_object() {
            self.end_thoughts(out);
            self.calls.add(&[serde_json::json!({"index": 0, "function": delta.function_call})])?;
        }
        Ok(())
    }

    fn think(&mut self, delta: &str, out: &mut Vec<ModelEvent>) {
        if delta.is_empty() {
            return;
        }
        let next_index = &mut self.next_index;
        let thoughts = self.thoughts.get_or_insert_with(|| {
            let index = take_index(next_index);
            out.push(ModelEvent::ReasoningStarted { index });
            Thoughts { index, text: String::new() }
        });
        thoughts.text.push_str(delta);
        let (index, delta) = (thoughts.index, delta.to_owned());
        out.push(ModelEvent::ReasoningDelta { index, part: 0, delta });
    }

    fn end_thoughts(&mut self, out: &mut Vec<ModelEvent>) {
        if let Some(Thoughts { index, text }) = self.thoughts.take() {
            out.push(ModelEvent::ReasoningPartDone { index, part: 0, text });
            out.push(ModelEvent::ReasoningDone { index, item: None });
        }
    }

    fn say(&mut self, delta: String, is_refusal: bool, out: &mut Vec<ModelEvent>) {
        if delta.is_empty() {
            return;
        }
        self.end_thoughts(out);
        let next_index = &mut self.next_index;
        let message = self.message.get_or_insert_with(|| {
            let index = take_index(next_index);
            out.push(ModelEvent::MessageStarted { index });
            Message { index, parts: Vec::new() }
        });
        let index = message.index;
        let known = message.parts.iter().position(|part| part.is_refusal == is_refusal);
        let part = known.unwrap_or_else(|| {
            let part = message.parts.len();
            out.push(ModelEvent::PartStarted { index, part, text: String::new() });
            message.parts.push(Part { is_refusal, text: String::new() });
            part
        });
        message.parts[part].text.push_str(&delta);
        out.push(ModelEvent::TextDelta { index, part, delta });
    }

    fn finish(&mut self, reason: FinishReason, out: &mut Vec<ModelEvent>) {
        self.end_thoughts(out);
        if let Some(Message { index, parts }) = self.message.take() {
            for (part, Part { text, .. }) in parts.iter().enumerate() {
                out.push(ModelEvent::PartDone { index, part, text: text.clone() });
            }
            let parts = parts.into_iter();
            let parts = parts.map(|part| MessagePart { text: part.text, annotations: Vec::new() });
            out.push(ModelEvent::MessageDone { index, parts: parts.collect(), phase: None });
        }
        // The calls of an answer that was cut short are void. Otherwise a call is a call, whatever
        // the reason says: many servers end with `stop`.
        if reason == FinishReason::Complete {
            for call in self.calls.finish() {
                let index = take_index(&mut self.next_index);
                out.push(ModelEvent::FunctionCall { index, call });
            }
        }
        out.push(ModelEvent::Finished { reason, usage: self.usage });
        self.is_finished = true;
    }
}

fn take_index(next: &mut usize) -> usize {
    *next += 1;
    *next - 1
}

fn finish_reason(reason: &str) -> Result<FinishReason, UpstreamError> {
    match reason {
        "stop" | "tool_calls" | "function_call" => Ok(FinishReason::Complete),
        "length" => Ok(FinishReason::Length),
        // `sensitive` is Zhipu's.
        "content_filter" | "sensitive" => Ok(FinishReason::ContentFilter),
        // OpenRouter's, mostly beside an error object.
        "error" => Err(UpstreamError::Failed { code: "error".to_owned(), detail: String::new() }),
        _ => {
            tracing::debug!(reason, "a finish reason of the model is not known");
            Ok(FinishReason::Complete)
        }
    }
}
