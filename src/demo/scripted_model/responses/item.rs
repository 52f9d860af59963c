//! An output item that is being written: a message or a reasoning item, part by part.

use serde_json::{Value, json};

/// What a part of an item holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartKind {
    /// Text of a message.
    Text,
    /// A refusal, in a message too.
    Refusal,
    /// A summary of thoughts, in a reasoning item.
    Summary,
}

impl PartKind {
    fn is_message(self) -> bool {
        self != Self::Summary
    }

    /// The part with this text, as events and items carry it.
    fn part(self, text: &str) -> Value {
        match self {
            Self::Text => {
                json!({ "type": "output_text", "annotations": [], "logprobs": [], "text": text })
            }
            Self::Refusal => json!({ "type": "refusal", "refusal": text }),
            Self::Summary => json!({ "type": "summary_text", "text": text }),
        }
    }

    /// The member that counts the parts.
    fn index_name(self) -> &'static str {
        if self.is_message() { "content_index" } else { "summary_index" }
    }

    /// The event that brings a delta.
    fn delta_event(self) -> &'static str {
        match self {
            Self::Text => "response.output_text.delta",
            Self::Refusal => "response.refusal.delta",
            Self::Summary => "response.reasoning_summary_text.delta",
        }
    }

    /// The event that brings the whole text, and the member in which it is.
    fn done_event(self) -> (&'static str, &'static str) {
        match self {
            Self::Text => ("response.output_text.done", "text"),
            Self::Refusal => ("response.refusal.done", "refusal"),
            Self::Summary => ("response.reasoning_summary_text.done", "text"),
        }
    }
}

/// An event: its type and its members.
type Event = (&'static str, Value);

/// An output item that is not yet whole.
pub(super) struct OpenItem {
    id: String,
    index: usize,
    is_message: bool,
    /// The parts that are whole.
    parts: Vec<Value>,
    /// The part that grows.
    open: Option<(PartKind, String)>,
    /// A delta's frame up to its text, the same for all deltas of the open part.
    delta_head: String,
}

impl OpenItem {
    /// An empty item: the `index`-th of the response.
    pub(super) fn new(kind: PartKind, response_id: &str, index: usize) -> Self {
        let prefix = if kind.is_message() { "msg" } else { "rs" };
        Self {
            id: format!("{prefix}_{response_id}{index}"),
            index,
            is_message: kind.is_message(),
            parts: Vec::new(),
            open: None,
            delta_head: String::new(),
        }
    }

    /// Whether the open part is of this kind.
    pub(super) fn holds(&self, kind: PartKind) -> bool {
        matches!(self.open, Some((open, _)) if open == kind)
    }

    /// Whether a part of this kind may stand in it.
    pub(super) fn takes(&self, kind: PartKind) -> bool {
        self.is_message == kind.is_message()
    }

    /// The members of its first event.
    pub(super) fn added(&self) -> Value {
        let item = self.item("in_progress", &[]);
        json!({ "output_index": self.index, "item": item })
    }

    /// Begins a part. The one before must be closed.
    pub(super) fn open_part(&mut self, kind: PartKind) -> Event {
        let event = kind.delta_event();
        let (id, index, part) = (&self.id, self.index, self.parts.len());
        let part_index = kind.index_name();
        let logprobs = if kind == PartKind::Text { "\"logprobs\":[]," } else { "" };
        self.delta_head = format!(
            "event: {event}\ndata: {{\"type\":\"{event}\",\"item_id\":\"{id}\",\
             \"output_index\":{index},\"{part_index}\":{part},{logprobs}\"delta\":"
        );
        self.open = Some((kind, String::new()));
        let added = if self.is_message {
            "response.content_part.added"
        } else {
            "response.reasoning_summary_part.added"
        };
        (added, self.part_event(kind, "part", &kind.part("")))
    }

    /// A delta's frame up to its text.
    pub(super) fn delta_head(&self) -> &str {
        &self.delta_head
    }

    /// Grows the open part.
    pub(super) fn append(&mut self, delta: &str) {
        if let Some((_, text)) = &mut self.open {
            text.push_str(delta);
        }
    }

    /// Ends the open part, if there is one.
    pub(super) fn close_part(&mut self) -> Vec<Event> {
        let Some((kind, text)) = self.open.take() else { return Vec::new() };
        let (text_done, member) = kind.done_event();
        let part_done = if self.is_message {
            "response.content_part.done"
        } else {
            "response.reasoning_summary_part.done"
        };
        let part = kind.part(&text);
        let events = vec![
            (text_done, self.part_event(kind, member, &Value::String(text))),
            (part_done, self.part_event(kind, "part", &part)),
        ];
        self.parts.push(part);
        events
    }

    /// The members of its last event; `encrypted` gives a reasoning item something to send back.
    pub(super) fn done(&self, encrypted: bool) -> Value {
        let mut item = self.item("completed", &self.parts);
        if encrypted && !self.is_message {
            item["encrypted_content"] = json!(format!("scripted-{}", self.id));
        }
        json!({ "output_index": self.index, "item": item })
    }

    fn item(&self, status: &str, parts: &[Value]) -> Value {
        if self.is_message {
            json!({
                "id": self.id, "type": "message", "status": status, "role": "assistant",
                "content": parts,
            })
        } else {
            json!({ "id": self.id, "type": "reasoning", "summary": parts })
        }
    }

    fn part_event(&self, kind: PartKind, member: &str, value: &Value) -> Value {
        json!({
            "item_id": self.id, "output_index": self.index,
            kind.index_name(): self.parts.len(), member: value,
        })
    }
}
