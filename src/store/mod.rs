//! Where everything is kept: one trait, two databases. The only home of `SQLx`.
//!
//! Threads are rows of `conversation` and items rows of `message`, names taken over from the
//! system that this one replaces; nothing outside this module knows them.
//!
//! **What the trait promises.** A method is one unit of work: it happens whole or not at all, even
//! when the caller's future is dropped half-way. Absence is not an error: look-ups return
//! `Option`. A look-up that takes a user finds only what is that user's.
//!
//! **What it alters.** U+0000, which PostgreSQL cannot hold, is kept as U+FFFD in all text and
//! JSON, by both databases. Everything else comes back as it was given, JSON byte for byte.
//!
//! [`open()`] picks the database by the URL. The two folders hold the same files with the same
//! functions in the same order, to be read side by side; what they share, and what is pure, stands
//! beside them: values to columns (`encode`), rows to records (`decode`), which items are new
//! (`upsert`), which run writes go together (`group`).

mod begin_queue;
mod decode;
mod encode;
mod error;
mod group;
mod migrations;
mod open;
pub mod postgres;
pub mod record;
pub mod sqlite;
mod upsert;

pub use open::{OpenError, OpenOptions, migrate, open};

use std::time::Duration;

use async_trait::async_trait;

use crate::protocol::{
    AttachmentId, ItemId, Order, Page, RunId, ThreadId, ThreadItem, Timestamp, UserId,
    request::FeedbackKind,
};
use record::{
    AttachmentRecord, Begun, Day, EventChunk, Expiry, History, IdempotencyKey, ItemRecord, NewRun,
    NewTask, NewThread, RunRecord, RunWrite, SessionRecord, StopRequest, TaskFilter, TaskPatch,
    TaskRecord, ThreadPatch, ThreadRecord, TokensUsed, ToolCallRecord, WriteOutcome,
};

