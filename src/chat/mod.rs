//! The rules: whose a thread is, what may happen in which state, what a message may be. Makes ids
//! and timestamps; knows nothing of HTTP and nothing of SQL.

mod actions;
mod attachments;
mod client_tools;
mod confirmation;
pub mod items;
pub mod messages;
mod posting;
#[cfg(any(test, fuzzing))]
pub(crate) mod property;
mod replay;
mod retry;
mod rules;
pub mod runs;
mod speech;
mod structured_input;
pub mod threads;

use std::{sync::Arc, time::Duration};

use crate::{
    agent::{Agent, AgentError},
    attachments::AttachmentStore,
    protocol::{RunId, Timestamp},
    run::{Runs, StartError, WatchError},
    store::{Store, StoreError},
};

pub use items::Message;
pub use messages::SendMessage;
pub use posting::{OnBusy, Posting, Sent};
pub use rules::MessageLimits;

/// Threads, messages and runs of callers. Cheap to clone.
#[derive(Clone)]
pub struct ChatService {
    store: Arc<dyn Store>,
    runs: Runs,
    agent: Arc<dyn Agent>,
    files: Option<Arc<dyn AttachmentStore>>,
    limits: MessageLimits,
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
    /// What the request answers does not wait for an answer (any more); the text says what.
    #[error("{0}")]
    NotPending(&'static str),
    /// This server does not do that; the text says what.
    #[error("{0}")]
    NotSupported(&'static str),
    /// The agent failed outside any run; with a text for the user if it gave one.
    #[error("the agent failed")]
    AgentFailed(Option<String>),
    /// The place of the files.
    #[error("the place of the files is not available")]
    FilesUnavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The thread has a run already.
    #[error("the thread has a run already")]
    RunActive(RunId),
    /// The run ended too long ago for its events to be read.
    #[error("the events of this run are no longer kept")]
    EventsExpired,
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The caller has as many runs as allowed.
    #[error("too many answers at the same time")]
    TooManyRuns,
    /// The day's tokens are used up, the caller's or all.
    #[error("no more tokens until {until}")]
    TokensUsedUp {
        /// When there are some again.
        until: Timestamp,
        /// How long that is.
        wait: Duration,
    },
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
            StartError::Changed => Self::NotPending("the item has changed in the meantime"),
            StartError::NotFound => Self::NotFound,
            StartError::TooManyOfUser => Self::TooManyRuns,
            StartError::TokensUsedUp { until, wait } => Self::TokensUsedUp { until, wait },
            StartError::TooMany => Self::Overloaded,
            StartError::ShuttingDown => Self::ShuttingDown,
            StartError::Store(error) => Self::Store(error),
        }
    }
}

impl From<WatchError> for ChatError {
    fn from(error: WatchError) -> Self {
        match error {
            WatchError::NotFound => Self::NotFound,
            WatchError::Expired => Self::EventsExpired,
            WatchError::Store(error) => Self::Store(error),
        }
    }
}

impl From<AgentError> for ChatError {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::Unsupported => Self::NotSupported("this server does not support that"),
            AgentError::Custom { message, .. } => Self::AgentFailed(Some(message)),
            AgentError::Store(error) => Self::Store(error),
            error
            @ (AgentError::Upstream(_) | AgentError::Stream { .. } | AgentError::Other(_)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the agent failed");
                Self::AgentFailed(None)
            }
        }
    }
}

impl ChatError {
    fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }
}

impl ChatService {
    /// The rules over this store and these runs; the agent is asked for what is no run. Without a
    /// place for files there are no attachments.
    pub fn new(
        store: Arc<dyn Store>,
        runs: Runs,
        agent: Arc<dyn Agent>,
        files: Option<Arc<dyn AttachmentStore>>,
        limits: MessageLimits,
    ) -> Self {
        Self { store, runs, agent, files, limits }
    }

    /// The runs, for what concerns the process as a whole.
    pub fn runs(&self) -> &Runs {
        &self.runs
    }
}
