//! The task that owns a run: it asks the agent, keeps what it says, and shows it.
//!
//! Its inputs are the agent's next event, the answer to the checkpoint under way, the clock (next
//! checkpoint, next heartbeat, the run's own limit), and a stop from outside. Readers are no
//! input: it appends to the log and never waits for one.
//!
//! **Commit, then publish.** An event that says that something is stored (an item done, replaced
//! or removed, the thread updated) is held back until its commit. When the agent is at its end
//! right behind it, the two share one commit.

use std::{panic::AssertUnwindSafe, pin::Pin, sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::{Instrument as _, Span};

use crate::{
    agent::{Agent, AgentError, AgentEvent, AgentStream, Turn},
    protocol::{ItemUpdate, ThreadEvent, ThreadItem, Timestamp},
    store::record::{
        ItemStatus, ItemWrite, Lease, RunEnd, RunStatus, RunWrite, ThreadRecord, Usage,
    },
};

use super::{
    LiveRun, RunLimits,
    budget::Counted,
    closing::{self, Closing},
    opening::Opening,
    outcome::{Failure, Outcome},
    replay::Replay,
    resume::ResumePoint,
    spans,
    writer::{self, Urgency, WriteError, Writer, Written},
};

/// Text is on its way to the database at the latest after this time. A crash may lose half a second
/// of it: the rest is for the time that a checkpoint waits for others, and for the commits, which take
/// a fifth of a second where machine and disk are busy.
const CHECKPOINT_AFTER: Duration = Duration::from_millis(300);
/// Or when there is this much of it.
const CHECKPOINT_BYTES: usize = 4 * 1024;
/// The lease is renewed at least this often, by a write that may be empty.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A task that ran no more often than this stood still, and the lease may have run out: it is asked
/// for before anything more is shown. The clock wakes it at every heartbeat.
const STOOD_STILL: Duration = Duration::from_secs(10);

/// What a run is driven with.
pub(super) struct Drive {
    run: Arc<LiveRun>,
    turn: Turn,
    /// The thread as readers know it.
    shown_thread: ThreadRecord,
    writer: Writer,
    lease: Lease,
    limits: RunLimits,
    /// What goes into the next write.
    staged: RunWrite,
    /// Items that were last kept as streaming, as they were then.
    unfinished: Vec<ThreadItem>,
    usage: Option<Usage>,
    counted: Counted,
    /// The last event that is stored, or on its way there.
    saved_seq: u64,
    /// The last event that is stored for certain.
    confirmed_seq: u64,
    saved_size: usize,
    in_flight: Option<Written>,
    checkpoint_at: Option<Instant>,
    heartbeat_at: Instant,
    deadline: Instant,
    /// When it ran last.
    ran_at: Instant,
    /// What another process said of the same answer, while it is said again.
    replay: Option<Replay>,
    /// Looked up by its name once, and not for every delta.
    deltas: metrics::Counter,
    clock: Pin<Box<Sleep>>,
}

type AgentItem = Option<Result<AgentEvent, AgentError>>;

impl Drive {
    pub(super) fn new(
        run: Arc<LiveRun>,
        turn: Turn,
        writer: Writer,
        lease: Lease,
        limits: RunLimits,
    ) -> Self {
        let now = Instant::now();
        let staged = RunWrite::new(run.id, run.thread_id, lease.clone());
        Self {
            run,
            shown_thread: turn.thread.get(),
            turn,
            writer,
            lease,
            limits,
            staged,
            unfinished: Vec::new(),
            usage: None,
            counted: Counted::default(),
            saved_seq: 0,
            confirmed_seq: 0,
            saved_size: 0,
            in_flight: None,
            checkpoint_at: Some(now + CHECKPOINT_AFTER),
            heartbeat_at: now + HEARTBEAT,
            deadline: now + limits.run_timeout,
            ran_at: now,
            replay: None,
            deltas: metrics::counter!("gateway_deltas_total"),
            clock: Box::pin(sleep_until(now + CHECKPOINT_AFTER)),
        }
    }

    /// Goes on with what another process has begun: the log holds what it stored.
    pub(super) fn resuming(
        mut self,
        usage: Option<Usage>,
        replay: Replay,
        lasted: Duration,
    ) -> Self {
        self.usage = usage;
        self.saved_seq = self.run.log.last_seq();
        self.confirmed_seq = self.saved_seq;
        self.saved_size = self.run.log.size();
        self.deadline = Instant::now() + self.limits.run_timeout.saturating_sub(lasted);
        self.replay = Some(replay);
        self
    }

    /// The token of the lease that it writes under.
    pub(super) fn token(&self) -> i64 {
        self.lease.token
    }

    /// The span of the run.
    pub(super) fn span(&self) -> Span {
        self.turn.span.clone()
    }

    /// Answers the turn, and what the run ended with; `None` when its end is not stored: the lease
    /// is lost, or the database is.
    ///
    /// What is rare is boxed: a run is mostly waiting for the next delta, and there are thousands.
    pub(super) async fn answer(
        mut self: Box<Self>,
        agent: Arc<dyn Agent>,
        opening: &Opening,
    ) -> Option<RunStatus> {
        // Asking the agent is inside, too: it may panic before it has a stream.
        let followed = AssertUnwindSafe(async {
            let Some(mut stream) = opening.ask(&*agent, self.turn.clone()) else {
                return Outcome::INTERRUPTED;
            };
            let outcome = self.follow(&mut stream).await;
            if outcome.is_final() {
                // A model that goes on without a connection learns that it need not.
                self.turn.cancel.cancel();
            }
            outcome
            // The stream is dropped here: the model's connection closes before anything is
            // written about how it ended.
        });
        let followed = followed.catch_unwind().await;
        let outcome = followed.unwrap_or_else(|_| Outcome::Failed(Failure::panicked()));
        Box::pin(self.close(outcome)).await
    }

    async fn follow(&mut self, stream: &mut AgentStream<'_>) -> Outcome {
        let stopped = self.run.stop.clone();
        let stopped = stopped.wait();
        tokio::pin!(stopped);
        let mut early = None;
        loop {
            let item = if let Some(item) = early.take() {
                item
            } else {
                tokio::select! {
                    biased;
                    reason = &mut stopped => return Outcome::Stopped(reason),
                    result = answered(&mut self.in_flight) => {
                        match self.checkpoint_written(result) {
                            Ok(()) => continue,
                            Err(outcome) => return outcome,
                        }
                    }
                    () = self.clock.as_mut() => {
                        match Box::pin(self.tick()).await {
                            Ok(()) => continue,
                            Err(outcome) => return outcome,
                        }
                    }
                    // Last: an agent that always has something to say must not keep the others
                    // from being heard.
                    item = stream.next() => item,
                }
            };
            match self.step(item, stream).await {
                Ok(next) => early = next,
                Err(outcome) => return outcome,
            }
        }
    }

    /// Takes one item of the agent's stream. Answers the one after it where it had to look ahead.
    async fn step(
        &mut self,
        item: AgentItem,
        stream: &mut AgentStream<'_>,
    ) -> Result<Option<AgentItem>, Outcome> {
        self.check_lease().await?;
        match item {
            None => return Err(Outcome::Completed),
            Some(Err(error)) => return Err(self.agent_failed(&error)),
            Some(Ok(AgentEvent::Usage(usage))) => {
                *self.usage.get_or_insert_default() += usage;
                self.counted.told();
            }
            Some(Ok(AgentEvent::Asking { input_tokens })) => {
                self.counted.ask(input_tokens, self.run.log.size());
            }
            Some(Ok(AgentEvent::ToolCalls { calls, workflow })) => {
                self.end_replay();
                self.staged.tool_calls.extend(calls);
                self.stage_item(*workflow, ItemStatus::Streaming);
                Box::pin(self.commit()).await?;
            }
            Some(Ok(AgentEvent::ResumePoint(state))) => {
                let point = ResumePoint::new(self.run.log.last_seq(), self.usage, state);
                self.staged.resume_point = Some(point.encode());
                Box::pin(self.commit()).await?;
            }
            Some(Ok(AgentEvent::Thread(event))) => self.take_event(event),
        }
        self.take_thread_changes();
        if self.run.log.size() > self.limits.max_output_bytes {
            return Err(Outcome::Failed(Failure::too_large()));
        }
        if !self.run.log.is_holding() {
            self.arm_checkpoint();
            return Ok(None);
        }
        // Something is held back until its commit. If this was the last event, the end of the run
        // goes into the same commit.
        match stream.next().now_or_never() {
            Some(None) => Err(Outcome::Completed),
            next => {
                Box::pin(self.commit()).await?;
                Ok(next)
            }
        }
    }

    /// Tools were called before the other process died: what it showed of them and did not store
    /// is not said again in the same words. Its numbers are left out.
    fn end_replay(&mut self) {
        if self.replay.take().is_some() {
            self.run.log.leave_gap();
        }
    }

    /// Shows an event, or stages what it says and holds it back.
    fn take_event(&mut self, event: ThreadEvent) {
        let event = match &mut self.replay {
            None => event,
            Some(replay) => match replay.rest(event) {
                None => return,
                Some(event) => event,
            },
        };
        let log = &self.run.log;
        match event {
            ThreadEvent::ItemUpdated {
                item_id,
                update: ItemUpdate::TextDelta { content_index, delta },
            } => {
                if log.append_text(item_id, content_index, &delta) == 1 {
                    metrics::histogram!("gateway_first_delta_seconds")
                        .record(self.run.started.elapsed().as_secs_f64());
                    spans::first_delta(&self.turn.span);
                }
                self.deltas.increment(1);
            }
            ThreadEvent::ItemDone { ref item } | ThreadEvent::ItemReplaced { ref item } => {
                if !item.kind.is_hidden() {
                    log.hold(&event);
                }
                self.stage_item((**item).clone(), ItemStatus::Complete);
            }
            ThreadEvent::ItemRemoved { item_id } => {
                log.hold(&event);
                self.staged.items.retain(|staged| staged.item.id != item_id);
                self.unfinished.retain(|unfinished| unfinished.id != item_id);
                self.staged.removed.push(item_id);
            }
            ThreadEvent::ItemAdded { ref item } if item.kind.is_hidden() => {}
            event => log.append(&event),
        }
    }

    fn stage_item(&mut self, item: ThreadItem, status: ItemStatus) {
        self.staged.items.retain(|staged| staged.item.id != item.id);
        self.unfinished.retain(|unfinished| unfinished.id != item.id);
        if status == ItemStatus::Streaming {
            self.unfinished.push(item.clone());
        }
        self.staged.items.push(ItemWrite { item, status });
    }

    /// The agent may have changed the thread while it made the event: that follows the event. As
    /// in the SDK, setting it to what it was is no change.
    fn take_thread_changes(&mut self) {
        let changes = self.turn.thread.take_changes();
        if changes.is_empty() {
            return;
        }
        let thread = self.turn.thread.get();
        if thread != self.shown_thread {
            self.staged.thread.merge(changes);
            self.run.log.hold(&ThreadEvent::ThreadUpdated { thread: Box::new((&thread).into()) });
            self.shown_thread = thread;
        }
    }

    fn agent_failed(&mut self, error: &AgentError) -> Outcome {
        tracing::warn!(run.id = %self.run.id, error = error as &dyn std::error::Error, "the agent failed");
        if self.replay.as_ref().is_some_and(|replay| !replay.is_over()) {
            // There is nothing to go on with.
            return Outcome::INTERRUPTED;
        }
        Outcome::Failed(Failure::from_agent(error))
    }

    // ---- writing -------------------------------------------------------------------------------

    /// Sets the time of the next checkpoint, or makes it now when there is much to store.
    fn arm_checkpoint(&mut self) {
        if self.checkpoint_at.is_none() {
            let now = Instant::now();
            self.checkpoint_at = Some(now + CHECKPOINT_AFTER);
            self.set_clock();
        } else if self.in_flight.is_none()
            && self.run.log.size() - self.saved_size >= CHECKPOINT_BYTES
        {
            self.checkpoint_at = Some(Instant::now());
            self.set_clock();
        }
    }

    fn set_clock(&mut self) {
        let next = self.heartbeat_at.min(self.deadline);
        let next = self.checkpoint_at.map_or(next, |checkpoint| next.min(checkpoint));
        self.clock.as_mut().reset(next);
    }

    /// Something is due: a checkpoint, a heartbeat, or the end of the run's time.
    async fn tick(&mut self) -> Result<(), Outcome> {
        self.check_lease().await?;
        let now = Instant::now();
        if now >= self.deadline {
            return Err(Outcome::Failed(Failure::timed_out()));
        }
        let is_due = self.heartbeat_at <= now || self.checkpoint_at.is_some_and(|at| at <= now);
        if is_due && self.in_flight.is_none() {
            self.in_flight = Some(self.submit(Urgency::Checkpoint).await);
        }
        // While a write is under way the next one is not due, however long the database takes.
        self.heartbeat_at = self.heartbeat_at.max(now + HEARTBEAT);
        self.checkpoint_at = None;
        self.set_clock();
        Ok(())
    }

    /// A process that stood still may have been taken for dead, and its runs been ended by another
    /// one. It must not show what nobody will keep: it writes first.
    async fn check_lease(&mut self) -> Result<(), Outcome> {
        if self.ran_at.elapsed() > STOOD_STILL {
            Box::pin(self.commit()).await?;
        }
        self.ran_at = Instant::now();
        Ok(())
    }

    /// Hands what is staged and what is logged to the writer.
    async fn submit(&mut self, urgency: Urgency) -> Written {
        let write = self.take_staged();
        self.heartbeat_at = Instant::now() + HEARTBEAT;
        self.checkpoint_at = None;
        self.writer.submit(write, urgency).await
    }

    fn take_staged(&mut self) -> RunWrite {
        let empty = RunWrite::new(self.run.id, self.run.thread_id, self.lease.clone());
        let mut write = std::mem::replace(&mut self.staged, empty);
        write.events = self.run.log.chunk_after(self.saved_seq);
        if let Some(events) = &write.events {
            self.saved_seq = events.last_seq;
            self.saved_size = self.run.log.size();
        }
        write.now = Timestamp::now();
        write
    }

    /// Commits what is staged, then shows what was held back.
    async fn commit(&mut self) -> Result<(), Outcome> {
        self.finish_in_flight().await?;
        match self.write_now(false).await {
            Ok(()) => {
                self.confirmed_seq = self.saved_seq;
                self.run.log.release();
                self.set_clock();
                Ok(())
            }
            Err(error) => Err(self.write_failed(&error)),
        }
    }

    /// Writes what is staged and waits for that. The run's last write is one that `is_end`.
    async fn write_now(&mut self, is_end: bool) -> Result<(), WriteError> {
        let span = spans::commit(&self.turn.span, is_end);
        let mut written = self.submit(Urgency::Boundary).await;
        writer::outcome(&mut written).instrument(span).await
    }

    /// A run has one write under way at a time, so that they cannot overtake each other.
    async fn finish_in_flight(&mut self) -> Result<(), Outcome> {
        let result = answered_or_none(&mut self.in_flight).await;
        self.checkpoint_written(result)
    }

    fn checkpoint_written(&mut self, result: Result<(), WriteError>) -> Result<(), Outcome> {
        match result {
            Ok(()) => {
                self.confirmed_seq = self.saved_seq;
                Ok(())
            }
            Err(error) => Err(self.write_failed(&error)),
        }
    }

    fn write_failed(&mut self, error: &WriteError) -> Outcome {
        self.run.log.discard_held();
        self.saved_seq = self.confirmed_seq;
        match error {
            WriteError::LeaseLost => Outcome::LeaseLost,
            WriteError::Unavailable => Outcome::DatabaseAway,
            WriteError::Refused => Outcome::Failed(Failure::not_stored()),
        }
    }

    // ---- the end -------------------------------------------------------------------------------

    /// Keeps what there is and ends the run; then tells the readers.
    async fn close(mut self: Box<Self>, outcome: Outcome) -> Option<RunStatus> {
        let outcome = match self.finish_in_flight().await {
            Ok(()) => outcome,
            Err(lost) => lost,
        };
        let (status, _) = outcome.statuses();
        if let Some(failure) = outcome.failure() {
            tracing::warn!(run.id = %self.run.id, error.code = failure.error.code, "run failed");
            spans::failed(&self.turn.span, &failure);
            let code = failure.error.code;
            metrics::counter!("gateway_run_errors_total", "code" => code).increment(1);
        }
        let is_ended = match outcome {
            Outcome::LeaseLost => false,
            Outcome::DatabaseAway => {
                self.say_not_stored();
                false
            }
            outcome => self.end(&outcome).await,
        };
        self.run.log.end();
        is_ended.then_some(status)
    }

    /// Commits the end of the run. Answers whether that came about.
    async fn end(&mut self, outcome: &Outcome) -> bool {
        self.take_thread_changes();
        let closing = Closing::of(&self.run, outcome, &self.staged);
        for item in closing.items {
            self.stage_item(item.item, item.status);
        }
        // Nothing streams any more: neither what this run goes on with from an earlier one, nor
        // what a later one shall go on with.
        let (_, status) = outcome.statuses();
        for item in std::mem::take(&mut self.unfinished) {
            self.stage_item(item, status);
        }
        if let Some(failure) = outcome.failure() {
            self.run.log.hold(&ThreadEvent::Error(failure.event));
        }
        let end = closing::run_end(outcome, self.usage);
        self.staged.end = Some(end.clone());
        match self.commit_end().await {
            Ok(()) => true,
            Err(WriteError::LeaseLost) => {
                self.run.log.discard_held();
                false
            }
            Err(WriteError::Unavailable) => {
                self.run.log.discard_held();
                self.say_not_stored();
                false
            }
            Err(WriteError::Refused) => self.end_bare(end).await,
        }
    }

    async fn commit_end(&mut self) -> Result<(), WriteError> {
        if self.limits.tokens_a_day.are_limited() {
            let used = self.counted.total(self.usage, self.run.log.size());
            self.staged.tokens_used = Some(used);
        }
        self.write_now(true).await?;
        self.run.log.release();
        Ok(())
    }

    /// The database took the end with its items for wrong: end the run without them, so that the
    /// thread is not busy for ever.
    async fn end_bare(&mut self, end: RunEnd) -> bool {
        self.run.log.discard_held();
        self.saved_seq = self.run.log.last_seq();
        let failure = Failure::not_stored();
        self.run.log.hold(&ThreadEvent::Error(failure.event));
        self.staged.end =
            Some(RunEnd { status: RunStatus::Failed, error: Some(failure.error), ..end });
        let is_ended = self.commit_end().await.is_ok();
        if !is_ended {
            self.run.log.discard_held();
            self.say_not_stored();
        }
        is_ended
    }

    fn say_not_stored(&self) {
        self.run.log.append(&ThreadEvent::Error(Failure::not_stored().event));
    }
}

/// The answer to the write under way; pending for ever when there is none.
async fn answered(in_flight: &mut Option<Written>) -> Result<(), WriteError> {
    match in_flight {
        None => std::future::pending().await,
        Some(_) => answered_or_none(in_flight).await,
    }
}

/// The answer to the write under way, if there is one.
async fn answered_or_none(in_flight: &mut Option<Written>) -> Result<(), WriteError> {
    let Some(written) = in_flight else { return Ok(()) };
    let result = writer::outcome(written).await;
    *in_flight = None;
    result
}
