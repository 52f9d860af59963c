//! Threads.

use serde_json::{Map, Value};

use crate::protocol::{RunId, ThreadId, ThreadStatus, Timestamp, UserId};

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
