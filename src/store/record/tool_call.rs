//! Calls of the server's tools.

use serde::{Deserialize, Serialize};

use crate::protocol::{ItemId, RunId};

/// Where a tool call is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToolCallState {
    /// Not begun: the user is asked about it, and its item says what.
    Waiting,
    /// Begun; nobody knows whether it acted.
    Started,
    /// It gave a result.
    Completed,
    /// It failed, with an error for the model.
    Failed,
}

impl ToolCallState {
    /// As it stands in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Started => "started",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// From the database.
    pub fn from_stored(state: &str) -> Option<Self> {
        Some(match state {
            "waiting" => Self::Waiting,
            "started" => Self::Started,
            "completed" => Self::Completed,
            "failed" => Self::Failed,
            _ => return None,
        })
    }
}

/// What the model is told of a call about which the user was asked in vain.
pub const GIVEN_UP: &str =
    "The user went on without answering. This call was not made: do not repeat it unasked.";

/// A call of a server-side tool, kept so that the model sees it in later turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCallRecord {
    /// The run that made it. Together with `position` its key.
    pub run_id: RunId,
    /// Its number in the run, from 0.
    pub position: u32,
    /// Which model turn of the run asked for it, from 0: calls of one turn are parallel.
    pub turn: u32,
    /// The workflow that shows it, the client tool call of the same answer, or what the user is
    /// asked about it: behind that item it stands in the history.
    pub item_id: ItemId,
    /// The model's identifier of the call.
    pub call_id: String,
    /// The tool.
    pub name: String,
    /// Its arguments, JSON as the model wrote it.
    pub arguments: String,
    /// Where it is in its life.
    pub state: ToolCallState,
    /// What the model was told.
    pub output: Option<String>,
}
