//! Accepting a run.

use crate::protocol::{AttachmentId, ItemId, RunId, ThreadId, ThreadItem, Timestamp, UserId};

use super::{Lease, NewThread, ThreadRecord, ToolCallRecord};

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
    /// Whether calls that wait for the page or the user are given up, since the user went on.
    pub abandon_calls: bool,
    /// Calls that waited for the user, as they are from now on: the run is refused when one of them
    /// waits no more. So of two answers to one question one counts.
    pub decided_calls: Vec<ToolCallRecord>,
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
            decided_calls: Vec::new(),
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
    /// The expected item is another now, or gone; or a call that was decided waits no more.
    Changed,
}
