//! Where the calls of tools stand.

use std::collections::VecDeque;

use crate::{
    protocol::ItemId,
    store::record::{History, ToolCallRecord},
    upstream::InputItem,
};

/// What the model is told of a tool call of which nobody knows whether it acted.
pub(super) const UNKNOWN_OUTCOME: &str =
    "Error: the outcome of this call is unknown, because the server stopped while it ran.";

/// The calls of a history, each in its place: behind the item that shows them.
///
/// A workflow that was left open for a call of the page's has calls of the next run, too, which
/// the page's answer led to: those stand behind that call.
pub(super) struct Calls<'a> {
    all: &'a [ToolCallRecord],
    deferred: VecDeque<&'a ToolCallRecord>,
}

impl<'a> Calls<'a> {
    pub(super) fn of(history: &'a History) -> Self {
        Self { all: &history.tool_calls, deferred: VecDeque::new() }
    }

    pub(super) fn are_shown_in(&self, item: ItemId) -> bool {
        self.all.iter().any(|call| call.item_id == item)
    }

    /// Adds those of an item.
    pub(super) fn add(&mut self, item: ItemId, input: &mut Vec<InputItem>) {
        let calls = self.all.iter().filter(|call| call.item_id == item);
        let mut of_first_run = Vec::new();
        for call in calls {
            let is_first = of_first_run
                .first()
                .is_none_or(|first: &&ToolCallRecord| first.run_id == call.run_id);
            if is_first && self.deferred.is_empty() {
                of_first_run.push(call);
            } else {
                self.deferred.push_back(call);
            }
        }
        add_turns(&of_first_run, input);
    }

    /// Adds those of the run that the page's answer began.
    pub(super) fn add_deferred(&mut self, input: &mut Vec<InputItem>) {
        let Some(run) = self.deferred.front().map(|call| call.run_id) else { return };
        let others = self.deferred.iter().position(|call| call.run_id != run);
        let calls: Vec<_> = self.deferred.drain(..others.unwrap_or(self.deferred.len())).collect();
        add_turns(&calls, input);
    }
}

/// The calls of one model turn together, then their outputs, then those of the next turn.
fn add_turns(calls: &[&ToolCallRecord], input: &mut Vec<InputItem>) {
    let same_turn =
        |a: &&ToolCallRecord, b: &&ToolCallRecord| (a.run_id, a.turn) == (b.run_id, b.turn);
    for turn in calls.chunk_by(same_turn) {
        input.extend(turn.iter().map(|call| InputItem::FunctionCall {
            call_id: call.call_id.clone(),
            name: call.name.clone(),
            arguments: call.arguments.clone(),
        }));
        input.extend(turn.iter().map(|call| InputItem::FunctionCallOutput {
            call_id: call.call_id.clone(),
            output: call.output.clone().unwrap_or_else(|| UNKNOWN_OUTCOME.to_owned()),
        }));
    }
}
