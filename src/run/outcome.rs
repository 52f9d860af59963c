//! How a run ends, and what readers and the database are told of it.

use crate::{
    agent::AgentError,
    protocol::event::ErrorEvent,
    store::record::{ItemStatus, RunError, RunStatus},
    upstream::UpstreamError,
};

/// Why a run was stopped from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The user pressed Stop.
    Cancelled,
    /// The user wrote something new instead of waiting.
    Superseded,
    /// Its thread is gone.
    Deleted,
    /// The process ends.
    Shutdown,
}

/// How a run ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The agent came to its end.
    Completed,
    /// The agent failed.
    Failed(Failure),
    /// It was stopped.
    Stopped(StopReason),
    /// The run is another process's, or gone: nothing more is written or published.
    LeaseLost,
    /// The database stayed away: nothing more can be written.
    DatabaseAway,
}

/// A failure as the database keeps it and as readers see it.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) error: RunError,
    pub(super) event: ErrorEvent,
}

impl Failure {
    fn custom(code: &str, message: &str, allow_retry: bool) -> Self {
        Self {
            error: RunError { code: code.to_owned(), message: message.to_owned() },
            event: ErrorEvent::custom(message, allow_retry),
        }
    }

    /// A failure for which the client has its own text.
    fn stream(code: &str, message: &str, allow_retry: bool) -> Self {
        let event = ErrorEvent { allow_retry, ..ErrorEvent::stream_error() };
        Self { error: RunError { code: code.to_owned(), message: message.to_owned() }, event }
    }

    /// The agent or the engine panicked.
    pub(super) fn panicked() -> Self {
        Self::stream("internal_error", "something went wrong in the server", true)
    }

    /// The run took longer than a run may take.
    pub(super) fn timed_out() -> Self {
        Self::custom("run_timed_out", "The answer took too long and was stopped.", true)
    }

    /// The answer is larger than an answer may be.
    pub(super) fn too_large() -> Self {
        Self::custom("output_too_large", "The answer became too long and was stopped.", false)
    }

    /// The process ended in the middle of the answer.
    pub(super) fn interrupted() -> Self {
        Self::custom(
            "interrupted",
            "The server was restarted before the answer was complete. Please try again.",
            true,
        )
    }

    /// The answer is there but could not be stored.
    pub(super) fn not_stored() -> Self {
        Self::custom(
            "database_unavailable",
            "The answer could not be saved. Please reload in a moment.",
            true,
        )
    }

    /// What the agent's error means to a reader.
    pub(super) fn from_agent(error: &AgentError) -> Self {
        match error {
            AgentError::Upstream(error) => Self::from_upstream(error),
            AgentError::Store(_) => {
                Self::stream("database_unavailable", "the conversation could not be read", true)
            }
            AgentError::Stream { allow_retry } => {
                Self::stream("agent_failed", "the agent failed", *allow_retry)
            }
            AgentError::Custom { message, allow_retry } => {
                Self::custom("agent_failed", message, *allow_retry)
            }
            AgentError::Unsupported | AgentError::Other(_) => {
                Self::stream("agent_failed", "the agent failed", true)
            }
        }
    }

    fn from_upstream(error: &UpstreamError) -> Self {
        let code = error.code();
        match error {
            UpstreamError::Unauthorized { .. } | UpstreamError::QuotaExhausted { .. } => {
                Self::custom(
                    code,
                    "The assistant is not available: its operator has to check the access to the model.",
                    false,
                )
            }
            UpstreamError::RateLimited { retry_after: Some(wait), .. } => Self::custom(
                code,
                &format!("The assistant is busy. Please try again in {} s.", wait.as_secs().max(1)),
                true,
            ),
            UpstreamError::ContextTooLong { .. } => Self::custom(
                code,
                "The conversation is too long for the model. Please begin a new one.",
                false,
            ),
            // Azure's, for the whole conversation: what is in it stays there.
            UpstreamError::Refused { code: reason, .. } if reason == "content_filter" => {
                Self::custom(
                    code,
                    "The model's provider does not allow what is said here. Please say it differently, in a new conversation.",
                    false,
                )
            }
            UpstreamError::Refused { .. } | UpstreamError::Unreadable { .. } => {
                Self::stream(code, &error.to_string(), false)
            }
            UpstreamError::Unreachable(_)
            | UpstreamError::RateLimited { retry_after: None, .. }
            | UpstreamError::Failed { .. }
            | UpstreamError::TimedOut { .. }
            | UpstreamError::Truncated(_) => Self::stream(code, &error.to_string(), true),
        }
    }
}

impl Outcome {
    /// Its process died or ends, and it cannot be gone on with.
    pub(super) const INTERRUPTED: Self = Self::Stopped(StopReason::Shutdown);

    /// Whether nobody goes on with it: neither another process, nor this one when the database is
    /// back.
    pub(super) fn is_final(&self) -> bool {
        !matches!(self, Self::LeaseLost | Self::DatabaseAway)
    }

    /// The status that the run ends with, and that which an unfinished item of it keeps.
    pub(super) fn statuses(&self) -> (RunStatus, ItemStatus) {
        match self {
            Self::Completed => (RunStatus::Completed, ItemStatus::Complete),
            Self::Failed(_) => (RunStatus::Failed, ItemStatus::Failed),
            Self::Stopped(StopReason::Shutdown) | Self::LeaseLost | Self::DatabaseAway => {
                (RunStatus::Interrupted, ItemStatus::Interrupted)
            }
            Self::Stopped(_) => (RunStatus::Cancelled, ItemStatus::Cancelled),
        }
    }

    /// What readers and the database are told, if the run did not end well.
    pub(super) fn failure(&self) -> Option<Failure> {
        match self {
            Self::Failed(failure) => Some(failure.clone()),
            Self::Stopped(StopReason::Shutdown) => Some(Failure::interrupted()),
            Self::DatabaseAway => Some(Failure::not_stored()),
            Self::Completed | Self::Stopped(_) | Self::LeaseLost => None,
        }
    }
}
