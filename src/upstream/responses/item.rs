//! An output item of an answer while it grows.

use serde_json::Value;

use crate::{
    protocol::Annotation,
    upstream::{FunctionCall, MessagePart, ModelEvent},
};

use super::annotations::annotation;

/// An output item.
#[derive(Debug)]
pub(super) enum Item {
    Message {
        parts: Vec<Part>,
        is_done: bool,
    },
    Reasoning {
        parts: Vec<Part>,
        is_done: bool,
    },
    Call {
        call_id: String,
        name: String,
        arguments: String,
        is_done: bool,
    },
    /// Of a kind that is shown otherwise, or not at all.
    Other,
}

/// A part of a message or of a summary.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) text: String,
    pub(super) annotations: Vec<Annotation>,
    pub(super) is_started: bool,
    pub(super) is_done: bool,
}

impl Item {
    /// An item as it is announced.
    pub(super) fn announced(item: &Value) -> Self {
        match item["type"].as_str() {
            Some("message") => Self::Message { parts: Vec::new(), is_done: false },
            Some("reasoning") => Self::Reasoning { parts: Vec::new(), is_done: false },
            Some("function_call") => Self::Call {
                call_id: text(item, "call_id"),
                name: text(item, "name"),
                arguments: text(item, "arguments"),
                is_done: false,
            },
            _ => Self::Other,
        }
    }

    /// What announces it.
    pub(super) fn start(&self, index: usize) -> Option<ModelEvent> {
        match self {
            Self::Message { .. } => Some(ModelEvent::MessageStarted { index }),
            Self::Reasoning { .. } => Some(ModelEvent::ReasoningStarted { index }),
            Self::Call { .. } | Self::Other => None,
        }
    }

    /// A part of a message or a summary, made if it was never announced.
    pub(super) fn part(&mut self, part: usize) -> Option<&mut Part> {
        let (Self::Message { parts, .. } | Self::Reasoning { parts, .. }) = self else {
            return None;
        };
        if parts.len() <= part {
            parts.resize_with(part + 1, Part::default);
        }
        parts.get_mut(part)
    }

    pub(super) fn is_done(&self) -> bool {
        match self {
            Self::Message { is_done, .. }
            | Self::Reasoning { is_done, .. }
            | Self::Call { is_done, .. } => *is_done,
            Self::Other => true,
        }
    }

    /// Takes the whole item, which counts more than what came before it.
    pub(super) fn finish(&mut self, index: usize, whole: &Value, out: &mut Vec<ModelEvent>) {
        if self.is_done() {
            return;
        }
        match self {
            Self::Message { parts, is_done } => {
                *is_done = true;
                finish_message(index, parts, whole, out);
            }
            Self::Reasoning { parts, is_done } => {
                *is_done = true;
                finish_reasoning(index, parts, whole, out);
            }
            Self::Call { call_id, name, arguments, is_done } => {
                *is_done = true;
                for (member, known) in [
                    ("call_id", &mut *call_id),
                    ("name", &mut *name),
                    ("arguments", &mut *arguments),
                ] {
                    if let Some(text) = whole[member].as_str().filter(|text| !text.is_empty()) {
                        text.clone_into(known);
                    }
                }
                let call = whole_call(call_id, name, arguments);
                out.push(ModelEvent::FunctionCall { index, call });
            }
            Self::Other => {}
        }
    }
}

/// A call that is whole: no arguments are an empty object, and no identifier is one of ours.
pub(in crate::upstream) fn whole_call(call_id: &str, name: &str, arguments: &str) -> FunctionCall {
    let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
    let new_id = || format!("call_{}", uuid::Uuid::now_v7().simple());
    FunctionCall {
        call_id: if call_id.is_empty() { new_id() } else { call_id.to_owned() },
        name: name.to_owned(),
        arguments: arguments.to_owned(),
    }
}

fn finish_message(index: usize, parts: &mut Vec<Part>, whole: &Value, out: &mut Vec<ModelEvent>) {
    let content = whole["content"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (number, part) in content.iter().enumerate() {
        if parts.len() <= number {
            parts.resize_with(number + 1, Part::default);
        }
        let known = &mut parts[number];
        if let Some(text) = part["text"].as_str().or_else(|| part["refusal"].as_str()) {
            text.clone_into(&mut known.text);
        }
        if let Some(citations) = part["annotations"].as_array() {
            known.annotations = citations.iter().filter_map(annotation).collect();
        }
    }
    for (number, part) in parts.iter_mut().enumerate().filter(|(_, part)| !part.is_done) {
        if !std::mem::replace(&mut part.is_started, true) {
            out.push(ModelEvent::PartStarted { index, part: number, text: String::new() });
        }
        part.is_done = true;
        out.push(ModelEvent::PartDone { index, part: number, text: part.text.clone() });
    }
    let parts = parts
        .drain(..)
        .map(|part| MessagePart { text: part.text, annotations: part.annotations })
        .collect();
    let phase = whole["phase"].as_str().map(str::to_owned);
    out.push(ModelEvent::MessageDone { index, parts, phase });
}

fn finish_reasoning(index: usize, parts: &mut [Part], whole: &Value, out: &mut Vec<ModelEvent>) {
    for (number, part) in parts.iter_mut().enumerate().filter(|(_, part)| !part.is_done) {
        part.is_done = true;
        out.push(ModelEvent::ReasoningPartDone { index, part: number, text: part.text.clone() });
    }
    let item = whole.is_object().then(|| without_nulls(whole));
    out.push(ModelEvent::ReasoningDone { index, item });
}

/// Providers send `status: null` and refuse it when it comes back.
fn without_nulls(item: &Value) -> Value {
    let members = item.as_object().into_iter().flatten();
    Value::Object(
        members
            .filter(|(name, value)| !value.is_null() && *name != "status")
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
}

fn text(item: &Value, member: &str) -> String {
    item[member].as_str().unwrap_or_default().to_owned()
}
