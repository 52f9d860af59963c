//! One generation of an answer, from the moment a message is accepted to its end.
//!
//! ```text
//! start ──T1──> store            drive ── agent ── events ──> log ──> readers
//!    └─ spawns ─> drive             └── writer ──T2, T3──> store
//! ```
//!
//! | file | does |
//! |---|---|
//! | `start`, `live_run` | what starts a run; a run of this process |
//! | `opening` | what a run begins with: a message, a retry, an action … |
//! | `drive` | the task that owns a run |
//! | `log`, `segment`, `readers` | a run's events in memory, for any number of readers |
//! | `writer` | commits for all runs, many at a time |
//! | `disconnect` | what becomes of a run that nobody watches any more |
//! | `relay` | a reader of any run: live, ended, or another process's |
//! | `supersede`, `presence` | what gives way to a new message; who watches from elsewhere |
//! | `feeder`, `follow` | live events to and from other instances |
//! | `recovery` | ends what a dead process left |
//! | `resume`, `replay` | goes on with it instead, where the agent can |
//! | `outcome`, `closing` | how a run ends, and what is kept then |
//! | `under_way` | items that are not done, as far as they have come |
//! | `chunk`, `fold`, `escape` | events to storage, events to items, text to JSON |
//! | `titling` | a thread's title, beside its first answer |
//! | `shutdown` | the end of all runs |
//! | `slots`, `budget` | how many may live at a time; how many tokens a day may take |
//! | `keys` | one request for one key at a time |
//! | `spans` | the trace of a run |
//!
//! **Acknowledged means stored**: nothing is shown and no model is called before the user's
//! message, the run and the idempotency key are committed. **Done means stored**:
//! `thread.item.done` is shown after its commit. **A reader is only a reader**: its leaving or
//! stalling changes nothing.

mod budget;
mod chunk;
mod closing;
mod disconnect;
mod drive;
mod escape;
mod feeder;
mod fold;
mod follow;
mod history;
mod keys;
mod live_run;
mod log;
mod opening;
mod outcome;
mod presence;
#[cfg(any(test, fuzzing))]
pub(crate) mod property;
mod readers;
mod recovery;
mod relay;
mod replay;
mod resume;
mod segment;
mod shutdown;
mod slots;
mod spans;
mod start;
mod supersede;
mod titling;
mod under_way;
mod writer;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument as _, Span};

use crate::{
    agent::{Agent, HistorySource, ThreadHandle, TitleMaker, Turn},
    live::{Live, Signal},
    protocol::{RunId, ThreadId, Timestamp, UserId},
    store::{
        Store, StoreError,
        record::{Begun, IdempotencyKey, Lease, NewRun, RunStatus, RunThread, ThreadRecord},
    },
};

pub use budget::TokensADay;
pub use disconnect::OnDisconnect;
use drive::Drive;
use feeder::Feeder;
use follow::Follows;
use history::{FirstMessage, StoredHistory};
use keys::KeyQueue;
pub use live_run::LiveRun;
use live_run::Stop;
pub use log::{LogReader, RunLog};
pub use opening::Opening;
pub use outcome::StopReason;
use presence::Presence;
pub use relay::{RunEvents, WatchError};
pub use segment::Framing;
pub use shutdown::Unstored;
use slots::Slots;
pub use start::{StartError, StartRun, Started};
use start::{announce, refused};
use writer::{Progress, Writer};

/// How long a process may be silent before others take its runs for dead. Renewed every 5 s.
const LEASE: Duration = Duration::from_secs(15);

/// The token of the lease that a run begins with; each process that takes it over has a higher one.
const FIRST_TOKEN: i64 = 1;

/// Bounds of runs, and what becomes of them.
#[derive(Clone, Copy, Debug)]
pub struct RunLimits {
    /// How long one may take.
    pub run_timeout: Duration,
    /// How large its events may grow, in bytes.
    pub max_output_bytes: usize,
    /// How many may live in this process; 0 is no limit.
    pub max_runs: usize,
    /// How many of one user; 0 is no limit.
    pub max_runs_per_user: usize,
    /// How many tokens models may use in a day.
    pub tokens_a_day: TokensADay,
    /// What becomes of one when its last reader has gone.
    pub on_disconnect: OnDisconnect,
    /// How long after its end its events can be had.
    pub events_kept: Duration,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            run_timeout: Duration::from_mins(15),
            max_output_bytes: 16 * 1024 * 1024,
            max_runs: 10_000,
            max_runs_per_user: 3,
            tokens_a_day: TokensADay::default(),
            on_disconnect: OnDisconnect::Continue,
            events_kept: Duration::from_mins(15),
        }
    }
}

