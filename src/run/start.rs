//! What starts a run, and what comes of that.

use std::{sync::Arc, time::Duration};

use crate::{
    protocol::{
        Claims, RunId, ThreadEvent, ThreadId, Timestamp, UserId, event::StreamOptions,
        item::InferenceOptions,
    },
    store::{
        StoreError,
        record::{Begun, IdempotencyKey, RunThread, ThreadRecord},
    },
};

use super::{live_run::LiveRun, log::RunLog, opening::Opening};

/// A run to be started.
#[derive(Clone, Debug)]
pub struct StartRun {
    /// Whose it is.
    pub user_id: UserId,
    /// What the agent may know of them.
    pub claims: Claims,
    /// Where it answers.
    pub thread: RunThread,
    /// What it begins with; new items have the ids and the times that they shall have.
    pub opening: Opening,
    /// The user's choice of model and tool.
    pub options: InferenceOptions,
    /// Whether the page shows a Stop button.
    pub allow_cancel: bool,
    /// The key that it was posted with.
    pub idempotency: Option<IdempotencyKey>,
}

/// A run that was started, or that the same request started before.
#[derive(Clone, Debug)]
pub enum Started {
    /// Now.
    Now(Arc<LiveRun>),
    /// Before, by the same idempotency key.
    Before {
        /// The run.
        run_id: RunId,
        /// Where it answers.
        thread_id: ThreadId,
    },
}

/// Why a run was not started. Nothing of it is stored.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The thread has one.
    #[error("the thread has a run already")]
    Busy(RunId),
    /// The key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The thread is not the user's.
    #[error("no such thread")]
    NotFound,
    /// What it is about has changed since it was read.
    #[error("the item has changed")]
    Changed,
    /// The user has as many as allowed.
    #[error("too many runs of the user")]
    TooManyOfUser,
    /// The process has as many as allowed.
    #[error("too many runs")]
    TooMany,
    /// The day's tokens are used up, the user's or all.
    #[error("no more tokens until {until}")]
    TokensUsedUp {
        /// When there are some again.
        until: Timestamp,
        /// How long that is.
        wait: Duration,
    },
    /// The process ends.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What it means that a run was not begun.
pub(super) fn refused(begun: &Begun) -> Result<Started, StartError> {
    match *begun {
        Begun::Replay(run_id, thread_id) => Ok(Started::Before { run_id, thread_id }),
        Begun::Busy(run) => Err(StartError::Busy(run)),
        Begun::KeyReused => Err(StartError::KeyReused),
        Begun::Changed => Err(StartError::Changed),
        Begun::NotFound | Begun::Started(_) => Err(StartError::NotFound),
    }
}

/// The first events: what is stored already.
pub(super) fn announce(log: &RunLog, request: &StartRun, thread: &ThreadRecord) {
    if let RunThread::New(_) = request.thread {
        log.append(&ThreadEvent::ThreadCreated { thread: Box::new(thread.into()) });
    }
    request.opening.announce(log);
    let stream_options = StreamOptions { allow_cancel: request.allow_cancel };
    log.append(&ThreadEvent::StreamOptions { stream_options });
    request.opening.announce_in_turn(log);
}
