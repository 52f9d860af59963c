//! Runs that are to begin, many in one transaction: what comes while one is under way waits and
//! goes into the next.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{
    Result, StoreError,
    record::{Begun, NewRun},
};
use crate::protocol::UserId;

/// How many may wait before their callers do.
const QUEUE: usize = 1024;

/// How many begin in one transaction, so that the first of them does not wait for ever.
const GROUP: usize = 256;

/// How long a run waits for its group to be begun before the store counts as unavailable.
const PATIENCE: Duration = Duration::from_secs(5);

/// Begins runs in groups.
pub(super) trait BeginGroup: Send + Sync + 'static {
    /// Begins each, or says why not, in their order. One that fails fails alone, unless the
    /// database is away.
    fn begin_group(&self, runs: Vec<NewRun>) -> impl Future<Output = Vec<Result<Begun>>> + Send;
}

/// The way to the task that begins runs.
pub(super) struct BeginQueue {
    waiting: mpsc::Sender<Waiting>,
    closing: CancellationToken,
    task: TaskTracker,
}

struct Waiting {
    run: NewRun,
    turn: Arc<Turn>,
    answer: oneshot::Sender<Result<Begun>>,
}

/// Whose turn it is to say what becomes of a run: once it is taken, the run begins.
#[derive(Default)]
struct Turn(AtomicU8);

impl Turn {
    const WAITING: u8 = 0;
    const TAKEN: u8 = 1;
    const LEFT: u8 = 2;

    fn take(&self) -> bool {
        self.settle(Self::TAKEN)
    }

    fn leave(&self) -> bool {
        self.settle(Self::LEFT)
    }

    fn settle(&self, as_what: u8) -> bool {
        let order = Ordering::Relaxed;
        self.0.compare_exchange(Self::WAITING, as_what, order, order).is_ok()
    }
}

impl BeginQueue {
    /// Starts the task.
    pub(super) fn start(beginner: impl BeginGroup) -> Self {
        let (waiting, queue) = mpsc::channel(QUEUE);
        let closing = CancellationToken::new();
        let task = TaskTracker::new();
        task.spawn(serve(queue, closing.clone(), beginner));
        task.close();
        Self { waiting, closing, task }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.max_capacity() - self.waiting.capacity()
    }

    /// Takes no more runs, and waits until those that wait have begun.
    pub(super) async fn close(&self) {
        self.closing.cancel();
        self.task.wait().await;
    }

    /// Begins a run, or answers why not, when that is committed. A caller that goes away leaves a run
    /// that began whole, or not at all.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] also when its turn did not come for as long as one would wait for
    /// a connection.
    pub(super) async fn begin(&self, run: NewRun) -> Result<Begun> {
        let (answer, mut begun) = oneshot::channel();
        let turn = Arc::new(Turn::default());
        let waiting = Waiting { run, turn: turn.clone(), answer };
        let waited = timeout(PATIENCE, async {
            self.waiting.send(waiting).await.map_err(|_| StoreError::closed())?;
            (&mut begun).await.map_err(|_| StoreError::closed())
        });
        match waited.await {
            Ok(begun) => begun?,
            Err(_) if turn.leave() => Err(StoreError::crowded()),
            Err(_) => begun.await.map_err(|_| StoreError::closed())?,
        }
    }
}

/// Begins runs until the queue is closed and empty.
async fn serve(
    mut queue: mpsc::Receiver<Waiting>,
    closing: CancellationToken,
    beginner: impl BeginGroup,
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
        let (runs, answers): (Vec<_>, Vec<_>) = group
            .drain(..)
            .filter(|waiting| waiting.turn.take())
            .map(|waiting| (waiting.run, waiting.answer))
            .unzip();
        if runs.is_empty() {
            continue;
        }
        for (begun, answer) in beginner.begin_group(runs).await.into_iter().zip(answers) {
            // The caller may have gone away.
            let _ = answer.send(begun);
        }
    }
}

/// What each of a group is answered when the database is away.
pub(super) fn all_unavailable(error: StoreError, runs: usize) -> Vec<Result<Begun>> {
    let cause = Arc::new(error);
    let unavailable = || StoreError::Unavailable(Box::new(Arc::clone(&cause)));
    (0..runs).map(|_| Err(unavailable())).collect()
}

/// Parts runs so that no thread and no key is twice in a wave: the later one must find what the
/// earlier one has left. Answers their places.
pub(super) fn waves(runs: &[NewRun]) -> Vec<Vec<usize>> {
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
