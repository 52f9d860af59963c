//! PostgreSQL: for several instances, and for who has one already.
//!
//! Ids are `uuid`, times `timestamptz`, JSON `json`. Every transaction runs in a task of its own
//! (see `transaction`). Whoever locks rows of several tables locks `idempotency_key` first, then
//! `conversation`, then `run`, and rows of one table by id: so no two transactions wait for each
//! other.
//!
//! Runs that were accepted go before new ones: their writes have connections of their own, and
//! beginning runs may take no more than half of the others (see `admission`).

mod admission;
mod attachments;
mod begin;
mod connect;
mod feedback;
mod item_writes;
mod items;
mod run_writes;
mod runs;
mod sessions;
mod tasks;
mod threads;
mod token_use;
mod transaction;
mod upkeep;
mod waiting_calls;

use std::time::Duration;

use async_trait::async_trait;
use sqlx::{PgPool, Row, postgres::PgRow, types::time::OffsetDateTime};
use uuid::Uuid;

use super::{
    PageQuery, Result, Store,
    begin_queue::BeginQueue,
    decode::Columns,
    record::{
        AttachmentRecord, Begun, Day, EventChunk, Expiry, History, IdempotencyKey, ItemRecord,
        NewRun, NewTask, NewThread, RunRecord, RunWrite, SessionRecord, StopRequest, TaskFilter,
        TaskPatch, TaskRecord, ThreadPatch, ThreadRecord, TokensUsed, ToolCallRecord, WriteOutcome,
    },
};
use crate::protocol::{
    AttachmentId, ItemId, Page, RunId, ThreadId, ThreadItem, Timestamp, UserId,
    request::FeedbackKind,
};
use begin::Alone;
use transaction::Transactions;

/// A PostgreSQL database.
pub struct PostgresStore {
    pool: PgPool,
    transactions: Transactions,
    /// For what runs write: checkpoints are heartbeats, and late ones lose the run.
    run_transactions: Transactions,
    begin_alone: Alone,
    begin_queue: BeginQueue,
}

impl Columns for PgRow {
    fn uuid(&self, column: &'static str) -> sqlx::Result<Option<Uuid>> {
        self.try_get(column)
    }

    fn time(&self, column: &'static str) -> sqlx::Result<Option<Timestamp>> {
        Ok(self.try_get::<Option<OffsetDateTime>, _>(column)?.map(Timestamp::from))
    }

    fn text(&self, column: &'static str) -> sqlx::Result<Option<String>> {
        self.try_get(column)
    }

    fn integer(&self, column: &'static str) -> sqlx::Result<Option<i64>> {
        self.try_get(column)
    }

    fn boolean(&self, column: &'static str) -> sqlx::Result<Option<bool>> {
        self.try_get(column)
    }

    fn bytes(&self, column: &'static str) -> sqlx::Result<Option<Vec<u8>>> {
        self.try_get(column)
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn kind(&self) -> &'static str {
        "postgres"
    }

    async fn check(&self) -> Result<Timestamp> {
        connect::check(self).await
    }

    fn queue_lengths(&self) -> Vec<(&'static str, usize)> {
        vec![("begin", self.begin_queue.waiting() + self.begin_alone.waiting())]
    }

    async fn close(&self) {
        connect::close(self).await;
    }

    async fn insert_thread(&self, thread: NewThread) -> Result<ThreadRecord> {
        threads::insert(self, thread).await
    }

    async fn find_thread(&self, user: &UserId, id: ThreadId) -> Result<Option<ThreadRecord>> {
        threads::find(&self.pool, user, id).await
    }

    async fn list_threads(
        &self,
        user: &UserId,
        archived: Option<bool>,
        page: PageQuery<ThreadId>,
    ) -> Result<Option<Page<ThreadRecord>>> {
        threads::list(self, user, archived, page).await
    }

    async fn update_thread(
        &self,
        user: &UserId,
        id: ThreadId,
        patch: ThreadPatch,
        now: Timestamp,
    ) -> Result<Option<ThreadRecord>> {
        threads::update(self, user, id, patch, now).await
    }

    async fn delete_thread(&self, user: &UserId, id: ThreadId) -> Result<Option<ThreadRecord>> {
        threads::delete(self, user, id).await
    }

    async fn list_items(
        &self,
        user: &UserId,
        thread_id: ThreadId,
        page: PageQuery<ItemId>,
    ) -> Result<Option<Page<ItemRecord>>> {
        items::list(self, user, thread_id, page).await
    }

    async fn find_item(
        &self,
        user: &UserId,
        thread_id: ThreadId,
        item_id: ItemId,
    ) -> Result<Option<ItemRecord>> {
        items::find(self, user, thread_id, item_id).await
    }

    async fn load_history(&self, thread_id: ThreadId, limit: usize) -> Result<History> {
        items::load_history(self, thread_id, limit).await
    }

