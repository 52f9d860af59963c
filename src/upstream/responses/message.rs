//! A message as it comes.

use serde_json::Value;

use super::wire::{self, PartChange};
use crate::{
    protocol::Annotation,
    upstream::{MessagePart, ModelEvent},
};

/// A message of which at least the beginning is known.
#[derive(Default)]
pub(super) struct Message {
    /// In the order in which they were seen; a part's place here is its number in events.
    parts: Vec<Part>,
    phase: Option<String>,
}

struct Part {
    /// The server's number for it.
    content_index: u64,
    text: String,
    annotations: Vec<Annotation>,
    is_done: bool,
}

impl Message {
    pub(super) fn start(index: usize, item: &Value, out: &mut Vec<ModelEvent>) -> Self {
        out.push(ModelEvent::MessageStarted { index });
        Self { parts: Vec::new(), phase: wire::id(&item["phase"]).map(str::to_owned) }
    }

    /// Does what an event says.
    pub(super) fn change(
        &mut self,
        index: usize,
        content_index: Option<u64>,
        change: PartChange<'_>,
        out: &mut Vec<ModelEvent>,
    ) {
        match change {
            PartChange::Append(delta) => self.append(index, content_index, delta.to_owned(), out),
            PartChange::Start(text) => {
                self.part(index, content_index, text, out);
            }
            PartChange::Annotate(annotation) => {
                let part = self.part(index, content_index, "", out);
                self.parts[part].annotations.push((*annotation).clone());
                out.push(ModelEvent::Annotation { index, part, annotation });
            }
            PartChange::End(text) => {
                let part = self.part(index, content_index, "", out);
                self.end_part(index, part, Some(text), out);
            }
        }
    }

    /// The place of a part, which begins with `text` if it has not begun.
    fn part(
        &mut self,
        index: usize,
        content_index: Option<u64>,
        text: &str,
        out: &mut Vec<ModelEvent>,
    ) -> usize {
        // Some servers do not number parts: then it is the latest.
        let latest = self.parts.last().map_or(0, |part| part.content_index);
        let content_index = content_index.unwrap_or(latest);
        let known = self.parts.iter().rposition(|part| part.content_index == content_index);
        known.unwrap_or_else(|| self.push_part(index, content_index, text, out))
    }

    fn push_part(
        &mut self,
        index: usize,
        content_index: u64,
        text: &str,
        out: &mut Vec<ModelEvent>,
    ) -> usize {
        let part = self.parts.len();
        let text = text.to_owned();
        out.push(ModelEvent::PartStarted { index, part, text: text.clone() });
        self.parts.push(Part { content_index, text, annotations: Vec::new(), is_done: false });
        part
    }

    pub(super) fn append(
        &mut self,
        index: usize,
        content_index: Option<u64>,
        delta: String,
        out: &mut Vec<ModelEvent>,
    ) {
        if delta.is_empty() {
            return;
        }
        let part = self.part(index, content_index, "", out);
        self.parts[part].text.push_str(&delta);
        out.push(ModelEvent::TextDelta { index, part, delta });
    }

    /// Ends a part by its whole text, which replaces the joined one.
    fn end_part(
        &mut self,
        index: usize,
        part: usize,
        text: Option<&str>,
        out: &mut Vec<ModelEvent>,
    ) {
        let state = &mut self.parts[part];
        if let Some(text) = text {
            text.clone_into(&mut state.text);
        }
        if !state.is_done {
            state.is_done = true;
            out.push(ModelEvent::PartDone { index, part, text: state.text.clone() });
        }
    }

    /// Ends the message by its whole item, which replaces what came before. Without one, or when
    /// it is empty, what came stands.
    pub(super) fn end(&mut self, index: usize, item: Option<&Value>, out: &mut Vec<ModelEvent>) {
        let content = item.and_then(|item| item["content"].as_array());
        let whole: Vec<_> = content.into_iter().flatten().filter_map(whole_part).collect();
        for (part, (text, annotations)) in whole.into_iter().enumerate() {
            if part == self.parts.len() {
                self.push_part(index, part as u64, "", out);
            }
            self.end_part(index, part, Some(text), out);
            if !annotations.is_empty() {
                self.parts[part].annotations = annotations;
            }
        }
        for part in 0..self.parts.len() {
            self.end_part(index, part, None, out);
        }
        let phase = item.and_then(|item| wire::id(&item["phase"])).map(str::to_owned);
        let parts = self.parts.drain(..);
        let parts =
            parts.map(|part| MessagePart { text: part.text, annotations: part.annotations });
        out.push(ModelEvent::MessageDone {
            index,
            parts: parts.collect(),
            phase: phase.or_else(|| self.phase.take()),
        });
    }
}

fn whole_part(part: &Value) -> Option<(&str, Vec<Annotation>)> {
    let text = wire::part_text(part)?;
    let annotations = part["annotations"].as_array();
    let annotations = annotations.into_iter().flatten().filter_map(wire::annotation);
    Some((text, annotations.collect()))
}
