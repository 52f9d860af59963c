//! The calls of one model turn, as they are kept and shown.

use std::collections::BTreeSet;

use crate::{
    protocol::ThreadEvent,
    store::record::{ToolCallRecord, ToolCallState},
    tools::{ToolOutput, ToolRegistry},
    upstream::{FunctionCall, InputItem},
};

use super::{
    Turn,
    bridge::{Bridge, hosted::brief},
    history::UNKNOWN_OUTCOME,
};

/// How much of a call's arguments is shown, in characters.
const BRIEF: usize = 200;

/// The calls of one model turn.
pub(super) struct ToolTurn {
    /// As they are kept.
    pub(super) records: Vec<ToolCallRecord>,
    titles: Vec<String>,
    /// The place of each call's task in the workflow.
    places: Vec<usize>,
    /// Calls that are not to be made: another process made them, or may have.
    settled: BTreeSet<usize>,
}

impl ToolTurn {
    /// Shows the calls in the workflow and makes their records. `number` is that of the model
    /// turn, `first_position` that of the first call, both in the run.
    pub(super) fn begin(
        turn: &Turn,
        tools: &ToolRegistry,
        number: u32,
        first_position: u32,
        calls: &[FunctionCall],
        bridge: &mut Bridge,
        out: &mut Vec<ThreadEvent>,
    ) -> Self {
        let title_of = |call: &FunctionCall| {
            tools
                .find(&call.name)
                .map_or_else(|| call.name.clone(), |tool| tool.spec().title.clone())
        };
        let titles: Vec<String> = calls.iter().map(title_of).collect();
        let (mut places, mut records) = (Vec::new(), Vec::new());
        for ((call, title), position) in calls.iter().zip(&titles).zip(first_position..) {
            let (item_id, place) = bridge.start_tool(title, brief(&call.arguments, BRIEF), out);
            places.push(place);
            records.push(ToolCallRecord {
                run_id: turn.run_id,
                position,
                turn: number,
                item_id,
                call_id: call.call_id.clone(),
                name: call.name.clone(),
                arguments: call.arguments.clone(),
                state: ToolCallState::Started,
                output: None,
            });
        }
        Self { records, titles, places, settled: BTreeSet::new() }
    }

    /// What is said while the calls run.
    pub(super) fn progress(&self) -> ThreadEvent {
        ThreadEvent::ProgressUpdate { icon: None, text: self.titles.join(", ") }
    }

    /// Takes what a call gave, and shows that it has ended.
    pub(super) fn end(
        &mut self,
        call: usize,
        output: ToolOutput,
        bridge: &mut Bridge,
        out: &mut Vec<ThreadEvent>,
    ) {
        let record = &mut self.records[call];
        record.state =
            if output.is_error { ToolCallState::Failed } else { ToolCallState::Completed };
        record.output = Some(output.text);
        self.show_end(call, bridge, out);
    }

    /// Shows that a call has ended.
    pub(super) fn show_end(&self, call: usize, bridge: &mut Bridge, out: &mut Vec<ThreadEvent>) {
        bridge.end_tool(self.records[call].item_id, self.places[call], out);
    }

    /// Takes over what another process began. A call that it did not see the end of is made again
    /// only if that can do no harm.
    pub(super) fn take_begun(&mut self, begun: Vec<ToolCallRecord>, tools: &ToolRegistry) {
        for before in begun {
            let same = |record: &ToolCallRecord| record.position == before.position;
            let Some(call) = self.records.iter().position(same) else { continue };
            let may_repeat = || {
                let spec = tools.find(&before.name).map(|tool| tool.spec());
                spec.is_some_and(|spec| spec.read_only || spec.idempotent)
            };
            if before.state != ToolCallState::Started || !may_repeat() {
                let record = &mut self.records[call];
                (record.state, record.output) = (before.state, before.output);
                self.settled.insert(call);
            }
        }
    }

    /// Whether a call is not to be made.
    pub(super) fn is_settled(&self, call: usize) -> bool {
        self.settled.contains(&call)
    }

    /// The calls that are not to be made.
    pub(super) fn settled(&self) -> impl Iterator<Item = usize> + use<'_> {
        self.settled.iter().copied()
    }

    /// What the calls gave, for the model.
    pub(super) fn outputs(&self) -> impl Iterator<Item = InputItem> {
        self.records.iter().map(|call| InputItem::FunctionCallOutput {
            call_id: call.call_id.clone(),
            output: call.output.clone().unwrap_or_else(|| UNKNOWN_OUTCOME.to_owned()),
        })
    }
}
