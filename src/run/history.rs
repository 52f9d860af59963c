//! Where an agent reads what was said before.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::{
    agent::HistorySource,
    protocol::{ThreadId, ThreadItem},
    store::{
        Store, StoreError,
        record::{History, ItemRecord, ItemStatus},
    },
};

use super::{LiveRun, log::RunLog, writer};

/// What is stored of a thread.
pub(super) struct StoredHistory {
    store: Arc<dyn Store>,
    thread_id: ThreadId,
}

impl StoredHistory {
    pub(super) fn new(store: Arc<dyn Store>, thread_id: ThreadId) -> Self {
        Self { store, thread_id }
    }
}

#[async_trait]
impl HistorySource for StoredHistory {
    /// While the database is away it is asked again, as long as for a write: what was accepted shall
    /// be answered.
    async fn recent(&self, limit: usize) -> Result<History, StoreError> {
        let deadline = Instant::now() + writer::RETRY_FOR;
        loop {
            match self.store.load_history(self.thread_id, limit).await {
                Err(StoreError::Unavailable(source)) if Instant::now() < deadline => {
                    tracing::warn!(error = %source, "the database is away, reading again");
                    tokio::time::sleep(writer::RETRY_EVERY).await;
                }
                result => return result,
            }
        }
    }
}

/// The history of a thread that is made with the run: until the run says something there is nothing
/// to be read but its message.
pub(super) struct FirstMessage {
    message: ItemRecord,
    log: Arc<RunLog>,
    /// The last event before the run says something.
    announced: u64,
    stored: StoredHistory,
}

impl FirstMessage {
    /// For a run whose first events are in its log.
    pub(super) fn new(message: ThreadItem, run: &LiveRun, stored: StoredHistory) -> Self {
        let message =
            ItemRecord { item: message, status: ItemStatus::Complete, run_id: Some(run.id) };
        Self { message, log: run.log.clone(), announced: run.log.last_seq(), stored }
    }
}

#[async_trait]
impl HistorySource for FirstMessage {
    async fn recent(&self, limit: usize) -> Result<History, StoreError> {
        if limit == 0 || self.log.last_seq() > self.announced {
            return self.stored.recent(limit).await;
        }
        Ok(History { items: vec![self.message.clone()], tool_calls: Vec::new() })
    }
}