/// All runs of this process. Cheap to clone.
#[derive(Clone)]
pub struct Runs {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    agent: Arc<dyn Agent>,
    titles: Option<Arc<dyn TitleMaker>>,
    /// Taken at the end, so that the writer sees that nothing comes any more.
    writer: Mutex<Option<Writer>>,
    writer_task: TaskTracker,
    progress: Arc<Progress>,
    /// The drive tasks and what else must end before the process may.
    tasks: TaskTracker,
    live_runs: Mutex<HashMap<RunId, Arc<LiveRun>>>,
    /// Runs of this process that it does not drive and that may not have ended: for the sweep.
    not_ended: Mutex<Vec<NotEnded>>,
    /// What is shared with other instances.
    live: Live,
    follows: Arc<Follows>,
    presence: Arc<Presence>,
    slots: Slots,
    keys: KeyQueue,
    limits: RunLimits,
    /// Names this process in leases.
    owner: String,
    /// No new runs.
    closing: CancellationToken,
    /// The drain time is over: no runs at all.
    drained: CancellationToken,
}

impl Runs {
    /// The engine, with its writer and its upkeep started.
    pub fn new(
        store: Arc<dyn Store>,
        agent: Arc<dyn Agent>,
        titles: Option<Arc<dyn TitleMaker>>,
        limits: RunLimits,
        live: Live,
    ) -> Self {
        let owner = RunId::new().to_string();
        let progress = Arc::new(Progress::default());
        let (writer, writing) = Writer::new(store.clone(), progress.clone());
        let writer_task = TaskTracker::new();
        writer_task.spawn(writing);
        let inner = Inner {
            agent,
            titles,
            writer: Mutex::new(Some(writer)),
            writer_task,
            progress,
            tasks: TaskTracker::new(),
            live_runs: Mutex::default(),
            not_ended: Mutex::default(),
            follows: Follows::new(live.clone(), store.clone()),
            presence: Presence::new(live.clone(), owner.clone()),
            live,
            store,
            slots: Slots::new(limits.max_runs, limits.max_runs_per_user),
            keys: KeyQueue::default(),
            limits,
            owner,
            closing: CancellationToken::new(),
            drained: CancellationToken::new(),
        };
        let runs = Self { inner: Arc::new(inner) };
        runs.inner.tasks.spawn(recovery::watch(runs.clone()));
        runs
    }

    /// Accepts a run: commits it, then starts its task. What is answered is stored.
    pub async fn start(&self, request: StartRun) -> Result<Started, StartError> {
        let runs = self.clone();
        // In a task of its own: a client that leaves between the commit and the start of the drive
        // must not leave a run behind that nobody drives.
        let span = spans::run();
        let accepted = self.inner.tasks.spawn(async move {
            let started = runs.accept(request, &span).await;
            if !matches!(started, Ok(Started::Now(_))) {
                span.record("run.status", "not_begun");
            }
            started
        });
        accepted.await.unwrap_or(Err(StartError::ShuttingDown))
    }

