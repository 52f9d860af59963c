//! What instances tell each other through Redis: the live events of runs, Stops and logouts.
//!
//! ```text
//!  instance A                          Redis                          instance B
//!  feeder of a run ──XADD──> chatkit:run:{id}  ──XREAD, one for all──> mirror of the run
//!  a Stop, a logout ─PUBLISH─> chatkit:signals ─────SUBSCRIBE────────> whom it concerns
//!                              chatkit:wake:{instance}: a followed run came in between
//! ```
//!
//! | file | does |
//! |---|---|
//! | `address` | where Redis is |
//! | `entry` | one stretch of a run's events in its stream, and its place there |
//! | `commands` | the connection that everything is written through |
//! | `reading` | the connection that hears all followed runs |
//! | `signals` | the connection that hears Stops, logouts and which runs are watched elsewhere |
//! | `spending` | counts of limits that all instances share |
//! | `health` | whether all that works: one warning for an outage, the metrics |
//!
//! **Nothing depends on it.** The database holds the truth; what is told here comes sooner, or it
//! does not come. So nothing here waits for Redis longer than 2 s, nothing is queued while
//! it is away, and a command that failed is not sent again: whoever asks learns that it failed and
//! goes by the database.

mod address;
mod commands;
mod entry;
mod health;
mod reading;
mod signals;
mod spending;

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

pub use address::RedisUrl;
use commands::Commands;
pub(crate) use entry::{Entry, Position};
use health::{Health, Part};
use reading::Reading;
pub(crate) use reading::{Following, Heard};
pub use signals::Signal;
pub use spending::Spending;

use crate::protocol::RunId;

/// What all keys and channels begin with.
pub(crate) const PREFIX: &str = "chatkit:";
/// How long a command, or a connection's beginning, may take. A Redis beside the gateway answers
/// within a millisecond: one that needs seconds is as good as away.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How many entries a run's stream keeps, about. A reader begins with what is stored, which is
/// half a second behind: at one entry for each delta this is ten times that for a fast model.
const KEPT_ENTRIES: usize = 1_000;
/// How long a stream lives behind its last entry. Renewed each [`RENEW_EVERY`] while the run
/// speaks; a run that is silent for longer has everything in the database.
const KEPT_FOR: Duration = Duration::from_mins(10);
/// How often a stream's life is renewed.
pub(crate) const RENEW_EVERY: Duration = Duration::from_mins(1);
/// How long a stream lives behind its end: until those who follow have read it.
const KEPT_AFTER_END: Duration = Duration::from_mins(1);
/// How long an instance's own stream lives, whose only entry is read within a moment or never.
const WAKE_KEPT_FOR: Duration = Duration::from_mins(1);
/// How often a connection is tried on which nothing else happens, so that one that is dead is
/// noticed.
const PING_EVERY: Duration = Duration::from_secs(5);
/// How long to wait before an entry is tried again that Redis refused, as when it is full.
const REFUSED_WAIT: Duration = Duration::from_secs(1);

/// Why Redis did not do something.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LiveError {
    /// It is not there, or does not answer.
    #[error("Redis is away")]
    Away,
    /// It is there and says no, as when it is full.
    #[error("Redis refuses")]
    Refused(#[source] redis::RedisError),
}

/// What this instance shares with others. Cheap to clone.
#[derive(Clone)]
pub struct Live(Option<Arc<Redis>>);

struct Redis {
    commands: Commands,
    reading: Arc<Reading>,
    signals: signals::Hearing,
}

impl Live {
    /// There is no Redis: all that others learn, they learn from the database.
    pub fn alone() -> Self {
        Self(None)
    }

    /// By this Redis. Nothing is connected yet, see [`keep`](Self::keep).
    pub fn shared(url: &RedisUrl) -> Self {
        let health = Arc::new(Health::default());
        let client = url.client().clone();
        Self(Some(Arc::new(Redis {
            commands: Commands::new(client.clone(), health.clone()),
            reading: Arc::new(Reading::new(client.clone(), health.clone())),
            signals: signals::Hearing::new(client, health),
        })))
    }

    /// Whether there is a Redis to speak to, be it away at the moment.
    pub fn is_shared(&self) -> bool {
        self.0.is_some()
    }

    /// Holds the connections and calls `hear` for what other instances, and this one, tell. Never
    /// ends; dropping it closes the connections.
    pub async fn keep(&self, hear: impl Fn(Signal) + Send + Sync) {
        let Some(redis) = &self.0 else { return std::future::pending().await };
        tokio::join!(
            redis.commands.keep(),
            redis.reading.keep(),
            redis.reading.wake(&redis.commands),
            redis.signals.keep(hear),
        );
    }

    /// Appends to a run's stream. An entry that others have overtaken, or that is there already,
    /// is dropped without an error. `renew` prolongs the stream's life.
    pub(crate) async fn publish(
        &self,
        run: RunId,
        entry: &Entry,
        renew: bool,
    ) -> Result<(), LiveError> {
        let Some(redis) = &self.0 else { return Ok(()) };
        let key = entry::key(run);
        redis.commands.append(&key, entry).await?;
        if renew || entry.is_end() {
            let life = if entry.is_end() { KEPT_AFTER_END } else { KEPT_FOR };
            redis.commands.expire(&key, life).await?;
        }
        Ok(())
    }

    /// Waits until it is worth while to publish again after an error.
    pub(crate) async fn recovered(&self, error: &LiveError) {
        let Some(redis) = &self.0 else { return };
        match error {
            LiveError::Away => redis.commands.connected().await,
            LiveError::Refused(_) => tokio::time::sleep(REFUSED_WAIT).await,
        }
    }

    /// Follows a run's stream behind a position; `None` when there is no Redis.
    pub(crate) fn follow(&self, run: RunId, after: Position) -> Option<Following> {
        Some(self.0.as_ref()?.reading.follow(run, after))
    }

    /// Since when all signals are heard; `None` at a time when none is.
    pub(crate) fn hears_since(&self) -> Option<Instant> {
        self.0.as_ref()?.signals.since()
    }

    /// Tells all instances, this one included. Best effort: they look into the database, too.
    pub(crate) async fn tell(&self, signal: &Signal) {
        let Some(redis) = &self.0 else { return };
        if let Err(error) = redis.commands.publish(signal).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "a signal was not sent");
        }
    }

    /// Counts what was spent of limits that all instances share; answers, for each, how long it
    /// takes until all of it is paid off.
    pub(crate) async fn spend(
        &self,
        spendings: &[Spending],
        window: Duration,
    ) -> Result<Vec<Duration>, LiveError> {
        let Some(redis) = &self.0 else { return Err(LiveError::Away) };
        spending::spend(&redis.commands, spendings, window).await
    }
}
