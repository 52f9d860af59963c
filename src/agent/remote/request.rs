//! What the agent is sent. `docs/remote-agent.schema.json` describes it.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    agent::{WidgetAction, history},
    protocol::{
        Claims, ItemId, RunId, ThreadId, ThreadItem, ThreadStatus, Timestamp, UserId,
        item::InferenceOptions, request::Action,
    },
    store::record::{ThreadRecord, ToolCallRecord, ToolCallState},
    tools::ToolSpec,
};

/// The version of the form. Members may be added without another.
pub(super) const VERSION: u32 = 1;

/// A turn.
#[derive(Debug, Serialize)]
pub(super) struct Request<'a> {
    pub(super) version: u32,
    #[serde(rename = "type")]
    pub(super) kind: Kind,
    pub(super) run_id: RunId,
    /// Which turn of the run, from 0: each that follows has what tools gave since.
    pub(super) turn: u32,
    pub(super) user_id: &'a UserId,
    /// What the login said of the user, as far as gateway.toml lets the agent know.
    pub(super) claims: &'a Claims,
    pub(super) thread: Thread,
    /// The newest of what was said, oldest first, hidden items and the input included.
    pub(super) items: Vec<&'a ThreadItem>,
    /// What is answered; null for an action.
    pub(super) input: Option<&'a ThreadItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) action: Option<GivenAction<'a>>,
    pub(super) options: &'a InferenceOptions,
    /// The gateway's tools that the agent may call.
    pub(super) tools: Vec<Tool<'a>>,
    /// Calls of them that stand in `items`, oldest first.
    pub(super) tool_calls: Vec<ToolCall<'a>>,
    /// When the gateway will stop the run.
    pub(super) deadline: Timestamp,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// An answer to the input.
    Respond,
    /// What follows from something that was done with a widget.
    Action,
}

/// The thread, with the metadata that clients never see.
#[derive(Debug, Serialize)]
pub(super) struct Thread {
    id: ThreadId,
    title: Option<String>,
    status: ThreadStatus,
    metadata: Map<String, Value>,
    created_at: Timestamp,
}

/// A tool, as models are told of it.
#[derive(Debug, Serialize)]
pub(super) struct Tool<'a> {
    name: &'a str,
    description: &'a str,
    parameters: &'a Value,
}

/// A call of a tool, and what came of it.
#[derive(Debug, Serialize)]
pub(super) struct ToolCall<'a> {
    run_id: RunId,
    /// Calls of one turn were made at the same time.
    turn: u32,
    /// What shows it.
    item_id: ItemId,
    call_id: &'a str,
    name: &'a str,
    arguments: &'a str,
    status: ToolCallState,
    /// For a model: also where the call has not been made, or nobody knows.
    output: String,
}

/// Something that was done with a widget.
#[derive(Debug, Serialize)]
pub(super) struct GivenAction<'a> {
    #[serde(flatten)]
    action: &'a Action,
    /// The widget's item; null for an action of the page.
    sender: Option<&'a ThreadItem>,
}

impl From<ThreadRecord> for Thread {
    fn from(thread: ThreadRecord) -> Self {
        let ThreadRecord { id, title, status, metadata, created_at, .. } = thread;
        Self { id, title, status, metadata, created_at }
    }
}

pub(super) fn tool(tool: &ToolSpec) -> Tool<'_> {
    Tool { name: &tool.name, description: &tool.description, parameters: &tool.parameters }
}

pub(super) fn tool_call(call: &ToolCallRecord) -> ToolCall<'_> {
    ToolCall {
        run_id: call.run_id,
        turn: call.turn,
        item_id: call.item_id,
        call_id: &call.call_id,
        name: &call.name,
        arguments: &call.arguments,
        status: call.state,
        output: history::output(call),
    }
}

pub(super) fn action(given: &WidgetAction) -> GivenAction<'_> {
    GivenAction { action: &given.action, sender: given.sender.as_ref() }
}