    async fn accept(&self, request: StartRun, span: &Span) -> Result<Started, StartError> {
        if self.inner.closing.is_cancelled() {
            return Err(StartError::ShuttingDown);
        }
        let writer = self.writer().ok_or(StartError::ShuttingDown)?;
        // Two requests with one key come one behind the other, so that the second finds the first.
        let _turn = match &request.idempotency {
            Some(key) => Some(self.inner.keys.enter(&request.user_id, key).await),
            None => None,
        };
        let slot = match self.inner.slots.take(&request.user_id) {
            Ok(slot) => slot,
            // What was begun before needs no place of its own.
            Err(full) => {
                let before = self.find_before(&request.user_id, request.idempotency.as_ref());
                return before.await?.ok_or(full);
            }
        };
        let new = self.new_run(&request);
        let tokens = self.inner.limits.tokens_a_day;
        if let Err(used_up) = tokens.check(&*self.inner.store, &request.user_id, new.now).await {
            let before = self.find_before(&request.user_id, request.idempotency.as_ref());
            return before.await?.ok_or(used_up);
        }
        let (run_id, lease) = (new.id, new.lease.clone());
        let begun = self.inner.store.begin_run(new).instrument(spans::accept(span));
        let begins = Instant::now();
        let begun = begun.await;
        metrics::histogram!("gateway_begin_seconds").record(begins.elapsed().as_secs_f64());
        let thread = match begun {
            Ok(Begun::Started(thread)) => *thread,
            Ok(refusal) => return refused(&refusal),
            Err(error) => {
                // The connection may have broken behind the commit: then it is there, and nobody
                // drives it.
                self.leave_to_sweep(&request.user_id, run_id, FIRST_TOKEN);
                return Err(error.into());
            }
        };
        let live = Arc::new(LiveRun {
            id: run_id,
            thread_id: thread.id,
            user_id: request.user_id.clone(),
            thread: ThreadHandle::new(thread.clone()),
            log: Arc::new(RunLog::new()),
            stop: Stop::default(),
            ended: CancellationToken::new(),
            started: Instant::now(),
            _slot: slot,
        });
        spans::name(span, &live);
        announce(&live.log, &request, &thread);
        self.live().insert(run_id, live.clone());
        if self.inner.drained.is_cancelled() {
            // It was being accepted when all others were told.
            live.stop(StopReason::Shutdown);
        }
        self.begin_feed(&live, &lease);
        self.begin_title(&live, &request, &thread);
        if let OnDisconnect::CancelAfter(grace) = self.inner.limits.on_disconnect {
            let presence = self.inner.presence.clone();
            self.inner.tasks.spawn(disconnect::cancel_when_left(presence, live.clone(), grace));
        }
        let opening = request.opening.clone();
        let turn = self.turn(&live, request, span);
        let drive = Box::new(Drive::new(live.clone(), turn, writer, lease, self.inner.limits));
        self.inner.tasks.spawn(self.clone().drive(live.clone(), drive, opening));
        Ok(Started::Now(live))
    }

    /// The run that the same request started before, if its key says so.
    pub async fn find_before(
        &self,
        user: &UserId,
        key: Option<&IdempotencyKey>,
    ) -> Result<Option<Started>, StartError> {
        let Some(key) = key else { return Ok(None) };
        let found = self.inner.store.find_keyed_run(user, key).await?;
        found.as_ref().map(refused).transpose()
    }

    fn new_run(&self, request: &StartRun) -> NewRun {
        let (user, thread) = (request.user_id.clone(), request.thread.clone());
        let mut run = NewRun::new(user, thread, self.lease(FIRST_TOKEN), Timestamp::now());
        run.idempotency.clone_from(&request.idempotency);
        request.opening.write(&mut run);
        run
    }

    fn lease(&self, token: i64) -> Lease {
        Lease { owner: self.inner.owner.clone(), token, ttl: LEASE }
    }

    fn turn(&self, live: &LiveRun, request: StartRun, span: &Span) -> Turn {
        Turn {
            run_id: live.id,
            user_id: request.user_id.clone(),
            claims: request.claims.clone(),
            thread: live.thread.clone(),
            input: request.opening.item().cloned(),
            history: self.history_of(live, &request),
            options: request.options,
            cancel: live.stop.token.clone(),
            span: span.clone(),
        }
    }

    /// What was said before a run.
    fn history_of(&self, live: &LiveRun, request: &StartRun) -> Arc<dyn HistorySource> {
        let stored = StoredHistory::new(self.inner.store.clone(), live.thread_id);
        match (&request.thread, &request.opening) {
            (RunThread::New(_), Opening::Message(message)) => {
                Arc::new(FirstMessage::new(message.clone(), live, stored))
            }
            _ => Arc::new(stored),
        }
    }

    /// What was said in a thread.
    pub(crate) fn history(&self, thread_id: ThreadId) -> Arc<dyn HistorySource> {
        Arc::new(StoredHistory::new(self.inner.store.clone(), thread_id))
    }

    /// Other instances hear of the run as it goes.
    fn begin_feed(&self, run: &LiveRun, lease: &Lease) {
        if self.inner.live.is_shared() {
            let feeder = Feeder {
                live: self.inner.live.clone(),
                run: run.id,
                token: feeder::token(lease),
                log: run.log.clone(),
                ended: run.ended.clone(),
            };
            let progress = self.inner.progress.clone();
            self.inner.tasks.spawn(async move { progress.until_given_up(feeder.feed()).await });
        }
    }

