//! The sessions that were revoked, in memory, so that verifying a token asks no database.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{SessionStore, token::MAX_DETACHED_TTL};
use crate::{auth::Clock, protocol::Timestamp, store::StoreError};

/// How often the database is asked what other instances revoked. Half of the 10 s within which a
/// logout is to be effective everywhere.
pub const REVOCATION_POLL: Duration = Duration::from_secs(5);

/// How far a poll reaches back behind the one before: by as much the clocks of instances may
/// differ, and a transaction may take.
const OVERLAP: Duration = Duration::from_mins(5);

/// How long a revocation is remembered: until every token that was made before it has expired.
/// This bounds the memory to the logouts of a day, about 100 bytes each.
const REMEMBERED_FOR: Duration = MAX_DETACHED_TTL.saturating_add(Duration::from_mins(5));

/// Which sessions are revoked.
pub(in crate::auth) struct Revocations {
    store: Arc<dyn SessionStore>,
    clock: Clock,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    /// By session, since when it is known here.
    revoked: HashMap<Box<str>, Timestamp>,
    polled_at: Option<Timestamp>,
}

impl Revocations {
    pub(super) fn new(store: Arc<dyn SessionStore>, clock: Clock) -> Self {
        Self { store, clock, state: RwLock::default() }
    }

    pub(super) fn contains(&self, sid: &str) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.revoked.contains_key(sid)
    }

    pub(in crate::auth) fn insert(&self, sid: &str) {
        let now = self.clock.now();
        self.write(|state| state.revoked.insert(sid.into(), now));
    }

    /// Learns what was revoked since the last successful poll; the first reaches back as far as
    /// any live token. An error changes nothing: what is known stays, and the next poll makes
    /// good for this one.
    pub(in crate::auth) async fn poll(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let polled_at = self.write(|state| state.polled_at);
        let since = polled_at.map_or(now.minus(REMEMBERED_FOR), |at| at.minus(OVERLAP));
        let revoked = self.store.list_revoked_sessions(since).await?;
        self.write(|state| {
            state.revoked.retain(|_, known_at| now.since(*known_at) < REMEMBERED_FOR);
            for sid in revoked {
                state.revoked.entry(sid.into()).or_insert(now);
            }
            state.polled_at = Some(now);
        });
        Ok(())
    }

    /// Polls until `shutdown`. Says once that the database fails, and once that it is back.
    pub(in crate::auth) async fn watch(&self, shutdown: &CancellationToken) {
        let mut ticks = tokio::time::interval(REVOCATION_POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_failing = false;
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            match shutdown.run_until_cancelled(self.poll()).await {
                Some(Err(error)) if !is_failing => {
                    warn!(%error, "logouts on other instances are not seen for now");
                    is_failing = true;
                }
                Some(Ok(())) if is_failing => {
                    info!("logouts on other instances are seen again");
                    is_failing = false;
                }
                _ => {}
            }
        }
    }

    // Every write leaves the state whole, so a poisoned lock is as good as another.
    fn write<T>(&self, write: impl FnOnce(&mut State) -> T) -> T {
        write(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }
}
