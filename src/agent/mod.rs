//! Who answers. An [`Agent`] is given a turn and yields what is to happen in the thread; the run
//! engine stores it and shows it to whoever watches.
//!
//! [`ModelAgent`] is ours: a model with tools. An application can bring its own, in its process or, as
//! a [`RemoteAgent`], in another.

mod asked;
pub mod bridge;
pub mod choices;
pub mod client_calls;
mod compose;
mod conversation;
mod gateway_calls;
pub mod history;
pub mod model_agent;
#[cfg(any(test, fuzzing))]
pub(crate) mod property;
pub mod remote;
mod resume_point;
mod running_calls;
mod thread;
pub mod titles;
mod tool_turn;
mod waiting_calls;
pub mod widget;
mod widget_action;

use std::{pin::Pin, sync::Arc};

use async_trait::async_trait;
use futures_util::Stream;
use tokio_util::sync::CancellationToken;

use crate::{
    protocol::{
        Claims, ItemId, ItemKind, RunId, ThreadEvent, ThreadId, ThreadItem, UserId,
        item::InferenceOptions,
        request::{Action, FeedbackKind},
    },
    store::{
        StoreError,
        record::{History, ThreadRecord, ToolCallRecord, Usage},
    },
    upstream::UpstreamError,
};

pub use choices::{Choices, NotOffered};
pub use client_calls::ClientTool;
pub use model_agent::ModelAgent;
pub use remote::RemoteAgent;
pub use thread::ThreadHandle;
pub use titles::TitleMaker;

/// What an agent yields. It is written as a generator:
///
/// ```
/// use async_stream::try_stream;
/// use chatkit_gateway::agent::{Agent, AgentStream, Turn};
///
/// struct Parrot;
///
/// impl Agent for Parrot {
///     fn respond(&self, turn: Turn) -> AgentStream<'_> {
///         Box::pin(try_stream! {
///             yield turn.progress("Listening").into();
///             yield turn.say(turn.input_text()).into();
///         })
///     }
/// }
/// ```
pub type AgentStream<'a> = Pin<Box<dyn Stream<Item = Result<AgentEvent, AgentError>> + Send + 'a>>;

/// Who answers.
#[async_trait]
pub trait Agent: Send + Sync + 'static {
    /// Refuses a choice of model or tool that this agent does not offer, before anything is stored
    /// of the message that it came with. An agent that does not say otherwise takes all.
    fn check_options(&self, options: &InferenceOptions) -> Result<(), NotOffered> {
        let _ = options;
        Ok(())
    }

    /// Answers a turn.
    ///
    /// The stream is polled again only when what it yielded is in force: a
    /// [`AgentEvent::ToolCalls`] is stored before the code behind its `yield` runs. An `ItemDone`
    /// may be stored a moment later, together with the end of the run, and is never shown before.
    ///
    /// The stream is dropped when the run is cancelled: whatever it holds, a connection to a model
    /// for one, is then let go.
    fn respond(&self, turn: Turn) -> AgentStream<'_>;

    /// Goes on with a turn that another process died over, from the newest
    /// [`AgentEvent::ResumePoint`] that it gave. What was said behind that point is said once more,
    /// in the same order and with the same identifiers: the engine leaves out what is stored.
    /// `None` when this agent cannot: the run is then interrupted.
    ///
    /// The turn has no input, nor the options that the user chose; its history holds all that is
    /// stored of the turn itself.
    fn resume(&self, turn: Turn, point: &str) -> Option<AgentStream<'_>> {
        let _ = (turn, point);
        None
    }

    /// Answers something that was done with a widget, or by the page itself; the rules are those
    /// of [`Agent::respond`]. An agent that does not say otherwise fails.
    fn action(&self, turn: Turn, action: WidgetAction) -> AgentStream<'_> {
        let _ = (turn, action);
        Box::pin(futures_util::stream::once(async { Err(AgentError::Unsupported) }))
    }

    /// Answers something that was done with a widget, at once and outside any run: with the
    /// widget's item as it is now, which is stored, or with nothing. It may come while a run of
    /// the thread is under way, and goes on when the client leaves.
    async fn sync_action(
        &self,
        caller: ActionCaller,
        action: WidgetAction,
    ) -> Result<Option<ThreadItem>, AgentError> {
        let _ = (caller, action);
        Err(AgentError::Unsupported)
    }

    /// Speech to text. Dropped when the client leaves.
    async fn transcribe(&self, user: &UserId, audio: Audio) -> Result<String, AgentError> {
        let _ = (user, audio);
        Err(AgentError::Unsupported)
    }

    /// Waits until whoever answers for it has heard of what nobody wants any more. The process is
    /// about to end, and waits half a second at most.
    async fn settle(&self) {}

    /// Is told of a thumb up or down, which is stored already. A failure is logged.
    async fn feedback(&self, user: &UserId, feedback: Feedback) -> Result<(), AgentError> {
        let _ = (user, feedback);
        Ok(())
    }
}

