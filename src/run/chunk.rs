//! How a stretch of a run's events is stored: one JSON object a line.
//!
//! ```text
//! {"seq":4,"event":{"type":"progress_update","text":"Adding a task"}}
//! {"seq":5,"item_id":"…","content_index":0,"ends":[3,5],"text":"Hello"}
//! ```
//!
//! `ends` are byte positions in the escaped text between the quotes, so that a reader can go on
//! behind any single delta.

use std::fmt::Write as _;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::protocol::ItemId;

use super::segment::{Segment, TextSegment};

/// The highest number of an event: what the databases hold, less as many events as a chunk can have.
const MAX_SEQ: u64 = (i64::MAX as u64) - (u32::MAX as u64);

/// Stored events that cannot be read: a bug, or another version's.
#[derive(Debug, thiserror::Error)]
#[error("unreadable stored event")]
pub(super) struct UnreadableChunk(#[source] Option<serde_json::Error>);

#[derive(Deserialize)]
struct Line<'a> {
    seq: u64,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    item_id: Option<ItemId>,
    #[serde(default)]
    content_index: usize,
    #[serde(default)]
    ends: Vec<u32>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
}

/// Writes the events of the segments numbered above `after`.
pub(super) fn encode(segments: &[Segment], after: u64) -> String {
    let mut payload = String::new();
    for segment in segments {
        if !payload.is_empty() {
            payload.push('\n');
        }
        match segment {
            Segment::Event { seq, json } => encode_event(*seq, json, &mut payload),
            Segment::Text(text) => {
                encode_text(text, after, usize::MAX, &mut payload);
            }
        }
    }
    payload
}

/// The same up to about `limit` bytes, and at least one event. Answers the number of the last
/// event as well.
pub(super) fn encode_some(segments: &[Segment], after: u64, limit: usize) -> (u64, String) {
    let (mut last, mut payload) = (after, String::new());
    for segment in segments {
        let Some(room) = limit.checked_sub(payload.len()).filter(|room| *room > 0) else { break };
        if !payload.is_empty() {
            payload.push('\n');
        }
        match segment {
            Segment::Event { seq, json } => {
                encode_event(*seq, json, &mut payload);
                last = *seq;
            }
            Segment::Text(text) => {
                last = encode_text(text, after, room, &mut payload);
                if last < segment.last_seq() {
                    break;
                }
            }
        }
    }
    (last, payload)
}

fn encode_event(seq: u64, json: &[u8], payload: &mut String) {
    let json = std::str::from_utf8(json).expect("events are written as UTF-8");
    let _ = write!(payload, r#"{{"seq":{seq},"event":{json}}}"#);
}

/// At least one delta, and as many as `limit` bytes of text hold. Answers the last one's number.
fn encode_text(segment: &TextSegment, after: u64, limit: usize, payload: &mut String) -> u64 {
    let skipped = segment.deltas_up_to(after);
    let start = skipped.checked_sub(1).map_or(0, |last| segment.ends[last]);
    let rest = &segment.ends[skipped..];
    let taken = rest.partition_point(|end| ((end - start) as usize) <= limit).max(1);
    let ends: Vec<u32> = rest[..taken].iter().map(|end| end - start).collect();
    let seq = segment.first_seq + skipped as u64;
    let text = &segment.text[start as usize..rest[taken - 1] as usize];
    let _ = write!(
        payload,
        r#"{{"seq":{seq},"item_id":"{}","content_index":{},"ends":{ends:?},"text":"{text}"}}"#,
        segment.item_id, segment.content_index,
    );
    seq + taken as u64 - 1
}

/// Reads stored events.
pub(super) fn decode(payload: &str) -> Result<Vec<Segment>, UnreadableChunk> {
    payload.lines().map(decode_line).collect()
}

fn decode_line(line: &str) -> Result<Segment, UnreadableChunk> {
    let line: Line<'_> =
        serde_json::from_str(line).map_err(|error| UnreadableChunk(Some(error)))?;
    if !(1..=MAX_SEQ).contains(&line.seq) {
        return Err(UnreadableChunk(None));
    }
    if let Some(event) = line.event {
        // White space in JSON, and the end of a line for readers of event streams.
        if event.get().contains('\r') {
            return Err(UnreadableChunk(None));
        }
        let json = Bytes::copy_from_slice(event.get().as_bytes());
        return Ok(Segment::Event { seq: line.seq, json });
    }
    let (Some(item_id), Some(text)) = (line.item_id, line.text) else {
        return Err(UnreadableChunk(None));
    };
    let Some(text) = text.get().strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
        return Err(UnreadableChunk(None));
    };
    let text = text.to_owned();
    let is_sound = line.ends.last().is_some_and(|end| *end as usize == text.len())
        && line.ends.is_sorted()
        && line.ends.iter().all(|end| text.is_char_boundary(*end as usize));
    if !is_sound {
        return Err(UnreadableChunk(None));
    }
    let mut segment = TextSegment::new(line.seq, item_id, line.content_index);
    (segment.text, segment.ends) = (text, line.ends);
    Ok(Segment::Text(segment))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(seq: u64) -> String {
        let id = ItemId::UNKNOWN;
        format!(r#"{{"seq":{seq},"item_id":"{id}","content_index":0,"ends":[1],"text":"a"}}"#)
    }

    #[test]
    fn events_whose_numbers_cannot_be_counted_on_are_unreadable() {
        for seq in [0, u64::MAX, u64::MAX - 1] {
            assert!(decode(&text(seq)).is_err(), "{seq}");
            assert!(decode(&format!(r#"{{"seq":{seq},"event":{{}}}}"#)).is_err(), "{seq}");
        }
        assert!(decode(&text(1)).is_ok());
    }

    #[test]
    fn an_event_with_the_end_of_a_line_in_it_is_unreadable() {
        assert!(decode("{\"seq\":1,\"event\":{\r\"a\":1}}").is_err());
        assert!(decode("{\"seq\":1,\"event\":{\"a\":\"\\r\"}}").is_ok());
    }
}
