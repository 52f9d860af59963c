//! The model's HTTP API: one request in, a stream of neutral events out.
//!
//! Two dialects are spoken, OpenAI's Responses API ([`responses`]) and Chat Completions
//! ([`chat_completions`]); both answer in the vocabulary of [`ModelEvent`]. What all servers have
//! in common is in [`client`] (status, retry), `transport` (connection, bytes) and [`sse`] (events,
//! time-outs).
//!
//! **One POST, one bill.** A request is never sent again once any of its answer was used. A stream
//! that ends without its terminal mark is [`UpstreamError::Truncated`], never success.

pub mod agent_service;
mod answer;
pub mod chat_completions;
pub mod client;
mod event;
mod json;
pub mod profile;
#[cfg(any(test, fuzzing))]
pub(crate) mod property;
mod provider_error;
pub mod responses;
pub mod sse;
mod transport;

use std::{pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::Stream;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub use event::{FinishReason, FunctionCall, HostedCall, MessagePart, ModelEvent, WebSource};

/// An error of the layer below, kept for the log and never shown to users.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The answer of a model as it comes. Dropping it closes the connection, which stops the model.
pub type ModelStream = Pin<Box<dyn Stream<Item = Result<ModelEvent, UpstreamError>> + Send>>;

/// A model that can be asked.
#[async_trait]
pub trait Model: Send + Sync + 'static {
    /// Sends the request and answers its events. Nothing is sent before the first poll. The last
    /// event of a good answer is [`ModelEvent::Finished`]; an error ends the stream.
    fn stream(&self, request: ModelRequest) -> ModelStream;

    /// Reads the answer that [`ModelEvent::Begun`] named once more, from its beginning; it may be
    /// under way or whole. Nothing is asked, so nothing is billed. `None` for a model whose answers
    /// are gone with their connection.
    fn reread(&self, response_id: &str, unwanted: CancellationToken) -> Option<ModelStream> {
        let _ = (response_id, unwanted);
        None
    }

    /// Waits until the provider has heard of all answers that nobody wants any more.
    async fn settle(&self) {}
}

/// What to ask a model.
#[derive(Clone, Debug, Default)]
pub struct ModelRequest {
    /// Its name.
    pub model: String,
    /// The system's text.
    pub instructions: Option<String>,
    /// The conversation, oldest first.
    pub input: Vec<InputItem>,
    /// What it may call.
    pub tools: Arc<[FunctionTool]>,
    /// Whether it has to call one of them, or of the provider's own.
    pub must_call: bool,
    /// The provider's own tools that it may use, as the Responses API takes them; other dialects
    /// skip them.
    pub hosted_tools: Vec<Value>,
    /// Same key, same cache at the provider: the thread's id.
    pub cache_key: Option<String>,
    /// Whose request it is, hashed.
    pub safety_identifier: Option<String>,
    /// For the provider's log and ours.
    pub client_request_id: Option<String>,
    /// The answer may outlive its connection, at a model that can do so; this is cancelled when
    /// nobody wants it any more. Without it every answer ends with its connection.
    pub unwanted: Option<CancellationToken>,
}

/// A part of the conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum InputItem {
    /// The user's.
    User(Vec<InputPart>),
    /// The model's own earlier text. `phase` goes back as it came.
    Assistant {
        /// The text.
        text: String,
        /// `commentary` or `final_answer`, from newer models.
        phase: Option<String>,
    },
    /// A call that the model made.
    FunctionCall {
        /// Links it with its output.
        call_id: String,
        /// The function.
        name: String,
        /// JSON text.
        arguments: String,
    },
    /// What the call gave.
    FunctionCallOutput {
        /// Links it with its call.
        call_id: String,
        /// Text for the model.
        output: String,
    },
    /// A reasoning item of the Responses API, to be sent back as it came; other dialects skip it.
    Reasoning(Value),
    /// A call of one of the provider's own tools, to be sent back as it came in the same run, since
    /// reasoning may stand before it; other dialects skip it.
    Hosted(Value),
}

