//! From the chunks of the Chat Completions API to our own events. Pure.
//!
//! There are no items here: an answer is at most some reasoning, one message and some calls, which
//! get the indices 0, 1 and those behind. An answer is whole when its first choice has a reason to
//! finish, or the stream its `[DONE]`.

use serde::Deserialize;
use serde_json::Value;

use crate::{
    store::record::Usage,
    upstream::{FinishReason, MessagePart, ModelEvent, UpstreamError, failure::ProviderError},
};

use super::calls::{Calls, Fragment, FunctionFragment};

const REASONING: usize = 0;
const MESSAGE: usize = 1;
const FIRST_CALL: usize = 2;

/// The state of one answer.
#[derive(Debug, Default)]
pub(super) struct Converter {
    reasoning: Option<String>,
    text: Option<String>,
    calls: Calls,
    finish_reason: Option<FinishReason>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Option<Vec<Choice>>,
    #[serde(default)]
    usage: Option<Value>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: Option<i64>,
    #[serde(default)]
    delta: Option<Delta>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Delta {
    #[serde(default)]
    content: Value,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    reasoning_content: Option<String>,
    #[serde(default)]
    reasoning: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<Fragment>>,
    #[serde(default)]
    function_call: Option<FunctionFragment>,
}

impl Converter {
    /// Whether the answer is whole; the usage may still come.
    pub(super) fn has_finish_reason(&self) -> bool {
        self.finish_reason.is_some()
    }

    /// Takes one chunk; appends what it means.
    pub(super) fn feed(
        &mut self,
        data: &str,
        out: &mut Vec<ModelEvent>,
    ) -> Result<(), UpstreamError> {
        if data.trim().is_empty() {
            return Ok(());
        }
        let chunk: Chunk = serde_json::from_str(data).map_err(|_| UpstreamError::Unreadable {
            reason: "a chunk is none of the Chat Completions API".to_owned(),
        })?;
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            let error = serde_json::json!({ "error": error });
            return Err(ProviderError::read(&error).in_stream());
        }
        if let Some(usage) = chunk.usage.as_ref().and_then(usage) {
            // Some servers count up with every chunk: the last is the whole.
            self.usage = Some(usage);
        }
        let choices = chunk.choices.unwrap_or_default().into_iter();
        for choice in choices.filter(|choice| choice.index.unwrap_or(0) == 0) {
            self.take(choice, out)?;
        }
        Ok(())
    }

    fn take(&mut self, choice: Choice, out: &mut Vec<ModelEvent>) -> Result<(), UpstreamError> {
        let delta = choice.delta.unwrap_or_default();
        if let Some(thought) = delta.reasoning_content.or(delta.reasoning) {
            self.think(thought, out);
        }
        self.say(text_of(delta.content), out);
        self.say(delta.refusal.unwrap_or_default(), out);
        let fragments = delta.tool_calls.unwrap_or_default();
        self.calls.add(fragments)?;
        if let Some(function) = delta.function_call {
            self.calls.add(vec![Fragment::of_function(function)])?;
        }
        match choice.finish_reason.as_deref() {
            None | Some("") => {}
            Some("error") => {
                return Err(UpstreamError::Failed {
                    code: "error".to_owned(),
                    detail: String::new(),
                });
            }
            Some("length") => self.finish_reason = Some(FinishReason::Length),
            Some("content_filter") => self.finish_reason = Some(FinishReason::ContentFilter),
            Some(_) => self.finish_reason = Some(FinishReason::Complete),
        }
        Ok(())
    }

    fn think(&mut self, delta: String, out: &mut Vec<ModelEvent>) {
        if delta.is_empty() || self.text.is_some() {
            return;
        }
        let thoughts = self.reasoning.get_or_insert_with(|| {
            out.push(ModelEvent::ReasoningStarted { index: REASONING });
            String::new()
        });
        thoughts.push_str(&delta);
        out.push(ModelEvent::ReasoningDelta { index: REASONING, part: 0, delta });
    }

    fn say(&mut self, delta: String, out: &mut Vec<ModelEvent>) {
        if delta.is_empty() {
            return;
        }
        if self.text.is_none() {
            self.end_reasoning(out);
            out.push(ModelEvent::MessageStarted { index: MESSAGE });
            out.push(ModelEvent::PartStarted { index: MESSAGE, part: 0, text: String::new() });
        }
        self.text.get_or_insert_default().push_str(&delta);
        out.push(ModelEvent::TextDelta { index: MESSAGE, part: 0, delta });
    }

    fn end_reasoning(&mut self, out: &mut Vec<ModelEvent>) {
        if let Some(text) = self.reasoning.take() {
            out.push(ModelEvent::ReasoningPartDone { index: REASONING, part: 0, text });
            out.push(ModelEvent::ReasoningDone { index: REASONING, item: None });
        }
    }

    /// The end of the stream.
    pub(super) fn finish(mut self) -> Result<Vec<ModelEvent>, UpstreamError> {
        let has_said_something = self.text.is_some() || !self.calls.is_empty();
        if self.finish_reason.is_none() && !has_said_something {
            return Err(UpstreamError::Truncated(None));
        }
        let mut out = Vec::new();
        self.end_reasoning(&mut out);
        if let Some(text) = self.text.take() {
            out.push(ModelEvent::PartDone { index: MESSAGE, part: 0, text: text.clone() });
            let parts = vec![MessagePart { text, annotations: Vec::new() }];
            out.push(ModelEvent::MessageDone { index: MESSAGE, parts, phase: None });
        }
        let reason = self.finish_reason.unwrap_or(FinishReason::Complete);
        if reason == FinishReason::Complete {
            let calls = (FIRST_CALL..).zip(self.calls.finish());
            out.extend(calls.map(|(index, call)| ModelEvent::FunctionCall { index, call }));
        }
        out.push(ModelEvent::Finished { reason, usage: self.usage });
        Ok(out)
    }
}

/// Content is a string, or a list of parts of which those with text count.
fn text_of(content: Value) -> String {
    match content {
        Value::String(text) => text,
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().concat()
        }
        _ => String::new(),
    }
}

fn usage(usage: &Value) -> Option<Usage> {
    Some(Usage {
        input_tokens: usage["prompt_tokens"].as_u64()?,
        cached_tokens: usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap_or(0),
        output_tokens: usage["completion_tokens"].as_u64().unwrap_or(0),
        reasoning_tokens: usage["completion_tokens_details"]["reasoning_tokens"]
            .as_u64()
            .unwrap_or(0),
    })
}