    async fn insert_feedback(
        &self,
        user: &UserId,
        thread_id: ThreadId,
        items: &[ItemId],
        kind: FeedbackKind,
        now: Timestamp,
    ) -> Result<bool> {
        feedback::insert(self, user, thread_id, items, kind, now).await
    }

    async fn list_item_calls(
        &self,
        user: &UserId,
        thread_id: ThreadId,
        item_id: ItemId,
    ) -> Result<Vec<ToolCallRecord>> {
        items::list_item_calls(self, user, thread_id, item_id).await
    }

    async fn begin_run(&self, run: NewRun) -> Result<Begun> {
        begin::begin_run(self, run).await
    }

    async fn find_keyed_run(&self, user: &UserId, key: &IdempotencyKey) -> Result<Option<Begun>> {
        begin::find_keyed_run(self, user, key).await
    }

    async fn write_runs(&self, writes: Vec<RunWrite>) -> Result<Vec<WriteOutcome>> {
        run_writes::write(self, writes).await
    }

    async fn find_run(&self, user: &UserId, id: RunId) -> Result<Option<RunRecord>> {
        runs::find(self, user, id).await
    }

    async fn list_run_events(
        &self,
        run_id: RunId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<EventChunk>> {
        runs::list_events(self, run_id, after, limit).await
    }

    async fn claim_abandoned_runs(
        &self,
        owner: &str,
        lease: Duration,
        not_after: Timestamp,
        limit: usize,
    ) -> Result<Vec<RunRecord>> {
        runs::claim_abandoned(self, owner, lease, not_after, limit).await
    }

    async fn request_stop(&self, user: &UserId, id: RunId, request: StopRequest) -> Result<bool> {
        runs::request_stop(self, user, id, request).await
    }

    async fn list_stop_requests(
        &self,
        runs: &[RunId],
        supersede_within: Duration,
    ) -> Result<Vec<(RunId, StopRequest)>> {
        runs::list_stop_requests(self, runs, supersede_within).await
    }

    async fn insert_attachment(&self, attachment: AttachmentRecord) -> Result<()> {
        attachments::insert(self, attachment).await
    }

    async fn find_attachments(
        &self,
        user: &UserId,
        ids: &[AttachmentId],
    ) -> Result<Vec<AttachmentRecord>> {
        attachments::find(self, user, ids).await
    }

    async fn list_thread_attachments(
        &self,
        user: &UserId,
        thread_id: ThreadId,
    ) -> Result<Vec<AttachmentRecord>> {
        attachments::list_of_thread(self, user, thread_id).await
    }

    async fn delete_attachment(&self, user: &UserId, id: AttachmentId) -> Result<bool> {
        attachments::delete(self, user, id).await
    }

    async fn insert_session(&self, session: SessionRecord) -> Result<()> {
        sessions::insert(self, session).await
    }

    async fn find_session(&self, sid: &str) -> Result<Option<SessionRecord>> {
        sessions::find(self, sid).await
    }

    async fn rotate_session(
        &self,
        sid: &str,
        expected: &str,
        next: &str,
        now: Timestamp,
    ) -> Result<bool> {
        sessions::rotate(self, sid, expected, next, now).await
    }

    async fn revoke_session(&self, sid: &str, user: &UserId, now: Timestamp) -> Result<()> {
        sessions::revoke(self, sid, user, now).await
    }

    async fn list_revoked_sessions(&self, since: Timestamp) -> Result<Vec<String>> {
        sessions::list_revoked(self, since).await
    }

    async fn insert_task(
        &self,
        user: &UserId,
        task: NewTask,
        now: Timestamp,
    ) -> Result<TaskRecord> {
        tasks::insert(self, user, task, now).await
    }

    async fn list_tasks(&self, user: &UserId, filter: TaskFilter) -> Result<Vec<TaskRecord>> {
        tasks::list(self, user, filter).await
    }

    async fn find_task(&self, user: &UserId, id: i64) -> Result<Option<TaskRecord>> {
        tasks::find(self, user, id).await
    }

    async fn update_task(
        &self,
        user: &UserId,
        id: i64,
        patch: TaskPatch,
        now: Timestamp,
    ) -> Result<Option<TaskRecord>> {
        tasks::update(self, user, id, patch, now).await
    }

    async fn delete_task(&self, user: &UserId, id: i64) -> Result<Option<TaskRecord>> {
        tasks::delete(self, user, id).await
    }

    async fn find_tokens_used(&self, user: &UserId, day: Day) -> Result<TokensUsed> {
        token_use::find(self, user, day).await
    }

    async fn delete_expired(&self, before: Expiry) -> Result<u64> {
        upkeep::delete_expired(self, before).await
    }

    async fn upsert_items(
        &self,
        user: &UserId,
        thread_id: ThreadId,
        items: &[ThreadItem],
        now: Timestamp,
    ) -> Result<bool> {
        item_writes::upsert(self, user, thread_id, items, now).await
    }
}
