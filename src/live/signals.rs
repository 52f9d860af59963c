//! Stops, logouts and who watches what, by publish and subscribe.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::StreamExt as _;
use redis::{Client, ErrorKind, Msg, RedisError, aio::PubSub};
use tokio::time::{Instant, timeout};

use super::{Health, PING_EVERY, Part, TIMEOUT, commands::Backoff};
use crate::protocol::RunId;

/// The channel of all instances.
pub(super) const CHANNEL: &str = "chatkit:signals";

/// What one instance tells all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A run is to be stopped; that is stored.
    Cancel(RunId),
    /// A run is to be stopped unless somebody watches it; that is stored.
    Supersede(RunId),
    /// All runs of others that are read at an instance now.
    Watching {
        /// Its name.
        instance: String,
        /// Which these are.
        runs: Vec<RunId>,
    },
    /// A session was revoked; that is stored.
    Revoked(String),
}

impl std::fmt::Display for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cancel(run) => write!(f, "cancel {run}"),
            Self::Supersede(run) => write!(f, "supersede {run}"),
            Self::Watching { instance, runs } => {
                write!(f, "watching {instance}")?;
                runs.iter().try_for_each(|run| write!(f, " {run}"))
            }
            Self::Revoked(sid) => write!(f, "revoked {sid}"),
        }
    }
}

impl Signal {
    /// `None` when it is none that this version knows.
    fn parse(text: &str) -> Option<Self> {
        match text.split_once(' ')? {
            ("cancel", run) => run.parse().ok().map(Self::Cancel),
            ("supersede", run) => run.parse().ok().map(Self::Supersede),
            ("watching", rest) => {
                let mut words = rest.split(' ');
                let instance = words.next()?.to_owned();
                let runs = words.map(|run| run.parse().ok()).collect::<Option<_>>()?;
                Some(Self::Watching { instance, runs })
            }
            ("revoked", sid) => Some(Self::Revoked(sid.to_owned())),
            _ => None,
        }
    }
}

/// The connection that listens.
pub(super) struct Hearing {
    client: Client,
    health: Arc<Health>,
    /// Since when there is a connection.
    since: Mutex<Option<Instant>>,
}

impl Hearing {
    pub(super) fn new(client: Client, health: Arc<Health>) -> Self {
        Self { client, health, since: Mutex::default() }
    }

    /// Since when all is heard that is told; `None` at a time when nothing is.
    pub(super) fn since(&self) -> Option<Instant> {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        // It is written at once, so a poisoned lock is as good as another.
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens, and connects again whenever the connection is lost. What is told in between is not
    /// heard.
    pub(super) async fn keep(&self, hear: impl Fn(Signal) + Send + Sync) {
        let mut backoff = Backoff::default();
        loop {
            match within(self.subscribe()).await {
                Ok(pubsub) => {
                    self.health.well(Part::Signals);
                    backoff.reset();
                    *self.lock() = Some(Instant::now());
                    let Err(error) = listen(pubsub, &hear).await;
                    *self.lock() = None;
                    self.health.failed(Part::Signals, &error);
                }
                Err(error) => self.health.failed(Part::Signals, &error),
            }
            backoff.wait().await;
        }
    }

    async fn subscribe(&self) -> Result<PubSub, RedisError> {
        let mut pubsub = self.client.get_async_pubsub().await?;
        pubsub.subscribe(CHANNEL).await?;
        Ok(pubsub)
    }
}

async fn listen(
    pubsub: PubSub,
    hear: &(impl Fn(Signal) + Send + Sync),
) -> Result<Infallible, RedisError> {
    let (mut sink, mut messages) = pubsub.split();
    let mut pings = tokio::time::interval(PING_EVERY);
    loop {
        tokio::select! {
            message = messages.next() => {
                let message: Msg = message.ok_or((ErrorKind::Io, "the connection closed"))?;
                if let Some(signal) = read(&message) {
                    hear(signal);
                }
            }
            _ = pings.tick() => {
                within(sink.ping::<redis::Value>()).await?;
            }
        }
    }
}

fn read(message: &Msg) -> Option<Signal> {
    Signal::parse(&message.get_payload::<String>().ok()?)
}

async fn within<T>(work: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
    timeout(TIMEOUT, work)
        .await
        .unwrap_or_else(|_| Err((ErrorKind::Io, "no answer in time").into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_read_as_it_was_told() {
        let watching =
            |runs: &[RunId]| Signal::Watching { instance: "one".to_owned(), runs: runs.to_vec() };
        for signal in [
            Signal::Cancel(RunId::new()),
            Signal::Supersede(RunId::new()),
            watching(&[]),
            watching(&[RunId::new(), RunId::new()]),
            Signal::Revoked("a sid".to_owned()),
        ] {
            assert_eq!(Signal::parse(&signal.to_string()), Some(signal));
        }
        assert_eq!(Signal::parse("of a later version"), None);
        assert_eq!(Signal::parse("watching one, two"), None);
    }
}
