//! From the events of the Responses API to our own. Pure: one event's data in, what it means out.
//!
//! The rules, learned from many servers: events are told apart by `type`, items are joined by
//! `output_index` and not by their ids, which some servers change with every event; what is whole
//! counts more than what was joined from pieces; what is not known is skipped; and only a terminal
//! event makes an answer whole.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;
use serde_json::Value;

use crate::{
    store::record::Usage,
    upstream::{FinishReason, ModelEvent, UpstreamError, failure::ProviderError},
};

use super::{
    annotations::annotation,
    item::{Item, Part},
};

/// More output items, or parts of one, than a model would send: a wild index must not take the
/// memory.
const MAX_INDEX: usize = 10_000;

/// The state of one answer.
#[derive(Debug, Default)]
pub(super) struct Converter {
    items: BTreeMap<usize, Item>,
    /// For servers that send no index: the index of each id, and of the newest item.
    indices: BTreeMap<String, usize>,
    newest: usize,
    is_finished: bool,
    error: Option<ProviderError>,
}

/// The members of the events that there are most of.
#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(default)]
    output_index: Option<usize>,
    #[serde(default, borrow)]
    item_id: Option<Cow<'a, str>>,
    #[serde(default)]
    content_index: Option<usize>,
    // Some kinds of delta are objects.
    #[serde(default, borrow)]
    delta: Option<&'a serde_json::value::RawValue>,
}

impl Converter {
    /// Whether the terminal event came.
    pub(super) fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// The error that was announced, when nothing came behind it.
    pub(super) fn error(&mut self) -> Option<UpstreamError> {
        self.error.take().map(ProviderError::in_stream)
    }

    /// Takes one event's data; appends what it means.
    pub(super) fn feed(
        &mut self,
        data: &str,
        out: &mut Vec<ModelEvent>,
    ) -> Result<(), UpstreamError> {
        let data = data.trim();
        if data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        if let Ok(event) = serde_json::from_str::<Delta<'_>>(data)
            && event.kind.as_deref() == Some("response.output_text.delta")
            && let Some(text) = event.delta.and_then(string)
        {
            let index = self.index(event.output_index, event.item_id.as_deref());
            self.add_text(index, event.content_index.unwrap_or(0), text, out);
            return Ok(());
        }
        let event: Value = serde_json::from_str(data)
            .map_err(|_| UpstreamError::Unreadable { reason: "an event is no JSON".to_owned() })?;
        self.take(&event, out)
    }

