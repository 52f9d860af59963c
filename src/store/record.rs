//! What goes into the store and comes out of it. Plain data: ids and times are made by the caller.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::protocol::{
    Attachment, AttachmentId, ItemId, RunId, ThreadId, ThreadItem, ThreadStatus, Timestamp, UserId,
};

/// An empty thread to be inserted.
#[derive(Clone, Debug, PartialEq)]
pub struct NewThread {
    /// Its identifier.
    pub id: ThreadId,
    /// Whose it is.
    pub user_id: UserId,
    /// Its title.
    pub title: Option<String>,
    /// When it is made; also the time of its last change.
    pub now: Timestamp,
}

/// A thread.
#[derive(Clone, Debug, PartialEq)]
pub struct ThreadRecord {
    /// Its identifier.
    pub id: ThreadId,
    /// Whose it is.
    pub user_id: UserId,
    /// Its title.
    pub title: Option<String>,
    /// Whether it takes messages.
    pub status: ThreadStatus,
    /// Hosts from which widgets may show images.
    pub allowed_image_domains: Option<Vec<String>>,
    /// Private to the agent.
    pub metadata: Map<String, Value>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was put away.
    pub archived_at: Option<Timestamp>,
    /// How many items a client sees, kept by the store with each write.
    pub message_count: u64,
    /// The run that is queued or running.
    pub active_run_id: Option<RunId>,
}

/// What to change in a thread; `None` leaves as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ThreadPatch {
    /// Another title; `Some(None)` takes it away.
    pub title: Option<Option<String>>,
    /// Put away at that time, or taken back.
    pub archived_at: Option<Option<Timestamp>>,
    /// Another status.
    pub status: Option<ThreadStatus>,
    /// Other domains.
    pub allowed_image_domains: Option<Option<Vec<String>>>,
    /// Other metadata, whole.
    pub metadata: Option<Map<String, Value>>,
}

impl ThreadPatch {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How an item ended, or that it has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// Where a run is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

/// The thread that a run is to answer in.
#[derive(Clone, Debug, PartialEq)]
pub enum RunThread {
    /// A new one, made with the run.
    New(NewThread),
    /// One of the user's.
    Existing(ThreadId),
}

impl RunThread {
    /// Its identifier.
    pub fn id(&self) -> ThreadId {
        match self {
            Self::New(thread) => thread.id,
            Self::Existing(id) => *id,
        }
    }
}

/// A client's promise that two requests are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The route that it was sent to.
    pub route: String,
    /// The key.
    pub key: String,
    /// SHA-256 of the request, to tell another request with the same key.
    pub fingerprint: Vec<u8>,
    /// Keys older than this are as good as deleted.
    pub not_before: Timestamp,
}

/// A run to be accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRun {
    /// Its identifier.
    pub id: RunId,
    /// Whose it is.
    pub user_id: UserId,
    /// Where it answers.
    pub thread: RunThread,
    /// Items to insert, or to replace in place when their id is there.
    pub items: Vec<ThreadItem>,
    /// Delete every item after this one first; the run is refused when it is not in the thread.
    pub delete_after: Option<ItemId>,
    /// Items to delete first.
    pub delete_items: Vec<ItemId>,
    /// What must still be in the thread as it was read; the run is refused otherwise.
    pub expected: Option<ExpectedItem>,
    /// Whether client tool calls that wait for an answer are given up, since the user went on.
    pub abandon_calls: bool,
    /// The user's attachments to bind to the thread; the run is refused when one of them is not
    /// there or in another thread.
    pub attachments: Vec<AttachmentId>,
    /// The key that it was posted with.
    pub idempotency: Option<IdempotencyKey>,
    /// Who may write for it.
    pub lease: Lease,
    /// When it is accepted.
    pub now: Timestamp,
}

impl NewRun {
    /// A run that changes nothing in its thread yet.
    pub fn new(user_id: UserId, thread: RunThread, lease: Lease, now: Timestamp) -> Self {
        Self {
            id: RunId::new(),
            user_id,
            thread,
            items: Vec::new(),
            delete_after: None,
            delete_items: Vec::new(),
            expected: None,
            abandon_calls: false,
            attachments: Vec::new(),
            idempotency: None,
            lease,
            now,
        }
    }
}

