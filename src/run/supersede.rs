//! A run that gives way to its user's next message, because nobody watches it any more.
//!
//! Its own instance decides: it knows its readers, and what others tell of theirs. Any other asks,
//! by the database and by Redis, and waits for the run's end.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Runs, StopReason};
use crate::{
    live::Signal,
    protocol::{RunId, UserId},
    store::{StoreError, record::StopRequest},
};

/// How long another instance has for it, and how long what is asked of it counts.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// How often it is looked whether it did.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Runs {
    /// Stops a run of the user that nobody watches, wherever it lives, and waits until its thread is
    /// free. `false` when it is watched, or its instance does not answer.
    pub async fn supersede(&self, user: &UserId, id: RunId) -> Result<bool, StoreError> {
        if let Some(run) = self.find_live(id).filter(|run| run.user_id == *user) {
            let is_superseded = self.give_way(id);
            if is_superseded {
                run.ended().await;
            }
            return Ok(is_superseded);
        }
        if self.inner.presence.is_watched_here(id) || self.inner.store.kind() == "sqlite" {
            return Ok(false);
        }
        if !self.inner.store.request_stop(user, id, StopRequest::Supersede).await? {
            // It has ended in the meantime.
            return Ok(true);
        }
        self.inner.live.tell(&Signal::Supersede(id)).await;
        self.ends_within(user, id, ANSWER_WITHIN).await
    }

    /// Stops a run of this process unless somebody watches it. Answers whether it was to be stopped.
    pub(super) fn give_way(&self, id: RunId) -> bool {
        let run = self.find_live(id).filter(|run| !self.inner.presence.is_watched(run));
        if let Some(run) = &run {
            run.stop(StopReason::Superseded);
        }
        run.is_some()
    }

    /// Not by its events: who reads them watches it.
    async fn ends_within(
        &self,
        user: &UserId,
        id: RunId,
        time: Duration,
    ) -> Result<bool, StoreError> {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline {
            sleep(LOOK_EVERY).await;
            let run = self.inner.store.find_run(user, id).await?;
            if run.is_none_or(|run| run.status.is_terminal()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Does what another instance tells.
    pub fn hear(&self, signal: &Signal) {
        match signal {
            Signal::Cancel(run) => {
                if let Some(run) = self.find_live(*run) {
                    run.stop(StopReason::Cancelled);
                }
            }
            Signal::Supersede(run) => {
                self.give_way(*run);
            }
            Signal::Watching { instance, runs } => {
                self.inner.presence.hear(instance, runs, |run| self.find_live(run).is_some());
            }
            Signal::Revoked(_) => {}
        }
    }

    /// Tells other instances which of their runs are read here. Never ends.
    pub async fn tell_presence(&self) {
        self.inner.presence.tell().await;
    }
}
