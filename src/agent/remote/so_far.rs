//! What has happened in the thread, for the further turns of a run: its own part is not stored yet.

use crate::{
    agent::AgentEvent,
    protocol::{RunId, ThreadEvent, ThreadItem},
    store::record::{History, ItemRecord, ItemStatus, ToolCallRecord},
};

/// Takes what happens.
pub(super) fn take(history: &mut History, event: &AgentEvent, run_id: RunId) {
    match event {
        AgentEvent::Thread(ThreadEvent::ItemDone { item } | ThreadEvent::ItemReplaced { item }) => {
            put_item(history, item, run_id);
        }
        AgentEvent::Thread(ThreadEvent::ItemRemoved { item_id }) => {
            history.items.retain(|record| record.item.id != *item_id);
        }
        AgentEvent::ToolCalls { calls, workflow } => {
            put_item(history, workflow, run_id);
            for call in calls {
                put_call(&mut history.tool_calls, call);
            }
        }
        _ => {}
    }
}

fn put_item(history: &mut History, item: &ThreadItem, run_id: RunId) {
    match history.items.iter_mut().find(|record| record.item.id == item.id) {
        Some(known) => known.item = item.clone(),
        None => history.items.push(ItemRecord {
            item: item.clone(),
            status: ItemStatus::Complete,
            run_id: Some(run_id),
        }),
    }
}

fn put_call(calls: &mut Vec<ToolCallRecord>, call: &ToolCallRecord) {
    let is_it = |known: &&mut ToolCallRecord| {
        (known.run_id, known.position) == (call.run_id, call.position)
    };
    match calls.iter_mut().find(is_it) {
        Some(known) => *known = call.clone(),
        None => calls.push(call.clone()),
    }
}