/// An item that must not have changed since it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectedItem {
    /// The item as it was read.
    pub item: ThreadItem,
    /// Whether it must also be the thread's newest.
    pub is_newest: bool,
}

/// What came of accepting a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Begun {
    /// It is stored; the thread as it is now.
    Started(Box<ThreadRecord>),
    /// The thread has a run already.
    Busy(RunId),
    /// The key was used for the same request, which made this run.
    Replay(RunId, ThreadId),
    /// The key was used for another request.
    KeyReused,
    /// The thread, the item to delete after, or an attachment is not the user's.
    NotFound,
    /// The expected item is another now, or gone.
    Changed,
}

/// Tokens used, summed over the model calls of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// Where a tool call is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToolCallState {
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
            Self::Started => "started",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// From the database.
    pub fn from_stored(state: &str) -> Option<Self> {
        Some(match state {
            "started" => Self::Started,
            "completed" => Self::Completed,
            "failed" => Self::Failed,
            _ => return None,
        })
    }
}

/// A call of a server-side tool, kept so that the model sees it in later turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCallRecord {
    /// The run that made it. Together with `position` its key.
    pub run_id: RunId,
    /// Its number in the run, from 0.
    pub position: u32,
    /// Which model turn of the run asked for it, from 0: calls of one turn are parallel.
    pub turn: u32,
    /// The workflow item that shows it, behind which it stands in the history.
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
    /// Tool calls that began or ended.
    pub tool_calls: Vec<ToolCallRecord>,
    /// What changed in the thread.
    pub thread: ThreadPatch,
    /// The end.
    pub end: Option<RunEnd>,
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

/// A login session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its identifier, in every token of it.
    pub sid: String,
    /// Whose it is.
    pub user_id: UserId,
    /// When the user logged in.
    pub auth_time: Timestamp,
    /// The identifier of the newest token.
    pub current_jti: String,
    /// The identifier of the token before.
    pub previous_jti: Option<String>,
    /// When the newest token was made.
    pub rotated_at: Timestamp,
    /// When the session was ended.
    pub revoked_at: Option<Timestamp>,
}

/// What a user attached, or is about to attach, to a message.
#[derive(Clone, Debug, PartialEq)]
pub struct AttachmentRecord {
    /// As clients see it. Its thread is that of the message that it came with.
    pub attachment: Attachment,
    /// Whose it is.
    pub user_id: UserId,
    /// Private to the place of the files.
    pub metadata: Map<String, Value>,
    /// When it was announced.
    pub created_at: Timestamp,
}

/// A task to be inserted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTask {
    /// What is to be done.
    pub title: String,
    /// More about it.
    pub description: Option<String>,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// Its number.
    pub id: i64,
    /// What is to be done.
    pub title: String,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it is done.
    pub completed: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What to change in a task; `None` leaves as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskPatch {
    /// Another title.
    pub title: Option<String>,
    /// Another description; `Some(None)` takes it away.
    pub description: Option<Option<String>>,
    /// Done or not.
    pub completed: Option<bool>,
}

/// Which tasks to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskFilter {
    /// Every one.
    #[default]
    All,
    /// Those to be done.
    Pending,
    /// Those that are done.
    Completed,
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
            end: None,
            now: Timestamp::now(),
        }
    }
}

impl ThreadPatch {
    /// Takes over what `later` changes.
    pub fn merge(&mut self, later: Self) {
        let Self { title, archived_at, status, allowed_image_domains, metadata } = later;
        self.title = title.or(self.title.take());
        self.archived_at = archived_at.or(self.archived_at.take());
        self.status = status.or(self.status.take());
        self.allowed_image_domains = allowed_image_domains.or(self.allowed_image_domains.take());
        self.metadata = metadata.or(self.metadata.take());
    }
}

impl From<&ThreadRecord> for crate::protocol::Thread {
    /// The thread as clients see it, without its items.
    fn from(record: &ThreadRecord) -> Self {
        Self {
            title: record.title.clone(),
            id: record.id,
            created_at: record.created_at,
            status: record.status.clone(),
            allowed_image_domains: record.allowed_image_domains.clone(),
            metadata: crate::protocol::thread::EmptyObject {},
            items: crate::protocol::Page::empty(),
        }
    }
}
