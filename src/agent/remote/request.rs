//! What the agent is sent. `docs/remote-agent.schema.json` describes it.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    agent::WidgetAction,
    protocol::{
        RunId, ThreadId, ThreadItem, ThreadStatus, Timestamp, UserId, item::InferenceOptions,
        request::Action,
    },
    store::record::ThreadRecord,
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
    pub(super) user_id: &'a UserId,
    pub(super) thread: Thread<'a>,
    /// The newest of what was said, oldest first, hidden items and the input included.
    pub(super) items: Vec<&'a ThreadItem>,
    /// What is answered; null for an action.
    pub(super) input: Option<&'a ThreadItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) action: Option<GivenAction<'a>>,
    pub(super) options: &'a InferenceOptions,
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
pub(super) struct Thread<'a> {
    id: ThreadId,
    title: &'a Option<String>,
    status: &'a ThreadStatus,
    metadata: &'a Map<String, Value>,
    created_at: Timestamp,
}

/// Something that was done with a widget.
#[derive(Debug, Serialize)]
pub(super) struct GivenAction<'a> {
    #[serde(flatten)]
    action: &'a Action,
    /// The widget's item; null for an action of the page.
    sender: Option<&'a ThreadItem>,
}

pub(super) fn thread(thread: &ThreadRecord) -> Thread<'_> {
    Thread {
        id: thread.id,
        title: &thread.title,
        status: &thread.status,
        metadata: &thread.metadata,
        created_at: thread.created_at,
    }
}

pub(super) fn action(given: &WidgetAction) -> GivenAction<'_> {
    GivenAction { action: &given.action, sender: given.sender.as_ref() }
}
