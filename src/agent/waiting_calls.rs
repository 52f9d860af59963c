//! Calls that wait for the user: a tool that asks for consent, or asks questions. As with a tool of
//! the page the run ends with the question, and the answer begins another.

use crate::{
    protocol::{
        ItemKind, ThreadEvent, ThreadItem,
        confirmation::{self, Confirmation, Settled},
        item::{StructuredInputItem, StructuredInputStatus},
    },
    store::record::{History, ToolCallRecord, ToolCallState},
    tools::{Asks, ToolOutput, ToolRegistry, registry::parse_object},
    upstream::FunctionCall,
};

use super::{AgentEvent, Turn, bridge::Bridge, client_calls::ClientCall};

/// How many calls of one answer the user is asked about.
const MAX_WAITING: usize = 8;
/// What the model is told of more of them.
const TOO_MANY: &str = "Error: this call was not made, because the user is asked about as many others \
     as can be asked about at a time. Call it again if it is still needed.";
/// What it is told of calls of the page's tools in the same answer.
const NOT_NOW: &str = "Error: this call was not made, because the user had to be asked about another \
     one first. Call it again if it is still needed.";

/// A call that waits for the user.
pub(super) struct WaitingCall {
    call: FunctionCall,
    asks: Asks,
}

impl WaitingCall {
    /// A call, if its tool asks. One with broken arguments does not: the tool refuses it.
    pub(super) fn of(call: &FunctionCall, tools: &ToolRegistry) -> Option<Self> {
        let tool = tools.find(&call.name)?;
        let asks = tool.asks(&parse_object(&call.arguments).ok()?)?;
        Some(Self { call: call.clone(), asks })
    }
}

/// Asks the user about each of the calls, by an item of its own. Calls of the page's tools and
/// those that are too many are kept as failed behind the first of the items, so that each call in
/// the history has an output. `at` is the number of the model turn and of the first call in the run.
pub(super) fn ask(
    turn: &Turn,
    tools: &ToolRegistry,
    bridge: &mut Bridge,
    at: (u32, u32),
    mut waiting: Vec<WaitingCall>,
    client: Vec<ClientCall>,
) -> Vec<AgentEvent> {
    let (number, first_position) = at;
    let mut positions = first_position..;
    let mut record =
        |call: &FunctionCall, item: &ThreadItem, refused: Option<&str>| ToolCallRecord {
            run_id: turn.run_id,
            position: positions.next().unwrap_or(u32::MAX),
            turn: number,
            item_id: item.id,
            call_id: call.call_id.clone(),
            name: call.name.clone(),
            arguments: call.arguments.clone(),
            state: if refused.is_some() { ToolCallState::Failed } else { ToolCallState::Waiting },
            output: refused.map(str::to_owned),
        };
    let too_many = waiting.split_off(waiting.len().min(MAX_WAITING));
    let mut refused: Vec<(FunctionCall, &str)> =
        too_many.into_iter().map(|waiting| (waiting.call, TOO_MANY)).collect();
    refused.extend(client.into_iter().map(|client| (client.call, NOT_NOW)));
    let mut out = Vec::new();
    for WaitingCall { call, asks } in waiting {
        let item = Box::new(bridge.new_item(question(turn, tools, &call, asks)));
        let mut calls = vec![record(&call, &item, None)];
        calls.extend(refused.drain(..).map(|(call, why)| record(&call, &item, Some(why))));
        out.push(AgentEvent::ToolCalls { calls, workflow: item.clone() });
        out.push(ThreadEvent::ItemDone { item }.into());
    }
    out
}

fn question(turn: &Turn, tools: &ToolRegistry, call: &FunctionCall, asks: Asks) -> ItemKind {
    match asks {
        Asks::Consent => {
            let tool = tools.find(&call.name);
            let title = tool.map_or(call.name.as_str(), |tool| tool.spec().title.as_str());
            let server = tool.and_then(|tool| tool.server());
            let (name, call_id, arguments) = (&call.name, &call.call_id, &call.arguments);
            let run_id = turn.run_id;
            let asked = Confirmation { title, name, server, run_id, call_id, arguments };
            ItemKind::Widget(asked.widget())
        }
        Asks::Questions(inputs) => {
            let status = StructuredInputStatus::Pending;
            ItemKind::StructuredInput(StructuredInputItem { status, inputs })
        }
    }
}

/// The call that the user has just agreed to: nobody else makes it, since the run that decides about
/// it is begun once.
pub(super) fn approved(turn: &Turn, history: &History) -> Option<(ThreadItem, ToolCallRecord)> {
    let item = turn.input.as_ref().filter(|item| matches!(item.kind, ItemKind::Widget(_)))?;
    let is_it =
        |call: &&ToolCallRecord| call.item_id == item.id && call.state == ToolCallState::Started;
    let call = history.tool_calls.iter().find(is_it)?;
    Some((item.clone(), call.clone()))
}

/// Takes what an approved call gave, and says so in its widget.
pub(super) fn end(item: &mut ThreadItem, call: &mut ToolCallRecord, output: &ToolOutput) {
    let (state, settled) = if output.is_error {
        (ToolCallState::Failed, Settled::Failed)
    } else {
        (ToolCallState::Completed, Settled::Done)
    };
    (call.state, call.output) = (state, Some(output.text.clone()));
    if let ItemKind::Widget(widget) = &mut item.kind {
        confirmation::settle(widget, settled);
    }
}

/// Whether the user is still being asked something, so that the model is not asked yet: about a
/// call, or for a tool since the newest message.
pub(super) fn is_undecided(history: &History) -> bool {
    let items = history.items.iter().rev().map(|record| &record.item.kind);
    let is_asking = |kind: &ItemKind| match kind {
        ItemKind::StructuredInput(asked) => asked.status == StructuredInputStatus::Pending,
        _ => false,
    };
    history.tool_calls.iter().any(|call| call.state == ToolCallState::Waiting)
        || items.take_while(|kind| !matches!(kind, ItemKind::UserMessage(_))).any(is_asking)
}

/// The model turn of a run that an answer begins. It goes on with the run that asked: otherwise the
/// bound on the turns of a run would begin anew with each question.
pub(super) fn next_turn(turn: &Turn, history: &History) -> u32 {
    let Some(item) = &turn.input else { return 0 };
    let asking = history.tool_calls.iter().filter(|call| call.item_id == item.id);
    let is_answer = !matches!(item.kind, ItemKind::UserMessage(_));
    asking.map(|call| call.turn + 1).filter(|_| is_answer).max().unwrap_or(0)
}
