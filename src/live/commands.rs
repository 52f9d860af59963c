//! The connection that everything is written through, many commands at a time.

use std::{sync::Arc, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError,
    aio::MultiplexedConnection,
};
use tokio::sync::watch;

use super::{
    Entry, Health, KEPT_ENTRIES, LiveError, PING_EVERY, Part, Signal, TIMEOUT, WAKE_KEPT_FOR,
    entry::{END, EVENTS, FIRST_SEQ},
    signals,
};

/// The first and the longest pause between two attempts to connect.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Connects, with the pause between attempts growing as long as it fails.
#[derive(Default)]
pub(super) struct Backoff(Duration);

impl Backoff {
    /// Waits, longer from time to time.
    pub(super) async fn wait(&mut self) {
        self.0 = (self.0 * 2).clamp(BACKOFF.0, BACKOFF.1);
        // So that the instances do not come back all at once.
        tokio::time::sleep(self.0.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
    }

    /// It worked.
    pub(super) fn reset(&mut self) {
        self.0 = Duration::ZERO;
    }
}

/// Opens a connection whose commands may take `timeout`.
pub(super) async fn connect(
    client: &Client,
    timeout: Duration,
) -> Result<MultiplexedConnection, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(TIMEOUT))
        .set_response_timeout(Some(timeout));
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// A connection, and which one it is.
type Current = Option<(u64, MultiplexedConnection)>;

pub(super) struct Commands {
    client: Client,
    health: Arc<Health>,
    current: watch::Sender<Current>,
    /// Entries of runs on their way.
    publishing: metrics::Gauge,
}

/// One of them. Dropping it is its end, whatever becomes of it.
struct Publishing<'a>(&'a metrics::Gauge);

impl<'a> Publishing<'a> {
    fn begin(publishing: &'a metrics::Gauge) -> Self {
        publishing.increment(1.0);
        Self(publishing)
    }
}

impl Drop for Publishing<'_> {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

impl Commands {
    pub(super) fn new(client: Client, health: Arc<Health>) -> Self {
        let publishing = metrics::gauge!("gateway_queue_length", "queue" => "live");
        Self { client, health, current: watch::Sender::new(None), publishing }
    }

    /// Connects, and again whenever the connection is lost.
    pub(super) async fn keep(&self) {
        let mut backoff = Backoff::default();
        for number in 0.. {
            match connect(&self.client, TIMEOUT).await {
                Ok(connection) => {
                    self.health.well(Part::Commands);
                    backoff.reset();
                    self.current.send_replace(Some((number, connection)));
                    self.watch().await;
                }
                Err(error) => self.health.failed(Part::Commands, &error),
            }
            backoff.wait().await;
        }
    }

    /// Until the connection is lost. It is tried now and then: otherwise the first command after an
    /// outage in quiet times would notice, and be lost.
    async fn watch(&self) {
        let mut pings = tokio::time::interval(PING_EVERY);
        loop {
            tokio::select! {
                () = self.until(Option::is_none) => return,
                _ = pings.tick() => {
                    // What fails is noted there.
                    let _ = self.run::<redis::Value>(&redis::cmd("PING")).await;
                }
            }
        }
    }

    /// Waits until there is a connection.
    pub(super) async fn connected(&self) {
        self.until(Option::is_some).await;
    }

    async fn until(&self, is_it: impl FnMut(&Current) -> bool) {
        // The sender is ours: it does not go away.
        let _ = self.current.subscribe().wait_for(is_it).await;
    }

    /// Appends to a stream, unless something lies behind it there already.
    pub(super) async fn append(&self, key: &str, entry: &Entry) -> Result<(), LiveError> {
        let _publishing = Publishing::begin(&self.publishing);
        let mut command = redis::cmd("XADD");
        command.arg(key).arg("MAXLEN").arg("~").arg(KEPT_ENTRIES);
        command.arg(entry.position.to_string());
        match &entry.events {
            Some((first_seq, payload)) => {
                command.arg(FIRST_SEQ).arg(*first_seq).arg(EVENTS).arg(payload)
            }
            None => command.arg(END).arg(1),
        };
        match self.run::<String>(&command).await {
            Err(LiveError::Refused(error)) if is_overtaken(&error) => Ok(()),
            Err(LiveError::Refused(error)) => {
                self.health.failed(Part::Appending, &error);
                Err(LiveError::Refused(error))
            }
            Err(error) => Err(error),
            Ok(_) => {
                self.health.well(Part::Appending);
                Ok(())
            }
        }
    }

    /// Lets a key live for so long from now on.
    pub(super) async fn expire(&self, key: &str, life: Duration) -> Result<(), LiveError> {
        let mut command = redis::cmd("EXPIRE");
        command.arg(key).arg(life.as_secs());
        self.run::<i64>(&command).await.map(drop)
    }

    /// Wakes the reader of an instance by the only entry of its stream.
    pub(super) async fn wake(&self, key: &str, version: u64) -> Result<(), LiveError> {
        let mut command = redis::cmd("XADD");
        command.arg(key).arg("MAXLEN").arg(1).arg(format!("{version}-1")).arg("v").arg("");
        self.run::<String>(&command).await?;
        self.expire(key, WAKE_KEPT_FOR).await
    }

    /// Tells all instances.
    pub(super) async fn publish(&self, signal: &Signal) -> Result<(), LiveError> {
        let mut command = redis::cmd("PUBLISH");
        command.arg(signals::CHANNEL).arg(signal.to_string());
        self.run::<i64>(&command).await.map(drop)
    }

    pub(super) async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, LiveError> {
        let current = self.current.borrow().clone();
        let Some((number, mut connection)) = current else { return Err(LiveError::Away) };
        let error = match command.query_async(&mut connection).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let is_answer = matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension);
        if is_answer && !error.is_unrecoverable_error() {
            return Err(LiveError::Refused(error));
        }
        // Of all who notice that a connection is lost, the first one takes it away.
        let is_lost = self.current.send_if_modified(|current| {
            let is_it = current.as_ref().is_some_and(|(known, _)| *known == number);
            if is_it {
                *current = None;
            }
            is_it
        });
        if is_lost {
            self.health.failed(Part::Commands, &error);
        }
        Err(LiveError::Away)
    }
}

/// Whether the stream has something behind the entry already: it was sent twice, or the run is
/// another process's by now.
fn is_overtaken(error: &RedisError) -> bool {
    error.to_string().contains("equal or smaller")
}
