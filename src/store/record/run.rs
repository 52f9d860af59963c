//! Runs, and what is written for them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::protocol::{ItemId, RunId, ThreadId, Timestamp, UserId};

use super::{ItemWrite, ThreadPatch, ToolCallRecord};

/// Where a run is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Accepted, not yet begun.
    Queued,
    /// Under way.
    Running,
    /// The agent came to its end.
    Completed,
    /// The model or the agent failed.
    Failed,
    /// The user stopped it.
    Cancelled,
    /// Its process died or was shut down.
    Interrupted,
}

impl RunStatus {
    /// As it stands in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    /// From the database.
    pub fn from_stored(status: &str) -> Option<Self> {
        Some(match status {
            "queued" => Self::Queued,
            "running" => Self::Running,
            "completed" => Self::Completed,
            "failed" => Self::Failed,
            "cancelled" => Self::Cancelled,
            "interrupted" => Self::Interrupted,
            _ => return None,
        })
    }

    /// Whether it can change no more.
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// What a process asks of the one that drives a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopRequest {
    /// The user pressed Stop, or the run is not under way any more.
    Cancel,
    /// The user wrote something new: to give it up if nobody watches it.
    Supersede,
}

/// The right to write for a run, held by one process for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The process.
    pub owner: String,
    /// Rises with each take-over; a writer with an older one writes nothing.
    pub token: i64,
    /// For how long from now, by the database's clock.
    pub ttl: Duration,
}

/// Tokens used, summed over the model calls of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// Read by the model, cached ones included.
    pub input_tokens: u64,
    /// Of those, read from the provider's cache.
    #[serde(default)]
    pub cached_tokens: u64,
    /// Written by the model, reasoning included.
    pub output_tokens: u64,
    /// Of those, spent on reasoning.
    #[serde(default)]
    pub reasoning_tokens: u64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input_tokens += other.input_tokens;
        self.cached_tokens += other.cached_tokens;
        self.output_tokens += other.output_tokens;
        self.reasoning_tokens += other.reasoning_tokens;
    }
}

/// Why a run failed, as clients may know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunError {
    /// Stable.
    pub code: String,
    /// Readable.
    pub message: String,
}

/// A stored run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    /// Its identifier.
    pub id: RunId,
    /// Where it answers.
    pub thread_id: ThreadId,
    /// Whose it is.
    pub user_id: UserId,
    /// Where it is in its life.
    pub status: RunStatus,
    /// The current fencing token.
    pub lease_token: i64,
    /// Why it failed.
    pub error: Option<RunError>,
    /// Tokens used.
    pub usage: Option<Usage>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Where another process can go on with it, in the engine's own encoding; gone with its end.
    pub resume_point: Option<String>,
}

/// A stretch of a run's events as stored: numbers `first_seq` to `last_seq`, without gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventChunk {
    /// The number of its first event.
    pub first_seq: u64,
    /// The number of its last event.
    pub last_seq: u64,
    /// The events, in the log's own encoding.
    pub payload: String,
}

/// How a run ends.
#[derive(Clone, Debug, PartialEq)]
pub struct RunEnd {
    /// A terminal status.
    pub status: RunStatus,
    /// Why it failed.
    pub error: Option<RunError>,
    /// Tokens used.
    pub usage: Option<Usage>,
}

/// One run's part of a group commit: a checkpoint, a boundary, or the end.
#[derive(Clone, Debug, PartialEq)]
pub struct RunWrite {
    /// The run.
    pub run_id: RunId,
    /// Its thread.
    pub thread_id: ThreadId,
    /// The writer's right to write, renewed by the write.
    pub lease: Lease,
    /// Events since the last write.
    pub events: Option<EventChunk>,
    /// Items that began, grew or were completed.
    pub items: Vec<ItemWrite>,
    /// Items that went.
    pub removed: Vec<ItemId>,
    /// Tool calls that began or ended: of the run, or of an earlier one in its thread that asked the
    /// user about them.
    pub tool_calls: Vec<ToolCallRecord>,
    /// What changed in the thread.
    pub thread: ThreadPatch,
    /// Where another process can go on from now on; the last one stays when there is none.
    pub resume_point: Option<String>,
    /// The end.
    pub end: Option<RunEnd>,
    /// Tokens to be counted with its user's day, that of the write; with the end, once.
    pub tokens_used: Option<u64>,
    /// The time of the write: `ended_at` of the run, `updated_at` of the thread when items change.
    pub now: Timestamp,
}

/// What came of one run's part of a group commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// Written, and the lease renewed.
    Written,
    /// Nothing written: the run is another's, has ended, or is gone.
    LeaseLost,
    /// Nothing written, and the lease not renewed: the database refused it, for example because an
    /// item's id is used in another thread, and would again. The cause is in the log.
    Refused,
}

impl RunWrite {
    /// A write that changes nothing but the lease's end.
    pub fn new(run_id: RunId, thread_id: ThreadId, lease: Lease) -> Self {
        Self {
            run_id,
            thread_id,
            lease,
            events: None,
            items: Vec::new(),
            removed: Vec::new(),
            tool_calls: Vec::new(),
            thread: ThreadPatch::default(),
            resume_point: None,
            end: None,
            tokens_used: None,
            now: Timestamp::now(),
        }
    }
}
