//! What all requests have in common that start a run.

use crate::{
    protocol::{Claims, RunId, ThreadId, UserId, item::InferenceOptions},
    run::{Opening, RunEvents, StartError, StartRun, Started},
    store::record::{IdempotencyKey, RunThread},
};

use super::{ChatError, ChatService};

/// How a request was posted that starts a run.
#[derive(Clone, Debug)]
pub struct Posting {
    /// What the agent may know of who posted it.
    pub claims: Claims,
    /// Whether the page shows a Stop button.
    pub allow_cancel: bool,
    /// The key that it was posted with.
    pub idempotency: Option<IdempotencyKey>,
    /// What to do when the thread is being answered.
    pub on_busy: OnBusy,
}

/// What to do when the thread is being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBusy {
    /// Refuse the request.
    Refuse,
    /// Stop an answer that nobody watches any more: its user has moved on. Refuse the request
    /// otherwise.
    SupersedeUnwatched,
}

/// A run that is stored, with its events from the beginning.
pub struct Sent {
    /// The run.
    pub run_id: RunId,
    /// The thread.
    pub thread_id: ThreadId,
    /// Whether the same request made the run before.
    pub is_replay: bool,
    /// The run's events.
    pub events: RunEvents,
}

impl ChatService {
    /// Starts a run.
    pub(super) async fn begin(
        &self,
        user: &UserId,
        thread: RunThread,
        opening: Opening,
        options: InferenceOptions,
        posting: Posting,
    ) -> Result<Sent, ChatError> {
        let on_busy = posting.on_busy;
        let request = StartRun {
            user_id: user.clone(),
            claims: posting.claims,
            thread,
            opening,
            options,
            allow_cancel: posting.allow_cancel,
            idempotency: posting.idempotency,
        };
        let started = match self.runs.start(request.clone()).await {
            Err(StartError::Busy(run)) if on_busy == OnBusy::SupersedeUnwatched => {
                if !self.runs.supersede(user, run).await? {
                    return Err(ChatError::RunActive(run));
                }
                self.runs.start(request).await?
            }
            started => started?,
        };
        self.sent(user, started).await
    }

    /// What is answered when the request does not fit the thread (any more): the run that the same
    /// request started before, which may be why, or the error.
    pub(super) async fn started_before(
        &self,
        user: &UserId,
        posting: &Posting,
        otherwise: ChatError,
    ) -> Result<Sent, ChatError> {
        match self.runs.find_before(user, posting.idempotency.as_ref()).await? {
            Some(started) => self.sent(user, started).await,
            None => Err(otherwise),
        }
    }

    async fn sent(&self, user: &UserId, started: Started) -> Result<Sent, ChatError> {
        Ok(match started {
            Started::Now(run) => Sent {
                run_id: run.id,
                thread_id: run.thread_id,
                is_replay: false,
                events: run.read(0).into(),
            },
            Started::Before { run_id, thread_id } => {
                let events = match self.watch_run(user, run_id, 0).await {
                    Err(ChatError::EventsExpired) => self.retell(user, thread_id, run_id).await?,
                    watched => watched?.1,
                };
                Sent { run_id, thread_id, is_replay: true, events }
            }
        })
    }
}