impl InputItem {
    /// A user's text.
    pub fn user_text(text: impl Into<String>) -> Self {
        Self::User(vec![InputPart::Text(text.into())])
    }
}

/// A part of what the user says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputPart {
    /// Text.
    Text(String),
    /// An image by its address or as a data URL.
    Image {
        /// Where it is.
        url: String,
    },
}

/// A function that the model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionTool {
    /// `^[a-zA-Z0-9_-]{1,64}$`.
    pub name: String,
    /// For the model.
    pub description: String,
    /// JSON Schema of an object.
    pub parameters: Value,
}

/// Why a model did not answer, or not to the end. What the provider said is for the log, not for
/// users: it can hold parts of keys and prompts.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No connection.
    #[error("the model cannot be reached")]
    Unreachable(#[source] BoxError),
    /// The key is missing, wrong or lacks a right: the operator must act.
    #[error("the model refused the credentials (status {status})")]
    Unauthorized {
        /// The provider's status.
        status: u16,
        /// The provider's answer, shortened.
        detail: String,
    },
    /// Too many requests; `retry_after` when the provider says how long to wait.
    #[error("the model is rate limited")]
    RateLimited {
        /// How long to wait.
        retry_after: Option<Duration>,
        /// The provider's answer, shortened.
        detail: String,
    },
    /// The provider's account is used up: waiting does not help, the operator must act.
    #[error("the model's quota is used up")]
    QuotaExhausted {
        /// The provider's answer, shortened.
        detail: String,
    },
    /// The conversation is too long for the model.
    #[error("the conversation is too long for the model")]
    ContextTooLong {
        /// The provider's answer, shortened.
        detail: String,
    },
    /// The request is refused for another reason.
    #[error("the model refused the request (status {status}, code {code})")]
    Refused {
        /// The provider's status.
        status: u16,
        /// The provider's code, or an empty string.
        code: String,
        /// The provider's answer, shortened.
        detail: String,
    },
    /// The provider failed, before or in the middle of its answer.
    #[error("the model failed (code {code})")]
    Failed {
        /// The provider's code, or an empty string.
        code: String,
        /// The provider's answer, shortened.
        detail: String,
    },
    /// Neither answer nor error within the time for it.
    #[error("the model did not {waited_for} in time")]
    TimedOut {
        /// `connect`, `begin to answer` or `go on`.
        waited_for: &'static str,
    },
    /// The answer broke off, or ended without its terminal mark.
    #[error("the model's answer was cut off")]
    Truncated(#[source] Option<BoxError>),
    /// The answer is none that we understand, or is larger than allowed.
    #[error("the model's answer cannot be read: {reason}")]
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
}

impl UpstreamError {
    fn unreadable(reason: impl Into<String>) -> Self {
        Self::Unreadable { reason: reason.into() }
    }

    /// A stable code for logs, metrics, runs and error events.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "model_unreachable",
            Self::Unauthorized { .. } => "model_unauthorized",
            Self::RateLimited { .. } => "model_rate_limited",
            Self::QuotaExhausted { .. } => "model_quota_exhausted",
            Self::ContextTooLong { .. } => "context_too_long",
            Self::Refused { .. } => "model_refused",
            Self::Failed { .. } => "model_failed",
            Self::TimedOut { .. } => "model_timed_out",
            Self::Truncated(_) => "model_truncated",
            Self::Unreadable { .. } => "model_unreadable",
        }
    }

    /// Whether asking again later may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::RateLimited { .. }
            | Self::Failed { .. }
            | Self::TimedOut { .. }
            | Self::Truncated(_) => true,
            Self::Unauthorized { .. }
            | Self::QuotaExhausted { .. }
            | Self::ContextTooLong { .. }
            | Self::Refused { .. }
            | Self::Unreadable { .. } => false,
        }
    }
}
