//! The calls of one model turn, as they are kept and shown.

use crate::{
    protocol::ThreadEvent,
    store::record::{ToolCallRecord, ToolCallState},
    tools::{ToolOutput, ToolRegistry},
    upstream::{FunctionCall, InputItem},
};

use super::{
    Turn,
    bridge::{Bridge, hosted::brief},
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
        Self { records, titles, places }
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
        bridge.end_tool(record.item_id, self.places[call], out);
    }

    /// What the calls gave, for the model.
    pub(super) fn outputs(&self) -> impl Iterator<Item = InputItem> {
        self.records.iter().map(|call| InputItem::FunctionCallOutput {
            call_id: call.call_id.clone(),
            output: call.output.clone().unwrap_or_default(),
        })
    }
}