    /// A thread whose first message this is gets a title.
    fn begin_title(&self, live: &Arc<LiveRun>, request: &StartRun, thread: &ThreadRecord) {
        let Some(maker) = &self.inner.titles else { return };
        let Opening::Message(message) = &request.opening else { return };
        if thread.title.is_some() || thread.message_count > 1 {
            return;
        }
        let text = message.kind.plain_text();
        let titling = titling::give_title(self.clone(), live.clone(), maker.clone(), text);
        self.inner.tasks.spawn(titling);
    }

    async fn drive(self, live: Arc<LiveRun>, drive: Box<Drive>, opening: Opening) {
        let (token, span) = (drive.token(), drive.span());
        let status = drive.answer(self.inner.agent.clone(), &opening).await;
        if status.is_none() {
            self.leave_to_sweep(&live.user_id, live.id, token);
        }
        let status = status.unwrap_or(RunStatus::Interrupted);
        self.live().remove(&live.id);
        live.ended.cancel();
        span.record("run.status", status.as_str());
        drop(span);
        let elapsed = live.started.elapsed();
        metrics::counter!("gateway_runs_total", "status" => status.as_str()).increment(1);
        tracing::info!(
            run.id = %live.id,
            thread.id = %live.thread_id,
            run.status = status.as_str(),
            duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            "run ended",
        );
    }

    /// Does what is no run to its end, also when the caller's future is dropped. `None` when it
    /// panicked, or the drain time was over first.
    pub(crate) async fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let drained = self.inner.drained.clone();
        let work = async move { drained.run_until_cancelled(work).await };
        self.inner.tasks.spawn(work).await.ok().flatten()
    }

    /// A run of this process that has not ended.
    pub fn find_live(&self, id: RunId) -> Option<Arc<LiveRun>> {
        self.live().get(&id).cloned()
    }

    /// Tells a run's owner, another instance, to stop it. That it is to be stopped is stored
    /// already: the owner finds it, should it not hear this.
    pub(crate) async fn stop_elsewhere(&self, id: RunId) {
        self.inner.live.tell(&Signal::Cancel(id)).await;
    }

    /// The run that another process has in one of the user's threads.
    async fn find_run_elsewhere(
        &self,
        user: &UserId,
        thread_id: ThreadId,
    ) -> Result<Option<RunId>, StoreError> {
        if self.inner.store.kind() == "sqlite" {
            // There is no other process.
            return Ok(None);
        }
        let thread = self.inner.store.find_thread(user, thread_id).await?;
        Ok(thread.and_then(|thread| thread.active_run_id))
    }

    /// How many runs live in this process, and how many readers they have.
    pub fn counts(&self) -> (usize, usize) {
        let live = self.live();
        (live.len(), live.values().map(|run| run.reader_count()).sum())
    }

    /// How many writes of runs wait, with the name of their queue; `None` behind the end.
    pub fn queue_length(&self) -> Option<(&'static str, usize)> {
        Some(("writer", self.writer()?.waiting()))
    }

    /// Whether a client that closes its connection stops its run at once.
    pub fn stops_when_left(&self) -> bool {
        self.inner.limits.on_disconnect == OnDisconnect::CANCEL
    }

    /// How long a run may take, and a question of one about a call may stand.
    pub(crate) fn run_timeout(&self) -> Duration {
        self.inner.limits.run_timeout
    }

    /// Whether new runs are refused.
    pub fn is_closing(&self) -> bool {
        self.inner.closing.is_cancelled()
    }

    fn live(&self) -> MutexGuard<'_, HashMap<RunId, Arc<LiveRun>>> {
        self.inner.live_runs.lock().expect("no panic happens while the runs are locked")
    }

    fn leave_to_sweep(&self, user: &UserId, id: RunId, token: i64) {
        self.not_ended().push(NotEnded { user: user.clone(), id, token, since: Instant::now() });
    }

    fn not_ended(&self) -> MutexGuard<'_, Vec<NotEnded>> {
        self.inner.not_ended.lock().expect("no panic happens while the list is locked")
    }

    fn writer(&self) -> Option<Writer> {
        self.locked_writer().clone()
    }

    fn locked_writer(&self) -> MutexGuard<'_, Option<Writer>> {
        self.inner.writer.lock().expect("no panic happens while the writer is locked")
    }
}

/// A run of this process that it does not drive and that may not have ended.
struct NotEnded {
    user: UserId,
    id: RunId,
    /// The token of this process's lease.
    token: i64,
    since: Instant,
}
