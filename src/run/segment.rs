//! Stretches of events, and how they are written for readers.

use std::fmt::Write as _;

use bytes::{Bytes, BytesMut};

use crate::protocol::{ItemId, RunId, ThreadEvent};

use super::escape::escape_into;

/// A stretch of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// One event.
    Event {
        /// Its number.
        seq: u64,
        /// Its JSON.
        json: Bytes,
    },
    /// Deltas of one part of one message.
    Text(TextSegment),
}

/// Deltas of one part of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TextSegment {
    /// The number of the first delta.
    pub(super) first_seq: u64,
    /// The message.
    pub(super) item_id: ItemId,
    /// Which part of it.
    pub(super) content_index: usize,
    /// What stands before the text in the JSON of all its deltas.
    head: Bytes,
    /// The text, JSON-escaped.
    pub(super) text: String,
    /// Where each delta ends in the text.
    pub(super) ends: Vec<u32>,
}

impl Segment {
    /// An event with its number.
    pub(super) fn event(seq: u64, event: &ThreadEvent) -> Self {
        let json = serde_json::to_vec(event).expect("events are plain data with string keys");
        Self::Event { seq, json: json.into() }
    }

    pub(super) fn first_seq(&self) -> u64 {
        match self {
            Self::Event { seq, .. } => *seq,
            Self::Text(text) => text.first_seq,
        }
    }

    pub(super) fn last_seq(&self) -> u64 {
        match self {
            Self::Event { seq, .. } => *seq,
            Self::Text(text) => text.first_seq + text.ends.len() as u64 - 1,
        }
    }

    /// Appends the event's JSON, or that of the deltas numbered above `after`, merged.
    pub(super) fn write_json(&self, after: u64, out: &mut BytesMut) {
        match self {
            Self::Event { json, .. } => out.extend_from_slice(json),
            Self::Text(segment) => {
                let start = match segment.deltas_up_to(after) {
                    0 => 0,
                    skipped => segment
                        .ends
                        .get(skipped - 1)
                        .map_or(segment.text.len(), |end| *end as usize),
                };
                segment.write_delta(&segment.text[start..], out);
            }
        }
    }
}

impl TextSegment {
    /// A stretch without deltas yet.
    pub(super) fn new(first_seq: u64, item_id: ItemId, content_index: usize) -> Self {
        let head = format!(
            r#"{{"type":"thread.item.updated","item_id":"{item_id}","update":{{"type":"assistant_message.content_part.text_delta","content_index":{content_index},"delta":""#
        );
        Self {
            first_seq,
            item_id,
            content_index,
            head: head.into(),
            text: String::new(),
            ends: Vec::new(),
        }
    }

    /// How many of its deltas are numbered `seq` or below.
    pub(super) fn deltas_up_to(&self, seq: u64) -> usize {
        usize::try_from((seq + 1).saturating_sub(self.first_seq)).unwrap_or(usize::MAX)
    }

    fn write_delta(&self, escaped: &str, out: &mut BytesMut) {
        const TAIL: &[u8] = br#""}}"#;
        out.reserve(self.head.len() + escaped.len() + TAIL.len());
        out.extend_from_slice(&self.head);
        out.extend_from_slice(escaped.as_bytes());
        out.extend_from_slice(TAIL);
    }
}

/// How a reader wants its events framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// As the official SDK: `data: {json}` and an empty line.
    Plain,
    /// With a line `id: RUN_ID:SEQ` before it, so that the reader can come back.
    WithId(RunId),
}

impl Framing {
    /// Appends the frame of a segment's events above `after`.
    pub(super) fn write(self, segment: &Segment, after: u64, out: &mut BytesMut) {
        if let Self::WithId(run) = self {
            let _ = writeln!(out, "id: {run}:{}", segment.last_seq());
        }
        out.extend_from_slice(b"data: ");
        segment.write_json(after, out);
        out.extend_from_slice(b"\n\n");
    }
}

impl TextSegment {
    /// Appends what follows from another stretch of the same part, without the deltas numbered
    /// `after` or below. Answers by how many bytes the text grew.
    pub(super) fn extend(&mut self, more: &Self, after: u64) -> usize {
        let skipped = more.deltas_up_to(after);
        let start = skipped.checked_sub(1).map_or(0, |last| more.ends[last]);
        let before = self.text.len();
        self.text.push_str(&more.text[start as usize..]);
        let ends = more.ends[skipped..]
            .iter()
            .map(|end| u32::try_from(before).unwrap_or(u32::MAX).saturating_add(end - start));
        self.ends.extend(ends);
        self.text.len() - before
    }

    /// Appends a delta; answers by how many bytes the text grew.
    pub(super) fn push(&mut self, delta: &str) -> usize {
        let before = self.text.len();
        escape_into(delta, &mut self.text);
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
        self.text.len() - before
    }
}
