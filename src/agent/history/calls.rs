//! Where the calls of tools stand.

use crate::{
    protocol::ItemId,
    store::record::{History, ItemRecord, ToolCallRecord, ToolCallState},
    upstream::InputItem,
};

/// What the model is told of a tool call of which nobody knows whether it acted.
pub(in crate::agent) const UNKNOWN_OUTCOME: &str =
    "Error: the outcome of this call is unknown, because the server stopped while it ran.";

/// What the model is told of a call about which the user is being asked.
const NOT_DECIDED: &str = "This call has not been made: the user has not decided about it yet.";

/// The calls of a history, each in its place: behind the item that shows them.
///
/// A workflow that was left open for a call of the page's has calls of the next run, too, which
/// the page's answer led to: those stand behind that call.
pub(super) struct Calls<'a> {
    all: &'a [ToolCallRecord],
    deferred: Vec<&'a ToolCallRecord>,
}

impl<'a> Calls<'a> {
    pub(super) fn of(history: &'a History) -> Self {
        Self { all: &history.tool_calls, deferred: Vec::new() }
    }

    pub(super) fn are_shown_in(&self, item: ItemId) -> bool {
        self.all.iter().any(|call| call.item_id == item)
    }

    /// Adds those of an item, as far as the run that made it made them.
    pub(super) fn add(&mut self, record: &ItemRecord, input: &mut Vec<InputItem>) {
        let calls = self.all.iter().filter(|call| call.item_id == record.item.id);
        let is_own =
            |call: &&ToolCallRecord| record.run_id.is_none_or(|run_id| call.run_id == run_id);
        let (own, of_next): (Vec<_>, Vec<_>) = calls.partition(is_own);
        add_turns(&own, input);
        self.deferred.extend(of_next);
    }

    /// Adds those of the run that the page's answer began.
    pub(super) fn add_deferred(&mut self, input: &mut Vec<InputItem>) {
        add_turns(&std::mem::take(&mut self.deferred), input);
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
            output: output(call),
        }));
    }
}

/// What a call gave, for the model.
pub(in crate::agent) fn output(call: &ToolCallRecord) -> String {
    call.output.clone().unwrap_or_else(|| match call.state {
        ToolCallState::Waiting => NOT_DECIDED.to_owned(),
        _ => UNKNOWN_OUTCOME.to_owned(),
    })
}
