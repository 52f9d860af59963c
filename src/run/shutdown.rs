//! The end of all runs: they are let go on for a while, then interrupted, then written.
//!
//! Writing is waited for as long as it gets on. A database that stands still, or is gone, does not
//! keep the process: what it has not taken then is given up, the readers are told so, and the runs
//! are ended by whoever finds their leases run out, with what was stored before.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{LiveRun, Runs, StopReason};

/// How often it is looked whether the end gets on.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// When in so many looks nothing was written and no task came to its end, nothing will: a commit
/// takes some ten milliseconds, and these 400 leave half of the last second to others. Looks are
/// counted, and not the time: on a machine that is busy they are late as all else is.
const STALLED: u32 = 20;
/// Also an end that gets on is cut off: supervisors mostly grant some seconds beside the drain time.
const LONGEST: Duration = Duration::from_secs(4);
/// How long the end of the process waits for others to hear of what it no longer wants.
const SETTLE_WITHIN: Duration = Duration::from_millis(500);
/// What is given up tells its readers within this time.
const TELL_WITHIN: Duration = Duration::from_millis(150);

/// Not all that was to be stored is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the database did not answer in time: the ends of {runs} runs are not stored")]
pub struct Unstored {
    /// How many runs are left to whoever finds their leases run out.
    pub runs: usize,
}

impl Runs {
    /// Refuses new runs from now on.
    pub fn refuse_new(&self) {
        self.inner.closing.cancel();
    }

    /// Refuses new runs and lets the live ones go on until they have ended, `drain` has passed, or
    /// `hurry` is cancelled.
    pub async fn drain(&self, drain: Duration, hurry: CancellationToken) {
        self.refuse_new();
        self.inner.tasks.close();
        tokio::select! {
            () = self.inner.tasks.wait() => {}
            _ = timeout(drain, hurry.cancelled()) => {}
        }
    }

    /// Interrupts what is left and answers when all is stored, or what is not: within half a second
    /// when the database does not answer.
    pub async fn end(&self) -> Result<(), Unstored> {
        self.inner.drained.cancel();
        let live: Vec<Arc<LiveRun>> = self.live().values().cloned().collect();
        if !live.is_empty() {
            tracing::warn!(runs = live.len(), "interrupting runs that are not done in time");
        }
        for run in live {
            run.stop(StopReason::Shutdown);
        }
        tokio::select! {
            () = self.all_ended() => {}
            () = self.stalls() => {
                self.inner.progress.give_up();
                let _ = timeout(TELL_WITHIN, self.all_ended()).await;
            }
        }
        match self.inner.progress.given_up() {
            0 => Ok(()),
            runs => Err(Unstored { runs }),
        }
    }

    async fn all_ended(&self) {
        self.inner.tasks.wait().await;
        self.inner.follows.shut_down().await;
        let _ = timeout(SETTLE_WITHIN, self.inner.agent.settle()).await;
        // The last handle: the writer ends when it has written all.
        drop(self.locked_writer().take());
        self.inner.writer_task.close();
        self.inner.writer_task.wait().await;
    }

    /// Until nothing gets on any more.
    async fn stalls(&self) {
        let look = || (self.inner.progress.written(), self.inner.tasks.len());
        let begun = Instant::now();
        let (mut seen, mut looks) = (look(), 0);
        while looks < STALLED && begun.elapsed() < LONGEST {
            sleep(LOOK_EVERY).await;
            let now = look();
            looks = if now == seen { looks + 1 } else { 0 };
            seen = now;
        }
    }
}
