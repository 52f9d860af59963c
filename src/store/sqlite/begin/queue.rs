//! Runs that are to begin, many in one transaction: what comes while one is under way waits and
//! goes into the next.

use std::{collections::HashSet, sync::Arc};

use sqlx::SqliteConnection;
use tokio::sync::{mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{
    super::writer::{Writer, closed},
    admit::{self, Admitted},
    begin_alone,
    start::start,
};
use crate::{
    protocol::UserId,
    store::{
        Result, StoreError,
        record::{Begun, NewRun},
    },
};

/// How many may wait before their callers do.
const QUEUE: usize = 1024;

/// How many begin in one transaction, so that the first of them does not wait for ever.
const GROUP: usize = 256;

/// The way to the task that begins runs.
pub(in crate::store::sqlite) struct BeginQueue {
    waiting: mpsc::Sender<Waiting>,
    closing: CancellationToken,
    task: TaskTracker,
}

struct Waiting {
    run: NewRun,
    answer: oneshot::Sender<Result<Begun>>,
}

impl BeginQueue {
    /// Starts the task.
    pub(in crate::store::sqlite) fn start(writer: Arc<Writer>) -> Self {
        let (waiting, queue) = mpsc::channel(QUEUE);
        let closing = CancellationToken::new();
        let task = TaskTracker::new();
        task.spawn(serve(queue, closing.clone(), writer));
        task.close();
        Self { waiting, closing, task }
    }

    /// How many wait.
    pub(in crate::store::sqlite) fn waiting(&self) -> usize {
        self.waiting.max_capacity() - self.waiting.capacity()
    }

    /// Takes no more runs, and waits until those that wait have begun.
    pub(in crate::store::sqlite) async fn close(&self) {
        self.closing.cancel();
        self.task.wait().await;
    }

    /// Begins a run, or answers why not, when that is committed. A caller that goes away leaves a run
    /// that began whole, or not at all.
    pub(in crate::store::sqlite) async fn begin(&self, run: NewRun) -> Result<Begun> {
        let (answer, begun) = oneshot::channel();
        self.waiting.send(Waiting { run, answer }).await.map_err(|_| closed())?;
        begun.await.map_err(|_| closed())?
    }
}

/// Begins runs until the queue is closed and empty.
async fn serve(
    mut queue: mpsc::Receiver<Waiting>,
    closing: CancellationToken,
    writer: Arc<Writer>,
) {
    let mut group = Vec::new();
    loop {
        let waiting = tokio::select! {
            biased;
            waiting = queue.recv_many(&mut group, GROUP) => waiting,
            () = closing.cancelled(), if !queue.is_closed() => {
                queue.close();
                continue;
            }
        };
        if waiting == 0 {
            return;
        }
        let (runs, answers): (Vec<_>, Vec<_>) =
            group.drain(..).map(|waiting| (waiting.run, waiting.answer)).unzip();
        for (begun, answer) in begin_group(&writer, runs).await.into_iter().zip(answers) {
            // The caller may have gone away.
            let _ = answer.send(begun);
        }
    }
}

/// One run fails alone: when the database refuses the group, each of it is tried by itself.
async fn begin_group(writer: &Writer, runs: Vec<NewRun>) -> Vec<Result<Begun>> {
    let runs: Arc<[NewRun]> = runs.into();
    let group = Arc::clone(&runs);
    let begun = writer
        .write(move |connection| Box::pin(async move { begin_all(connection, &group).await }))
        .await;
    match begun {
        Ok(begun) => begun.into_iter().map(Ok).collect(),
        Err(error) if error.is_unavailable() => {
            let cause = Arc::new(error);
            runs.iter()
                .map(|_| Err(StoreError::Unavailable(Box::new(Arc::clone(&cause)))))
                .collect()
        }
        Err(_) => {
            let mut begun = Vec::with_capacity(runs.len());
            for run in runs.iter() {
                begun.push(begin_alone(writer, run.clone()).await);
            }
            begun
        }
    }
}

async fn begin_all(connection: &mut SqliteConnection, runs: &[NewRun]) -> Result<Vec<Begun>> {
    let mut begun: Vec<Option<Begun>> = runs.iter().map(|_| None).collect();
    for wave in waves(runs) {
        let wave_runs: Vec<&NewRun> = wave.iter().map(|place| &runs[*place]).collect();
        let admissions = admit::admit(connection, &wave_runs).await?;
        let mut places = Vec::with_capacity(wave.len());
        let mut admitted: Vec<Admitted<'_>> = Vec::with_capacity(wave.len());
        for (place, admission) in wave.into_iter().zip(admissions) {
            match admission {
                Ok(one) => {
                    places.push(place);
                    admitted.push(one);
                }
                Err(refusal) => begun[place] = Some(refusal),
            }
        }
        if admitted.is_empty() {
            continue;
        }
        for (place, thread) in places.into_iter().zip(start(connection, admitted).await?) {
            begun[place] = Some(Begun::Started(Box::new(thread)));
        }
    }
    Ok(begun.into_iter().map(|begun| begun.expect("each run is in a wave")).collect())
}

/// Parts runs so that no thread and no key is twice in a wave: the later one must find what the
/// earlier one has left.
fn waves(runs: &[NewRun]) -> Vec<Vec<usize>> {
    let mut waves = Vec::new();
    let mut rest: Vec<usize> = (0..runs.len()).collect();
    while !rest.is_empty() {
        let mut threads: HashSet<Uuid> = HashSet::new();
        let mut keys: HashSet<(&UserId, &str, &str)> = HashSet::new();
        let (wave, later) = rest.into_iter().partition(|place| {
            let run = &runs[*place];
            let key = run.idempotency.as_ref();
            // Both sets take it, so that of three the third is behind the second, too.
            let has_thread = threads.insert(run.thread.id().as_uuid());
            let has_key = key.is_none_or(|key| keys.insert((&run.user_id, &key.route, &key.key)));
            has_thread && has_key
        });
        waves.push(wave);
        rest = later;
    }
    waves
}
