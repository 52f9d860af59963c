//! One task that commits for all runs, many at a time.
//!
//! While one transaction is under way, what arrives waits and goes into the next, so that a
//! thousand live runs cost a handful of transactions a second. A [boundary](Urgency::Boundary) is
//! committed at once; a checkpoint waits [`LINGER`] for others to join it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::store::{
    Store, StoreError,
    record::{RunWrite, WriteOutcome},
};

/// How long a checkpoint waits for others.
const LINGER: Duration = Duration::from_millis(50);
/// How long a write is tried again while the database is away.
pub(super) const RETRY_FOR: Duration = Duration::from_mins(1);
/// The pause between two tries.
pub(super) const RETRY_EVERY: Duration = Duration::from_millis(250);
/// At most so many writes in one transaction: it shall stay short.
const GROUP: usize = 512;
/// A run has at most one write under way, so that this bounds nothing but a burst of starts.
const QUEUE: usize = 4_096;

/// Why a write was not made.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// The run is another's, has ended, or is gone: write and publish nothing more.
    #[error("the lease of the run is lost")]
    LeaseLost,
    /// The database was away for too long.
    #[error("the database stayed away")]
    Unavailable,
    /// The database refused the write, and would again.
    #[error("the database refused the write")]
    Refused,
}

/// Whether somebody waits for a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Nobody does.
    Checkpoint,
    /// An event is held back until it is committed.
    Boundary,
}

type Answer = oneshot::Sender<Result<(), WriteError>>;

/// The answer to a write, as a future. Dropping it does not take the write back.
pub(super) type Written = oneshot::Receiver<Result<(), WriteError>>;

struct Job {
    write: RunWrite,
    urgency: Urgency,
    answer: Answer,
}

/// How writing gets on, for whoever waits for its end.
#[derive(Default)]
pub(super) struct Progress {
    written: AtomicU64,
    given_up: AtomicUsize,
    give_up: CancellationToken,
}

impl Progress {
    /// How many groups the database has taken or refused.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Whatever is not written by now is answered as unavailable.
    pub(super) fn give_up(&self) {
        self.give_up.cancel();
    }

    /// How many writes that were.
    pub(super) fn given_up(&self) -> usize {
        self.given_up.load(Ordering::Relaxed)
    }

    /// `None` when it was given up first.
    pub(super) async fn until_given_up<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.give_up.run_until_cancelled(work).await
    }
}

/// A handle on the writer.
#[derive(Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    /// The handle, and the task's future, which ends when the last handle is gone and all is
    /// written.
    pub(super) fn new(
        store: Arc<dyn Store>,
        progress: Arc<Progress>,
    ) -> (Self, impl Future<Output = ()>) {
        let (jobs, queue) = mpsc::channel(QUEUE);
        (Self { jobs }, work(store, progress, queue))
    }

    /// How many writes wait.
    pub(super) fn waiting(&self) -> usize {
        self.jobs.max_capacity() - self.jobs.capacity()
    }

    /// Hands a write in. Waits only while the queue is full.
    pub(super) async fn submit(&self, write: RunWrite, urgency: Urgency) -> Written {
        let (answer, written) = oneshot::channel();
        // A closed queue drops the answer, which the caller sees as an error.
        let _ = self.jobs.send(Job { write, urgency, answer }).await;
        written
    }
}

/// What became of a write whose answer was awaited.
pub(super) async fn outcome(written: &mut Written) -> Result<(), WriteError> {
    written.await.unwrap_or(Err(WriteError::Unavailable))
}

async fn work(store: Arc<dyn Store>, progress: Arc<Progress>, mut queue: mpsc::Receiver<Job>) {
    while let Some(group) = next_group(&mut queue).await {
        let started = Instant::now();
        commit(&*store, &progress, group).await;
        metrics::histogram!("gateway_commit_seconds").record(started.elapsed().as_secs_f64());
    }
}

/// Waits for a write, and for others unless somebody waits for one of them.
async fn next_group(queue: &mut mpsc::Receiver<Job>) -> Option<Vec<Job>> {
    let first = queue.recv().await?;
    let deadline = Instant::now() + LINGER;
    let mut is_urgent = first.urgency == Urgency::Boundary;
    let mut group = vec![first];
    while group.len() < GROUP {
        let next = if is_urgent {
            queue.try_recv().ok()
        } else {
            timeout_at(deadline, queue.recv()).await.ok().flatten()
        };
        let Some(job) = next else { break };
        is_urgent |= job.urgency == Urgency::Boundary;
        group.push(job);
    }
    Some(group)
}

async fn commit(store: &dyn Store, progress: &Progress, group: Vec<Job>) {
    let (writes, answers): (Vec<RunWrite>, Vec<Answer>) =
        group.into_iter().map(|job| (job.write, job.answer)).unzip();
    let written = progress.until_given_up(write_with_patience(store, &writes)).await;
    let outcomes = if let Some(outcomes) = written {
        progress.written.fetch_add(1, Ordering::Relaxed);
        outcomes
    } else {
        progress.given_up.fetch_add(writes.len(), Ordering::Relaxed);
        Err(StoreError::Unavailable("the process ends".into()))
    };
    if let Err(error) = &outcomes {
        tracing::error!(error = error as &dyn std::error::Error, "runs could not be written");
    }
    let mut outcomes = outcomes.map(Vec::into_iter);
    for answer in answers {
        let result = match &mut outcomes {
            Ok(outcomes) => to_result(outcomes.next().unwrap_or(WriteOutcome::Refused)),
            Err(StoreError::Unavailable(_)) => Err(WriteError::Unavailable),
            Err(_) => Err(WriteError::Refused),
        };
        // Nobody waits for the outcome of a run that was dropped meanwhile.
        let _ = answer.send(result);
    }
}

/// Writes the group, again and again while the database is away.
async fn write_with_patience(
    store: &dyn Store,
    writes: &[RunWrite],
) -> Result<Vec<WriteOutcome>, StoreError> {
    let deadline = Instant::now() + RETRY_FOR;
    loop {
        match store.write_runs(writes.to_vec()).await {
            Err(StoreError::Unavailable(source)) if Instant::now() < deadline => {
                tracing::warn!(error = %source, "the database is away, writing again");
                tokio::time::sleep(RETRY_EVERY).await;
            }
            result => return result,
        }
    }
}

fn to_result(outcome: WriteOutcome) -> Result<(), WriteError> {
    match outcome {
        WriteOutcome::Written => Ok(()),
        WriteOutcome::LeaseLost => Err(WriteError::LeaseLost),
        WriteOutcome::Refused => Err(WriteError::Refused),
    }
}