/// An error of the layer below, kept as a source and never shown to clients.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The row exists already, or a referenced one does not.
    #[error("conflicting write to {table}")]
    Conflict {
        /// Where.
        table: String,
        /// What the database said.
        #[source]
        source: BoxError,
    },
    /// No connection in time, or it broke; the same call may work later.
    #[error("database unavailable")]
    Unavailable(#[source] BoxError),
    /// A stored value does not fit its type: a bug or a bad migration.
    #[error("unreadable value in {table}.{column}")]
    Corrupt {
        /// Where.
        table: &'static str,
        /// Where in it.
        column: &'static str,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// The database refused a statement: a bug.
    #[error("refused by the database")]
    Refused(#[source] BoxError),
}

/// What a store method answers.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// How threads and items are listed.
#[derive(Clone, Copy, Debug)]
pub struct PageQuery<Id> {
    /// At most how many.
    pub limit: usize,
    /// In which direction.
    pub order: Order,
    /// The last entry of the page before, exclusive.
    pub after: Option<Id>,
}

/// The database.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// `sqlite` or `postgres`.
    fn kind(&self) -> &'static str;

    /// Whether the database answers and every migration is applied; the time by its clock.
    async fn check(&self) -> Result<Timestamp>;

    /// What waits inside the store at the moment, by the name of its queue, for metrics.
    fn queue_lengths(&self) -> Vec<(&'static str, usize)> {
        Vec::new()
    }

    /// Ends all connections, after what is under way.
    async fn close(&self);

    // ---- threads -------------------------------------------------------------------------------

    /// Inserts an empty thread.
    async fn insert_thread(&self, thread: NewThread) -> Result<ThreadRecord>;

    /// One of the user's threads.
    async fn find_thread(&self, user: &UserId, id: ThreadId) -> Result<Option<ThreadRecord>>;

    /// The user's threads by time of their last change, then id. `archived` picks those that are
    /// (`Some(true)`), are not (`Some(false)`) or both. `None` when the cursor names no thread of
    /// the user.
    async fn list_threads(
        &self,
        user: &UserId,
        archived: Option<bool>,
        page: PageQuery<ThreadId>,
    ) -> Result<Option<Page<ThreadRecord>>>;

    /// Changes one of the user's threads and its `updated_at`; `None` when there is no such thread.
    async fn update_thread(
        &self,
        user: &UserId,
        id: ThreadId,
        patch: ThreadPatch,
        now: Timestamp,
    ) -> Result<Option<ThreadRecord>>;

    /// Deletes one of the user's threads with its items, runs, events, tool calls, feedback and
    /// attachments.
    /// Answers the thread as it was, its active run included; `None` when there is no such thread.
    async fn delete_thread(&self, user: &UserId, id: ThreadId) -> Result<Option<ThreadRecord>>;

    // ---- items ---------------------------------------------------------------------------------

    /// The items of one of the user's threads by their sequence, hidden ones included. `None` when
    /// the thread or the cursor's item is not there.
    async fn list_items(
        &self,
        user: &UserId,
        thread_id: ThreadId,
        page: PageQuery<ItemId>,
    ) -> Result<Option<Page<ItemRecord>>>;

    /// One item of one of the user's threads.
    async fn find_item(
        &self,
        user: &UserId,
        thread_id: ThreadId,
        item_id: ItemId,
    ) -> Result<Option<ItemRecord>>;

    /// The newest `limit` items of a thread, oldest first, hidden ones included, with the server's
    /// tool calls that belong to them.
    async fn load_history(&self, thread_id: ThreadId, limit: usize) -> Result<History>;

    /// The calls of the server's tools that an item of one of the user's threads shows.
    async fn list_item_calls(
        &self,
        user: &UserId,
        thread_id: ThreadId,
        item_id: ItemId,
    ) -> Result<Vec<ToolCallRecord>>;

    /// Keeps a thumb up or down for each of the items. `false`, and nothing kept, when the thread
    /// is not the user's or one of the items is not in it.
    async fn insert_feedback(
        &self,
        user: &UserId,
        thread_id: ThreadId,
        items: &[ItemId],
        kind: FeedbackKind,
        now: Timestamp,
    ) -> Result<bool>;

    // ---- runs ----------------------------------------------------------------------------------

    /// Accepts a run: the thread when it is new, the items, the run and the idempotency key, all
    /// in one transaction, or nothing of it. At most one run of a thread is queued or running.
    async fn begin_run(&self, run: NewRun) -> Result<Begun>;

    /// What the user's key that is still good was used for: [`Begun::Replay`] or
    /// [`Begun::KeyReused`]. `None` when it was not used.
    async fn find_keyed_run(&self, user: &UserId, key: &IdempotencyKey) -> Result<Option<Begun>>;

    /// Writes for many runs in one transaction; answers one outcome for each, in order. A write
    /// whose lease token is not the run's current one, or whose run has ended or is gone, changes
    /// nothing and is [`WriteOutcome::LeaseLost`]; one that the database refuses changes nothing
    /// and is [`WriteOutcome::Refused`], without harm to the others; every other write renews the
    /// run's lease. After `Unavailable` the same writes may be sent again, for some of them may
    /// have been stored: an end that is stored already is [`WriteOutcome::Written`].
    async fn write_runs(&self, writes: Vec<RunWrite>) -> Result<Vec<WriteOutcome>>;

    /// One of the user's runs.
    async fn find_run(&self, user: &UserId, id: RunId) -> Result<Option<RunRecord>>;

    /// A run's stored events with numbers above `after`, in order: every chunk whose last number
    /// is above it, at most `limit` chunks.
    async fn list_run_events(
        &self,
        run_id: RunId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<EventChunk>>;

    /// Takes over runs that a dead process left: sets a fresh lease of `owner` with a higher token
    /// and answers them. Dead means: the lease is not `owner`'s, and, unless the database admits one
    /// process only, it ran out by the database's clock. Nothing is taken when that clock is past
    /// `not_after` at the moment at which it is done: if the database stood still since the caller
    /// looked, the living could not renew their leases either.
    async fn claim_abandoned_runs(
        &self,
        owner: &str,
        lease: Duration,
        not_after: Timestamp,
        limit: usize,
    ) -> Result<Vec<RunRecord>>;

    /// Asks the run's owner, wherever it is, to stop it. `false` when it is not the user's or has
    /// ended.
    async fn request_stop(&self, user: &UserId, id: RunId, request: StopRequest) -> Result<bool>;

    /// Of the given runs, those that are to be stopped. [`StopRequest::Cancel`] holds for good, and
    /// for what is not under way any more, or gone; [`StopRequest::Supersede`] for this time by the
    /// database's clock.
    async fn list_stop_requests(
        &self,
        runs: &[RunId],
        supersede_within: Duration,
    ) -> Result<Vec<(RunId, StopRequest)>>;

    // ---- attachments ---------------------------------------------------------------------------

    /// Inserts an attachment.
    async fn insert_attachment(&self, attachment: AttachmentRecord) -> Result<()>;

    /// Of the given attachments those that are the user's, in the order given.
    async fn find_attachments(
        &self,
        user: &UserId,
        ids: &[AttachmentId],
    ) -> Result<Vec<AttachmentRecord>>;

    /// The attachments that came with messages of one of the user's threads.
    async fn list_thread_attachments(
        &self,
        user: &UserId,
        thread_id: ThreadId,
    ) -> Result<Vec<AttachmentRecord>>;

    /// Deletes one of the user's attachments. `false` when there is no such attachment.
    async fn delete_attachment(&self, user: &UserId, id: AttachmentId) -> Result<bool>;

    // ---- sessions ------------------------------------------------------------------------------

    /// Inserts a session.
    async fn insert_session(&self, session: SessionRecord) -> Result<()>;

    /// A session.
    async fn find_session(&self, sid: &str) -> Result<Option<SessionRecord>>;

    /// Compare and swap: makes `next` the current token and the current one the previous, if
    /// `expected` is the current one and the session is not revoked.
    async fn rotate_session(
        &self,
        sid: &str,
        expected: &str,
        next: &str,
        now: Timestamp,
    ) -> Result<bool>;

    /// Revokes a session for good; inserts it revoked when it is not there (a token made by the
    /// command line has no row until then).
    async fn revoke_session(&self, sid: &str, user: &UserId, now: Timestamp) -> Result<()>;

    /// The sessions revoked at or after `since`.
    async fn list_revoked_sessions(&self, since: Timestamp) -> Result<Vec<String>>;

    // ---- tasks ---------------------------------------------------------------------------------

    /// Inserts a task and answers it with its number.
    async fn insert_task(&self, user: &UserId, task: NewTask, now: Timestamp)
    -> Result<TaskRecord>;

    /// The user's tasks, oldest first.
    async fn list_tasks(&self, user: &UserId, filter: TaskFilter) -> Result<Vec<TaskRecord>>;

    /// One of the user's tasks.
    async fn find_task(&self, user: &UserId, id: i64) -> Result<Option<TaskRecord>>;

    /// Changes one of the user's tasks.
    async fn update_task(
        &self,
        user: &UserId,
        id: i64,
        patch: TaskPatch,
        now: Timestamp,
    ) -> Result<Option<TaskRecord>>;

    /// Deletes one of the user's tasks and answers it as it was.
    async fn delete_task(&self, user: &UserId, id: i64) -> Result<Option<TaskRecord>>;

    // ---- limits --------------------------------------------------------------------------------

    /// How many tokens were used on a day: those of the writes with
    /// [`tokens_used`](RunWrite::tokens_used).
    async fn find_tokens_used(&self, user: &UserId, day: Day) -> Result<TokensUsed>;

    // ---- upkeep --------------------------------------------------------------------------------

    /// Deletes what has served its time. Answers how many rows went.
    async fn delete_expired(&self, before: Expiry) -> Result<u64>;

    /// Inserts or replaces items outside any run, at the end of the thread when they are new.
    /// `false` when the thread is not the user's.
    async fn upsert_items(
        &self,
        user: &UserId,
        thread_id: ThreadId,
        items: &[ThreadItem],
        now: Timestamp,
    ) -> Result<bool>;
}

/// What was found, in the order in which it was asked for.
fn in_order(ids: &[AttachmentId], mut found: Vec<AttachmentRecord>) -> Vec<AttachmentRecord> {
    let place = |record: &AttachmentRecord| ids.iter().position(|id| *id == record.attachment.id);
    found.sort_by_key(place);
    found
}