    fn take(&mut self, event: &Value, out: &mut Vec<ModelEvent>) -> Result<(), UpstreamError> {
        match event["type"].as_str().unwrap_or_default() {
            "response.output_item.added" => self.add_item(event, out),
            "response.output_item.done" => self.end_item(event, out),
            "response.content_part.added" => self.start_part(event, out),
            "response.output_text.delta" | "response.refusal.delta" => {
                if let Some(text) = event["delta"].as_str() {
                    self.add_text(self.index_of(event), part_of(event), text.into(), out);
                }
            }
            "response.output_text.done" => self.end_part(event, "text", out),
            "response.refusal.done" => self.end_part(event, "refusal", out),
            "response.output_text.annotation.added" => self.annotate(event, out),
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.think(event, out);
            }
            "response.reasoning_summary_text.done" | "response.reasoning_text.done" => {
                self.end_thought(event, out);
            }
            "response.function_call_arguments.delta" => self.add_arguments(event, false),
            "response.function_call_arguments.done" => self.add_arguments(event, true),
            "response.completed" => self.finish(&event["response"], FinishReason::Complete, out),
            "response.incomplete" => {
                let reason = &event["response"]["incomplete_details"]["reason"];
                let reason = match reason.as_str() {
                    Some("content_filter") => FinishReason::ContentFilter,
                    _ => FinishReason::Length,
                };
                self.finish(&event["response"], reason, out);
            }
            "response.failed" => return Err(self.failed(&event["response"])),
            // `response.failed` mostly follows and says no more.
            "error" => return Err(ProviderError::read(event).in_stream()),
            _ if event.get("error").is_some_and(|error| !error.is_null()) => {
                return Err(ProviderError::read(event).in_stream());
            }
            kind => tracing::debug!(kind, "an event of the model is not known"),
        }
        Ok(())
    }

    fn failed(&mut self, response: &Value) -> UpstreamError {
        self.error.take().unwrap_or_else(|| ProviderError::read(response)).in_stream()
    }

    // ---- which item ----------------------------------------------------------------------------

    fn index(&self, index: Option<usize>, id: Option<&str>) -> usize {
        let known = || id.and_then(|id| self.indices.get(id).copied());
        index.or_else(known).unwrap_or(self.newest).min(MAX_INDEX)
    }

    fn index_of(&self, event: &Value) -> usize {
        self.index(number(&event["output_index"]), event["item_id"].as_str())
    }

    /// The item at an index, begun as `kind` if it was never announced.
    fn item(&mut self, index: usize, kind: fn() -> Item, out: &mut Vec<ModelEvent>) -> &mut Item {
        self.newest = index;
        self.items.entry(index).or_insert_with(|| {
            let item = kind();
            out.extend(item.start(index));
            item
        })
    }

    // ---- items ---------------------------------------------------------------------------------

    fn add_item(&mut self, event: &Value, out: &mut Vec<ModelEvent>) {
        let item = &event["item"];
        let next = self.items.last_key_value().map_or(0, |(last, _)| last + 1);
        let index = number(&event["output_index"]).unwrap_or(next).min(MAX_INDEX);
        if let Some(id) = item["id"].as_str().filter(|id| !id.is_empty()) {
            self.indices.insert(id.to_owned(), index);
        }
        self.newest = index;
        if !self.items.contains_key(&index) {
            let item = Item::announced(item);
            out.extend(item.start(index));
            self.items.insert(index, item);
        }
    }

    fn end_item(&mut self, event: &Value, out: &mut Vec<ModelEvent>) {
        let whole = &event["item"];
        let index = self.index(number(&event["output_index"]), whole["id"].as_str());
        self.finish_item(index, whole, out);
    }

    fn finish_item(&mut self, index: usize, whole: &Value, out: &mut Vec<ModelEvent>) {
        if !self.items.contains_key(&index) {
            let item = Item::announced(whole);
            out.extend(item.start(index));
            self.items.insert(index, item);
        }
        if let Some(item) = self.items.get_mut(&index) {
            item.finish(index, whole, out);
        }
    }

    // ---- messages ------------------------------------------------------------------------------

    fn start_part(&mut self, event: &Value, out: &mut Vec<ModelEvent>) {
        let (index, number) = (self.index_of(event), part_of(event));
        let content = &event["part"];
        if content["type"] == "reasoning_text" {
            return;
        }
        let text = content["text"].as_str().or_else(|| content["refusal"].as_str());
        let text = text.unwrap_or_default().to_owned();
        let item = self.item(index, message, out);
        if let Some(part) = item.part(number)
            && !std::mem::replace(&mut part.is_started, true)
        {
            part.text.clone_from(&text);
            out.push(ModelEvent::PartStarted { index, part: number, text });
        }
    }

    fn add_text(
        &mut self,
        index: usize,
        number: usize,
        text: Cow<'_, str>,
        out: &mut Vec<ModelEvent>,
    ) {
        if text.is_empty() {
            return;
        }
        if let Some(part) = started_part(self.item(index, message, out), index, number, out) {
            part.text.push_str(&text);
            out.push(ModelEvent::TextDelta { index, part: number, delta: text.into_owned() });
        }
    }

    fn end_part(&mut self, event: &Value, member: &str, out: &mut Vec<ModelEvent>) {
        let (index, number) = (self.index_of(event), part_of(event));
        let whole = event[member].as_str();
        if let Some(part) = started_part(self.item(index, message, out), index, number, out)
            && !std::mem::replace(&mut part.is_done, true)
        {
            if let Some(whole) = whole {
                whole.clone_into(&mut part.text);
            }
            out.push(ModelEvent::PartDone { index, part: number, text: part.text.clone() });
        }
    }

    fn annotate(&mut self, event: &Value, out: &mut Vec<ModelEvent>) {
        let (index, number) = (self.index_of(event), part_of(event));
        let Some(annotation) = annotation(&event["annotation"]) else { return };
        if let Some(part) = started_part(self.item(index, message, out), index, number, out) {
            part.annotations.push(annotation.clone());
            let annotation = Box::new(annotation);
            out.push(ModelEvent::Annotation { index, part: number, annotation });
        }
    }

    // ---- reasoning -----------------------------------------------------------------------------

    fn think(&mut self, event: &Value, out: &mut Vec<ModelEvent>) {
        let (index, number) = (self.index_of(event), part_of(event));
        let delta = event["delta"].as_str().unwrap_or_default().to_owned();
        if let Some(part) = self.item(index, reasoning, out).part(number)
            && !delta.is_empty()
        {
            part.text.push_str(&delta);
            out.push(ModelEvent::ReasoningDelta { index, part: number, delta });
        }
    }

    fn end_thought(&mut self, event: &Value, out: &mut Vec<ModelEvent>) {
        let (index, number) = (self.index_of(event), part_of(event));
        if let Some(part) = self.item(index, reasoning, out).part(number)
            && !std::mem::replace(&mut part.is_done, true)
        {
            if let Some(whole) = event["text"].as_str() {
                whole.clone_into(&mut part.text);
            }
            out.push(ModelEvent::ReasoningPartDone {
                index,
                part: number,
                text: part.text.clone(),
            });
        }
    }

    // ---- calls ---------------------------------------------------------------------------------

    fn add_arguments(&mut self, event: &Value, is_whole: bool) {
        let index = self.index_of(event);
        let Some(Item::Call { arguments, is_done: false, .. }) = self.items.get_mut(&index) else {
            return;
        };
        match event["arguments"].as_str().filter(|_| is_whole) {
            Some(whole) => whole.clone_into(arguments),
            None => arguments.push_str(event["delta"].as_str().unwrap_or_default()),
        }
    }

    // ---- the end -------------------------------------------------------------------------------

    fn finish(&mut self, response: &Value, reason: FinishReason, out: &mut Vec<ModelEvent>) {
        self.is_finished = true;
        self.take_missing_items(response, out);
        // Text that was begun and never ended is whole now. A call must have been said to be.
        for (index, item) in &mut self.items {
            if !matches!(item, Item::Call { .. }) {
                item.finish(*index, &Value::Null, out);
            }
        }
        out.push(ModelEvent::Finished { reason, usage: usage(&response["usage"]) });
    }

    /// The last resort: items of the whole answer that were never whole before.
    fn take_missing_items(&mut self, response: &Value, out: &mut Vec<ModelEvent>) {
        for (index, whole) in response["output"].as_array().into_iter().flatten().enumerate() {
            if !self.items.get(&index).is_some_and(Item::is_done) {
                self.finish_item(index, whole, out);
            }
        }
    }
}

