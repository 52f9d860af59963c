//! A run of this process, as others than its drive task see it.

use std::sync::{Arc, OnceLock};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    agent::ThreadHandle,
    protocol::{RunId, ThreadId, UserId},
};

use super::{
    log::{LogReader, RunLog},
    outcome::StopReason,
    slots::Slot,
};

/// A run of this process.
#[derive(Debug)]
pub struct LiveRun {
    /// Its identifier.
    pub id: RunId,
    /// Where it answers.
    pub thread_id: ThreadId,
    /// Whose it is.
    pub user_id: UserId,
    pub(super) thread: ThreadHandle,
    pub(super) log: Arc<RunLog>,
    pub(super) stop: Stop,
    pub(super) ended: CancellationToken,
    pub(super) started: Instant,
    pub(super) _slot: Slot,
}

impl LiveRun {
    /// Stops it; the first reason counts.
    pub fn stop(&self, reason: StopReason) {
        self.stop.stop(reason);
    }

    /// Waits until its end is stored and its readers are told.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// How many watch it at the moment.
    pub fn reader_count(&self) -> usize {
        self.log.reader_count()
    }

    /// A reader of its events above `after`.
    pub fn read(&self, after: u64) -> LogReader {
        LogReader::new(self.log.clone(), after)
    }
}

/// A stop from outside.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop {
    reason: Arc<OnceLock<StopReason>>,
    pub(super) token: CancellationToken,
}

impl Stop {
    pub(super) fn stop(&self, reason: StopReason) {
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    pub(super) async fn wait(&self) -> StopReason {
        self.token.cancelled().await;
        *self.reason.get().unwrap_or(&StopReason::Cancelled)
    }
}
