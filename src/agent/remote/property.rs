//! Whatever a remote agent says, its items are of its thread and have names of ours, and its calls can be
//! told apart.

use std::collections::HashSet;

use super::answer::{Answer, Said};
use crate::{
    fuzz::comes_back,
    protocol::{ItemId, ThreadEvent, ThreadId},
    upstream::sse::Parser,
};

/// More than any answer of the tests.
const MAX_EVENT_BYTES: usize = 1 << 20;

/// The event stream of an answer. Answers whether it is whole.
pub(crate) fn remote_agent(mut stream: &[u8]) -> bool {
    let thread_id = ThreadId::from(uuid::Uuid::from_u128(7));
    let mut answer = Answer::in_thread(thread_id);
    let mut parser = Parser::new(MAX_EVENT_BYTES);
    let mut called = HashSet::new();
    let mut has_said = false;
    while let Ok(Some(data)) = parser.next(&mut stream) {
        let Ok(data) = std::str::from_utf8(data) else { return false };
        match answer.read(data) {
            Ok(Said::Event(event)) => check(&event, thread_id),
            Ok(Said::Calls(calls)) => {
                for call in calls {
                    assert!(called.insert(call.call_id), "a call_id names one call");
                }
            }
            Ok(Said::Thread(_) | Said::Usage(_) | Said::Nothing) => {}
            Err(_) => return false,
        }
        has_said = true;
    }
    has_said && answer.end().is_ok()
}

fn check(event: &ThreadEvent, thread_id: ThreadId) {
    match event {
        ThreadEvent::ItemAdded { item }
        | ThreadEvent::ItemDone { item }
        | ThreadEvent::ItemReplaced { item } => {
            assert_eq!(item.thread_id, thread_id);
            assert_ne!(item.id, ItemId::UNKNOWN);
        }
        ThreadEvent::ItemUpdated { item_id, .. } | ThreadEvent::ItemRemoved { item_id } => {
            assert_ne!(*item_id, ItemId::UNKNOWN);
        }
        _ => {}
    }
    comes_back(event);
}