fn message() -> Item {
    Item::Message { parts: Vec::new(), is_done: false }
}

fn reasoning() -> Item {
    Item::Reasoning { parts: Vec::new(), is_done: false }
}

fn started_part<'a>(
    item: &'a mut Item,
    index: usize,
    number: usize,
    out: &mut Vec<ModelEvent>,
) -> Option<&'a mut Part> {
    let Item::Message { is_done: false, .. } = item else { return None };
    let part = item.part(number)?;
    if !std::mem::replace(&mut part.is_started, true) {
        out.push(ModelEvent::PartStarted { index, part: number, text: String::new() });
    }
    Some(part)
}

fn string(raw: &serde_json::value::RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Text<'_>>(raw.get()).ok().map(|text| text.0)
}

fn number(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|number| usize::try_from(number).ok())
}

/// The part of a message, or of a reasoning item's summary.
fn part_of(event: &Value) -> usize {
    let index = number(&event["content_index"]).or_else(|| number(&event["summary_index"]));
    index.unwrap_or(0).min(MAX_INDEX)
}

fn usage(usage: &Value) -> Option<Usage> {
    Some(Usage {
        input_tokens: usage["input_tokens"].as_u64()?,
        cached_tokens: usage["input_tokens_details"]["cached_tokens"].as_u64().unwrap_or(0),
        output_tokens: usage["output_tokens"].as_u64().unwrap_or(0),
        reasoning_tokens: usage["output_tokens_details"]["reasoning_tokens"].as_u64().unwrap_or(0),
    })
}
