//! Whatever a model's server sends, what becomes of it in the thread makes sense.

use std::{collections::HashSet, sync::Arc};

use super::Bridge;
use crate::{
    fuzz::comes_back,
    protocol::{ItemId, ThreadEvent, ThreadId, Timestamp},
    upstream::{ModelEvent, UpstreamError, chat_completions, property, responses, sse::Parser},
};

/// More than any answer of the tests.
const MAX_EVENT_BYTES: usize = 1 << 20;

/// An event stream of the Responses API.
pub(crate) fn responses(data: &[u8]) -> bool {
    let mut reader = responses::AnswerReader::new();
    answer(data, |data, out| {
        property::short_way_of_deltas(data);
        reader.feed(data, out)
    })
}

/// An event stream of Chat Completions.
pub(crate) fn chat_completions(data: &[u8]) -> bool {
    let mut reader = chat_completions::AnswerReader::new();
    answer(data, |data, out| {
        property::short_way_of_chunks(data);
        reader.feed(data, out)
    })
}

/// Answers whether the answer is whole.
fn answer(
    mut stream: &[u8],
    mut feed: impl FnMut(&str, &mut Vec<ModelEvent>) -> Result<(), UpstreamError>,
) -> bool {
    let length = stream.len();
    let mut parser = Parser::new(MAX_EVENT_BYTES);
    let mut bridge = Bridge::new(ThreadId::UNKNOWN, Arc::new(|| Timestamp::from_seconds(0)));
    bridge.begin_turn(0);
    let (mut said, mut events, mut is_finished, mut count) = (Vec::new(), Vec::new(), false, 0);
    while let Ok(Some(data)) = parser.next(&mut stream) {
        let Ok(data) = std::str::from_utf8(data) else { break };
        let taken = feed(data, &mut said);
        assert!(!is_finished || said.is_empty(), "nothing comes behind the end");
        count += said.len();
        for event in said.drain(..) {
            check_model_event(&event);
            is_finished |= matches!(event, ModelEvent::Finished { .. });
            bridge.feed(event, &mut events);
        }
        if taken.is_err() {
            break;
        }
    }
    bridge.finish(&mut events);
    // Each costs memory: a short answer must not become a long one.
    assert!(count <= length + 16, "{count} events of {length} bytes");
    assert!(events.len() <= 4 * length + 16, "{} events of {length} bytes", events.len());
    check_thread_events(&events);
    is_finished
}

fn check_model_event(event: &ModelEvent) {
    match event {
        ModelEvent::TextDelta { delta, .. } | ModelEvent::ReasoningDelta { delta, .. } => {
            assert!(!delta.is_empty(), "a delta is text");
        }
        ModelEvent::FunctionCall { call, .. } => {
            assert!(!call.call_id.is_empty(), "a call can be answered");
        }
        _ => {}
    }
}

/// An item is added, then it grows, then it is done; once.
fn check_thread_events(events: &[ThreadEvent]) {
    let (mut open, mut done) = (HashSet::<ItemId>::new(), HashSet::<ItemId>::new());
    for event in events {
        match event {
            ThreadEvent::ItemAdded { item } => {
                assert!(!done.contains(&item.id) && open.insert(item.id), "{event:?}");
            }
            ThreadEvent::ItemUpdated { item_id, .. } => {
                assert!(open.contains(item_id), "{event:?}");
            }
            ThreadEvent::ItemDone { item } => {
                open.remove(&item.id);
                assert!(done.insert(item.id), "{event:?}");
            }
            _ => {}
        }
        comes_back(event);
    }
}
