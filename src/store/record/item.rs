//! The items of threads.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::protocol::{ItemKind, RunId, ThreadItem};

use super::ToolCallRecord;

/// How an item ended, or that it has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ItemStatus {
    /// Whole.
    #[default]
    Complete,
    /// Still growing.
    Streaming,
    /// Its process died or was shut down.
    Interrupted,
    /// The user stopped it.
    Cancelled,
    /// The model or the agent failed in the middle of it.
    Failed,
}

impl ItemStatus {
    /// As it stands in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Streaming => "streaming",
            Self::Interrupted => "interrupted",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// From the database; rows of the older system have none and are complete.
    pub fn from_stored(status: Option<&str>) -> Option<Self> {
        Some(match status {
            None | Some("complete") => Self::Complete,
            Some("streaming") => Self::Streaming,
            Some("interrupted") => Self::Interrupted,
            Some("cancelled") => Self::Cancelled,
            Some("failed") => Self::Failed,
            Some(_) => return None,
        })
    }
}

/// A stored item.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemRecord {
    /// The item.
    pub item: ThreadItem,
    /// How it ended.
    pub status: ItemStatus,
    /// The run that made it.
    pub run_id: Option<RunId>,
}

impl ItemRecord {
    /// Whether calls of tools may stand in the history behind it: see [`ToolCallRecord::item_id`].
    pub fn shows_tool_calls(&self) -> bool {
        matches!(
            self.item.kind,
            ItemKind::Workflow { .. }
                | ItemKind::ClientToolCall(_)
                | ItemKind::Widget(_)
                | ItemKind::StructuredInput(_)
        )
    }
}

/// An item to be inserted, or to replace the one with its id in the same place of the thread.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemWrite {
    /// The item.
    pub item: ThreadItem,
    /// How it ended.
    pub status: ItemStatus,
}

/// A thread's newest items and the tool calls that belong to them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Oldest first, hidden ones included.
    pub items: Vec<ItemRecord>,
    /// In the order in which the model made them.
    pub tool_calls: Vec<ToolCallRecord>,
}