/// Something that was done with a widget, or by the page itself.
#[derive(Clone, Debug, PartialEq)]
pub struct WidgetAction {
    /// What was done.
    pub action: Action,
    /// The widget's item; absent for an action of the page.
    pub sender: Option<ThreadItem>,
}

/// Who acts in [`Agent::sync_action`], and where.
#[derive(Clone)]
pub struct ActionCaller {
    /// The user.
    pub user_id: UserId,
    /// The thread.
    pub thread: ThreadRecord,
    /// What was said before.
    pub history: Arc<dyn HistorySource>,
}

/// A recording of speech.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audio {
    /// The recording.
    pub data: Vec<u8>,
    /// Its media type, parameters included: `audio/webm;codecs=opus`.
    pub mime_type: String,
}

impl Audio {
    /// The media type without its parameters.
    pub fn media_type(&self) -> &str {
        self.mime_type.split(';').next().unwrap_or_default().trim()
    }
}

/// A thumb up or down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// The thread.
    pub thread_id: ThreadId,
    /// For which of its items.
    pub item_ids: Vec<ItemId>,
    /// Up or down.
    pub kind: FeedbackKind,
}

/// Something that happens in a turn.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentEvent {
    /// For the thread: stored and shown.
    Thread(ThreadEvent),
    /// Calls of server-side tools that begin or have ended, kept for the model's later turns; with
    /// the workflow item that shows them as it is now.
    ToolCalls {
        /// The calls.
        calls: Vec<ToolCallRecord>,
        /// What shows them.
        workflow: Box<ThreadItem>,
    },
    /// A model is asked, with so many tokens, about: what counts unless [`Usage`](Self::Usage) comes
    /// behind it.
    Asking {
        /// What it is told.
        input_tokens: u64,
    },
    /// Tokens that were used; added up over the run.
    Usage(Usage),
    /// From here another process can go on with the turn, should this one die: what
    /// [`Agent::resume`] is given then. Stored before the code behind its `yield` runs; the newest
    /// counts.
    ResumePoint(String),
}

impl From<ThreadEvent> for AgentEvent {
    fn from(event: ThreadEvent) -> Self {
        Self::Thread(event)
    }
}

/// Why an agent could not go on. What it did so far is kept.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The model did not answer, or not to the end.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The history could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The client shows its own text for an error.
    #[error("the agent failed")]
    Stream {
        /// Whether a retry button is shown.
        allow_retry: bool,
    },
    /// A text for the user.
    #[error("{message}")]
    Custom {
        /// Shown to the user.
        message: String,
        /// Whether a retry button is shown.
        allow_retry: bool,
    },
    /// The agent does not do this.
    #[error("not supported by this agent")]
    Unsupported,
    /// Anything else; the user learns only that it happened.
    #[error("the agent failed")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What there is to answer, and where.
#[derive(Clone)]
pub struct Turn {
    /// The run.
    pub run_id: RunId,
    /// Whose it is.
    pub user_id: UserId,
    /// What their login said of them that the operator lets agents know.
    pub claims: Claims,
    /// The thread, which may be changed during the turn.
    pub thread: ThreadHandle,
    /// What is answered: the user's message, a client tool call with its output, questions with
    /// their answers, or the widget by which the user decided about a call of a tool. Absent for an
    /// action.
    pub input: Option<ThreadItem>,
    /// The user's choice of model and tool.
    pub options: InferenceOptions,
    /// What was said before, the input included.
    pub history: Arc<dyn HistorySource>,
    /// Cancelled when the run is; tools are told by it.
    pub cancel: CancellationToken,
    /// The run's span of a trace, disabled where none is taken: what the agent does may be spans
    /// below it, of the target [`SPANS`](crate::telemetry::SPANS).
    pub span: tracing::Span,
}

impl Turn {
    /// The thread's identifier.
    pub fn thread_id(&self) -> ThreadId {
        self.thread.id()
    }

    /// Whether a message of the user is answered, and not what came of a question to the user or to
    /// the page.
    pub fn answers_message(&self) -> bool {
        self.input.as_ref().is_some_and(|item| matches!(item.kind, ItemKind::UserMessage(_)))
    }

    /// The text of the user's message, empty without one.
    pub fn input_text(&self) -> String {
        match self.input.as_ref().map(|item| &item.kind) {
            Some(ItemKind::UserMessage(message)) => message.plain_text(),
            _ => String::new(),
        }
    }
}

/// Where an agent reads what was said before.
#[async_trait]
pub trait HistorySource: Send + Sync {
    /// The newest `limit` items, oldest first, hidden ones included.
    async fn recent(&self, limit: usize) -> Result<History, StoreError>;
}
