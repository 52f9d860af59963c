//! The rules: whose a thread is, what may happen in which state, what a message may be. Makes ids
//! and timestamps; knows nothing of HTTP and nothing of SQL.

pub mod items;
pub mod messages;
mod rules;
pub mod threads;

use std::sync::Arc;

use crate::{
    protocol::RunId,
    run::{Runs, StartError},
    store::{Store, StoreError},
};

pub use items::Message;
pub use messages::{OnBusy, SendMessage, Sent};

/// Threads, messages and runs of callers. Cheap to clone.
#[derive(Clone)]
pub struct ChatService {
    store: Arc<dyn Store>,
    runs: Runs,
}

/// Why a caller did not get what was asked for. Nothing of it happened.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// There is no such thing, or it is not the caller's: the two look alike.
    #[error("not found")]
    NotFound,
    /// The request is at fault; the text says how.
    #[error("{0}")]
    Invalid(String),
    /// The thread has a run already.
    #[error("the thread has a run already")]
    RunActive(RunId),
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The caller has as many runs as allowed.
    #[error("too many answers at the same time")]
    TooManyRuns,
    /// The process has as many runs as allowed.
    #[error("the server is busy")]
    Overloaded,
    /// The process ends.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<StartError> for ChatError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Busy(run) => Self::RunActive(run),
            StartError::KeyReused => Self::KeyReused,
            StartError::NotFound => Self::NotFound,
            StartError::TooManyOfUser => Self::TooManyRuns,
            StartError::TooMany => Self::Overloaded,
            StartError::ShuttingDown => Self::ShuttingDown,
            StartError::Store(error) => Self::Store(error),
        }
    }
}

impl ChatService {
    /// The rules over this store and these runs.
    pub fn new(store: Arc<dyn Store>, runs: Runs) -> Self {
        Self { store, runs }
    }

    /// The runs, for what concerns the process as a whole.
    pub fn runs(&self) -> &Runs {
        &self.runs
    }
}
