//! The one task that writes.
//!
//! It owns the writing connection. Writes reach it through a queue; it opens a transaction, runs
//! all that are waiting, each behind the first in a savepoint of its own, commits once, and only then
//! answers them. So
//!
//! - a caller that goes away never leaves a transaction open: its write happens whole or not at all;
//! - all that arrive during one sync of the disk share the next one;
//! - a write that fails takes back only what is its own; a commit that fails fails all of it.

use std::{fs::File, sync::Arc};

use futures_util::future::BoxFuture;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::store::{Result, StoreError};

/// How many writes may wait before their callers do: a transaction of 256 takes some 20 ms, so
/// that a full queue is worked off well within a second.
const QUEUE: usize = 1024;

/// How many writes share a transaction, so that the first of them does not wait for ever.
const MAX_BATCH: usize = 256;

const BEGIN: &str = "BEGIN IMMEDIATE";

/// What a write does to the connection, within a transaction.
pub(super) type Work<T> =
    Box<dyn for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send>;

/// The way to the writing task.
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    closing: CancellationToken,
    task: TaskTracker,
}

impl Writer {
    /// Starts the task. It keeps the lock until the connection is closed.
    pub(super) fn start(connection: SqliteConnection, lock: File) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let closing = CancellationToken::new();
        let task = TaskTracker::new();
        task.spawn(serve(connection, jobs, closing.clone(), lock));
        task.close();
        Self { queue, closing, task }
    }

    /// Runs a write and answers when it is committed, or why it was not.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        self.write_if(work, |_| true).await
    }

    /// Runs a write whose answer tells whether it is to be kept or taken back.
    pub(super) async fn write_if<T, F>(&self, work: F, keep: fn(&T) -> bool) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Pending { work: Some(Box::new(work)), keep, outcome: None, reply };
        self.queue.send(Box::new(job)).await.map_err(|_| StoreError::closed())?;
        answer.await.map_err(|_| StoreError::closed())?
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Whether nothing can be written any more.
    pub(super) fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    /// Takes no more writes, finishes those that wait, and closes the connection.
    pub(super) async fn close(&self) {
        self.closing.cancel();
        self.task.wait().await;
    }
}

/// A write in the queue, its type forgotten.
trait Job: Send {
    /// Runs it and keeps the outcome; whether its changes are to be kept too.
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, bool>;

    /// Answers the caller, if it still waits. `failure` is why the transaction was not committed.
    fn answer(self: Box<Self>, failure: Option<Arc<sqlx::Error>>);
}

struct Pending<T> {
    work: Option<Work<T>>,
    keep: fn(&T) -> bool,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T: Send> Job for Pending<T> {
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, bool> {
        Box::pin(async move {
            let Some(work) = self.work.take() else { return false };
            let outcome = work(connection).await;
            let is_kept = outcome.as_ref().is_ok_and(self.keep);
            self.outcome = Some(outcome);
            is_kept
        })
    }

    fn answer(self: Box<Self>, failure: Option<Arc<sqlx::Error>>) {
        let answer = match (failure, self.outcome) {
            (None, Some(outcome)) => outcome,
            (None, None) => Err(StoreError::closed()),
            // Even an outcome that changed nothing: it may rest on what was not committed.
            (Some(failure), _) => Err(StoreError::Unavailable(Box::new(failure))),
        };
        // The caller may have gone away.
        let _ = self.reply.send(answer);
    }
}

/// Writes until the queue is closed and empty.
async fn serve(
    mut connection: SqliteConnection,
    mut queue: mpsc::Receiver<Box<dyn Job>>,
    closing: CancellationToken,
    lock: File,
) {
    let mut batch = Vec::with_capacity(MAX_BATCH);
    loop {
        let waiting = tokio::select! {
            biased;
            waiting = queue.recv_many(&mut batch, MAX_BATCH) => waiting,
            () = closing.cancelled(), if !queue.is_closed() => {
                queue.close();
                continue;
            }
        };
        if waiting == 0 {
            break;
        }
        let failure = commit(&mut connection, &mut batch, &mut queue).await.err().map(Arc::new);
        for job in batch.drain(..) {
            job.answer(failure.clone());
        }
    }
    checkpoint(&mut connection).await;
    if let Err(error) = connection.close().await {
        tracing::warn!(error = %error, "database file not closed cleanly");
    }
    drop(lock);
}

/// Runs a batch, and what comes in meanwhile, in one transaction. What the first write has done is
/// the whole transaction's, so that it needs no savepoint: mostly there is no other.
async fn commit(
    connection: &mut SqliteConnection,
    batch: &mut Vec<Box<dyn Job>>,
    queue: &mut mpsc::Receiver<Box<dyn Job>>,
) -> sqlx::Result<()> {
    execute(connection, BEGIN).await?;
    let outcome = match run_all(connection, batch, queue).await {
        Ok(()) => execute(connection, "COMMIT").await,
        Err(error) => Err(error),
    };
    if outcome.is_err() {
        // SQLite itself has rolled back after some errors, and then refuses this one.
        let _ = execute(connection, "ROLLBACK").await;
    }
    outcome
}

async fn run_all(
    connection: &mut SqliteConnection,
    batch: &mut Vec<Box<dyn Job>>,
    queue: &mut mpsc::Receiver<Box<dyn Job>>,
) -> sqlx::Result<()> {
    let mut next = 0;
    let mut is_empty = true;
    while next < batch.len() {
        if is_empty {
            is_empty = !batch[next].run(connection).await;
            if is_empty {
                execute(connection, "ROLLBACK").await?;
                execute(connection, BEGIN).await?;
            }
        } else {
            execute(connection, "SAVEPOINT one_write").await?;
            if !batch[next].run(connection).await {
                execute(connection, "ROLLBACK TO one_write").await?;
            }
            execute(connection, "RELEASE one_write").await?;
        }
        next += 1;
        if batch.len() < MAX_BATCH
            && let Ok(job) = queue.try_recv()
        {
            batch.push(job);
        }
    }
    Ok(())
}

async fn execute(connection: &mut SqliteConnection, sql: &'static str) -> sqlx::Result<()> {
    sqlx::query(sql).execute(connection).await.map(|_| ())
}

/// Folds the write-ahead log into the file. That it could not is no loss: the next opening does.
async fn checkpoint(connection: &mut SqliteConnection) {
    if let Err(error) = sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(connection).await {
        tracing::warn!(error = %error, "write-ahead log left beside the database file");
    }
}
