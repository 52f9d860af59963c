//! Where a turn can be gone on with after the death of its process: the beginning of an answer that
//! its provider keeps.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::{
    protocol::{ItemId, RunId, item::InferenceOptions},
    store::record::{History, ToolCallRecord},
};

use super::bridge::OpenWorkflow;

/// The beginning of a model's answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ResumePoint {
    /// The provider's name for the answer.
    pub(super) response_id: String,
    /// The number of the model turn in the run.
    pub(super) turn: u32,
    /// How many calls of tools the run has made.
    pub(super) calls_made: u32,
    /// The user's choice of model and tool.
    pub(super) options: InferenceOptions,
    /// The workflow that was open.
    pub(super) workflow: Option<OpenWorkflow>,
}

/// What was said before a model turn of a run, out of what is stored: without the items that the
/// turn itself made, nor its calls, which are given back.
pub(super) fn rewind(
    history: &mut History,
    run: RunId,
    turn: u32,
    made: &HashSet<ItemId>,
) -> Vec<ToolCallRecord> {
    let calls = std::mem::take(&mut history.tool_calls);
    let (later, before): (Vec<_>, Vec<_>) =
        calls.into_iter().partition(|call| call.run_id == run && call.turn >= turn);
    // What shows only calls of the turn would be told as something else.
    let is_later = |id: ItemId| {
        made.contains(&id)
            || (later.iter().any(|call| call.item_id == id)
                && before.iter().all(|call| call.item_id != id))
    };
    history.items.retain(|record| !is_later(record.item.id));
    history.tool_calls = before;
    later
}

#[cfg(test)]
mod tests;
