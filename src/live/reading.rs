//! The connection that hears all followed runs: one XREAD names them all.
//!
//! A blocking command keeps its connection to itself, so this one does nothing else. What it waits
//! for is settled when it is sent; a run that is followed from then on is heard once the command
//! has come back. Therefore it names one more stream, this instance's own, into which an entry is
//! written by the other connection when something has changed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis::{
    Client, Cmd, RedisError,
    aio::MultiplexedConnection,
    streams::{StreamKey, StreamReadReply},
};
use tokio::sync::{mpsc, watch};

use super::{
    Entry, Health, PREFIX, Part, Position, TIMEOUT,
    commands::{Backoff, Commands, connect},
    entry,
};
use crate::protocol::RunId;

/// How long a read waits for something to come. So long a change may go unnoticed where the wake
/// could not be written, as in a full Redis.
const BLOCK: Duration = Duration::from_secs(2);
/// How many entries of one run are read at a time.
const AT_ONCE: usize = 64;
/// How many such portions wait for a mirror that is busy, with the database mostly. What does not
/// fit stays in Redis.
const PORTIONS: usize = 4;

pub(super) struct Reading {
    client: Client,
    health: Arc<Health>,
    /// This instance's own stream.
    wake_key: String,
    // A standard mutex: never held over an await.
    streams: Mutex<HashMap<RunId, Stream>>,
    /// Rises when the streams have changed.
    version: watch::Sender<u64>,
    is_linked: watch::Sender<bool>,
}

struct Stream {
    id: u64,
    after: Position,
    portions: mpsc::Sender<Vec<Entry>>,
}

/// A place among those who follow. Dropping it is leaving.
pub(crate) struct Following {
    reading: Arc<Reading>,
    run: RunId,
    id: u64,
    portions: mpsc::Receiver<Vec<Entry>>,
    is_linked: watch::Receiver<bool>,
}

/// What a follower hears.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Entries, in order.
    Entries(Vec<Entry>),
    /// Redis went away or came back.
    Link,
}

impl Following {
    /// What comes next. Nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Heard {
        let is_full = self.portions.capacity() == 0;
        let heard = tokio::select! {
            biased;
            // It is closed when the run is followed anew: then nothing comes here any more.
            Some(portion) = self.portions.recv() => Heard::Entries(portion),
            // The sender is held by what we hold.
            _ = self.is_linked.changed() => Heard::Link,
        };
        if is_full {
            // It was left out of the reads.
            self.reading.changed();
        }
        heard
    }

    /// Leaves out what lies before this position, as far as it was not read yet.
    pub(crate) fn skip_to(&self, after: Position) {
        if let Some(stream) = self.reading.streams().get_mut(&self.run)
            && stream.id == self.id
        {
            stream.after = stream.after.max(after);
        }
    }

    /// Whether runs can be heard at the moment.
    pub(crate) fn is_linked(&self) -> bool {
        *self.is_linked.borrow()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut streams = self.reading.streams();
        if streams.get(&self.run).is_some_and(|stream| stream.id == self.id) {
            streams.remove(&self.run);
        }
    }
}

impl Reading {
    pub(super) fn new(client: Client, health: Arc<Health>) -> Self {
        Self {
            client,
            health,
            wake_key: format!("{PREFIX}wake:{}", RunId::new()),
            streams: Mutex::default(),
            version: watch::Sender::new(0),
            is_linked: watch::Sender::new(false),
        }
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<RunId, Stream>> {
        // Every write leaves the map whole, so a poisoned lock is as good as another.
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers the new version.
    fn changed(&self) -> u64 {
        let mut version = 0;
        self.version.send_modify(|known| {
            *known += 1;
            version = *known;
        });
        version
    }

    /// Every read names all that are followed: how many that are is for the caller to bound.
    pub(super) fn follow(self: &Arc<Self>, run: RunId, after: Position) -> Following {
        let (sender, portions) = mpsc::channel(PORTIONS);
        let mut streams = self.streams();
        let id = self.changed();
        streams.insert(run, Stream { id, after, portions: sender });
        let is_linked = self.is_linked.subscribe();
        Following { reading: self.clone(), run, id, portions, is_linked }
    }

    /// Reads, and connects again whenever the connection is lost.
    pub(super) async fn keep(&self) {
        let mut backoff = Backoff::default();
        loop {
            match connect(&self.client, BLOCK + TIMEOUT).await {
                Ok(connection) => {
                    self.is_linked.send_replace(true);
                    let error = self.read(connection, &mut backoff).await;
                    self.is_linked.send_replace(false);
                    self.health.failed(Part::Reading, &error);
                }
                Err(error) => self.health.failed(Part::Reading, &error),
            }
            backoff.wait().await;
        }
    }

    async fn read(
        &self,
        mut connection: MultiplexedConnection,
        backoff: &mut Backoff,
    ) -> RedisError {
        loop {
            let command = self.command();
            let answer: Result<Option<StreamReadReply>, _> =
                command.query_async(&mut connection).await;
            match answer {
                Err(error) => return error,
                Ok(reply) => {
                    self.health.well(Part::Reading);
                    backoff.reset();
                    for stream in reply.into_iter().flat_map(|reply| reply.keys) {
                        self.deliver(&stream);
                    }
                }
            }
        }
    }

    /// The read of all who have room for more.
    fn command(&self) -> Cmd {
        // The version first: what comes in between wakes the read once more for nothing.
        let version = *self.version.borrow();
        let streams = self.streams();
        let ready: Vec<(RunId, Position)> = streams
            .iter()
            .filter(|(_, stream)| stream.portions.capacity() > 0)
            .map(|(run, stream)| (*run, stream.after))
            .collect();
        drop(streams);
        let mut command = redis::cmd("XREAD");
        command.arg("COUNT").arg(AT_ONCE).arg("BLOCK").arg(BLOCK.as_millis() as usize);
        command.arg("STREAMS").arg(&self.wake_key);
        for (run, _) in &ready {
            command.arg(entry::key(*run));
        }
        // Behind the last entry that this version could have.
        command.arg(Position { token: version, seq: u64::MAX }.to_string());
        for (_, after) in &ready {
            command.arg(after.to_string());
        }
        command
    }

    fn deliver(&self, stream: &StreamKey) {
        let Some(run) = entry::run_of(&stream.key) else { return };
        let Some(last) = stream.ids.last().and_then(|id| id.id.parse::<Position>().ok()) else {
            return;
        };
        let mut streams = self.streams();
        let Some(followed) = streams.get_mut(&run) else { return };
        let entries: Vec<Entry> = stream
            .ids
            .iter()
            .filter_map(Entry::read)
            // Another one may have begun to follow it while this was being read.
            .filter(|entry| entry.position > followed.after)
            .collect();
        // It had room when the read began. If it has none all the same, it is read once more.
        if followed.portions.try_send(entries).is_ok() {
            followed.after = followed.after.max(last);
        }
    }

    /// Wakes the read that is under way when the streams have changed.
    pub(super) async fn wake(&self, commands: &Commands) {
        let mut version = self.version.subscribe();
        loop {
            // The sender is ours: it does not go away.
            let _ = version.changed().await;
            let version = *version.borrow_and_update();
            if let Err(error) = commands.wake(&self.wake_key, version).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "no wake-up");
            }
        }
    }
}
