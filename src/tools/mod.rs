//! Tools that run in the server: what the model may do besides talk.
//!
//! A tool is defined once, as a [`Tool`], and offered twice: to our own agent in process, and to
//! any MCP client by [`mcp_server`]. Both call it through the [`ToolRegistry`], which bounds the
//! call in time and size, so that a tool need not.
//!
//! | module | holds |
//! |---|---|
//! | [`registry`] | the tools there are, and the bounded call |
//! | [`display`] | what a tool shows in the thread while it runs |
//! | [`arguments`] | a tool's arguments as a struct: schema and parsing |
//! | [`ask_user`] | the tool by which the model asks the user |
//! | [`tasks`] | the tools of the caller's task list |
//! | [`task_rules`] | what a task may be, for the tools and the HTTP routes alike |
//! | [`task_store`] | the part of the store that the task tools use |
//! | [`mcp_server`] | the tools for any MCP client |
//! | [`mcp_resources`] | what such a client may read besides |
//! | [`mcp_client`] | the tools of other MCP servers, for our agent |

pub mod arguments;
pub mod ask_user;
pub mod display;
pub mod mcp_client;
pub mod mcp_resources;
pub mod mcp_server;
#[cfg(any(test, fuzzing))]
pub(crate) mod property;
pub mod registry;
pub mod task_rules;
pub mod task_store;
pub mod tasks;

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::protocol::{UserId, item::StructuredInput};

pub use display::{Display, Shown, ShownTask};
pub use registry::{RegistryError, ToolRegistry};

/// What the type of a widget's action begins with that goes to a tool: the tool's name comes behind
/// it, the payload is the arguments.
pub const TOOL_ACTION: &str = "tool:";

/// Tools that come and go: the newest registry of them. Taking it costs a pointer.
pub type LiveTools = watch::Receiver<ToolRegistry>;

/// A tool.
#[async_trait]
pub trait Tool: Send + Sync + 'static {
    /// Its name, its description and the schema of its arguments.
    fn spec(&self) -> &ToolSpec;

    /// How long a call may take, where it is not what the caller thinks.
    fn timeout(&self) -> Option<Duration> {
        None
    }

    /// What the user is asked before a call with these arguments. Our own agent asks; `/mcp` does
    /// not, since its clients ask their users themselves.
    fn asks(&self, arguments: &Map<String, Value>) -> Option<Asks> {
        let _ = arguments;
        None
    }

    /// Whether actions of widgets may go to it: then whoever is shown such a widget can call it.
    fn takes_actions(&self) -> bool {
        false
    }

    /// The tool server that it is of, by its name; none for a tool of this process.
    fn server(&self) -> Option<&str> {
        None
    }

    /// Runs it for a user. A failure is an output too: the model is told and can mend it.
    ///
    /// The future is dropped when the time is up or the run is cancelled: what must happen whole
    /// has to survive that.
    async fn call(&self, context: &ToolContext, arguments: Map<String, Value>) -> ToolOutput;
}

/// What the user is asked before a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Asks {
    /// Whether it may be made.
    Consent,
    /// Questions. The answers are what the call gives: the tool itself is not called.
    Questions(Vec<StructuredInput>),
}

/// What a tool is.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolSpec {
    /// What the model calls: `^[a-zA-Z0-9_-]{1,64}$`.
    pub name: String,
    /// What people see.
    pub title: String,
    /// What the model reads.
    pub description: String,
    /// JSON Schema of an object.
    pub parameters: Value,
    /// Changes nothing.
    pub read_only: bool,
    /// Takes something away.
    pub destructive: bool,
    /// Calling it twice is calling it once.
    pub idempotent: bool,
}

/// For whom a tool runs.
#[derive(Clone, Debug)]
pub struct ToolContext {
    /// The caller: a tool works on this user's things only.
    pub user_id: UserId,
    /// Cancelled when the run is, and when the call's time is up.
    pub cancel: CancellationToken,
    /// Where it can show what it does.
    pub display: Display,
}

impl ToolContext {
    /// A call for this user that shows nothing.
    pub fn new(user_id: UserId, cancel: CancellationToken) -> Self {
        Self { user_id, cancel, display: Display::default() }
    }
}

/// What a tool gives the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolOutput {
    /// Text, often JSON.
    pub text: String,
    /// Whether it is an error for the model to mend.
    pub is_error: bool,
    /// What the model sees beside the text, in the run of the call alone: images are not kept.
    pub images: Vec<ToolImage>,
}

/// An image that a tool gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolImage {
    /// One that the models' APIs take, as `image/png`.
    pub mime_type: String,
    /// The image in base64.
    pub data: String,
}

impl ToolImage {
    /// The image as a data URL.
    pub fn url(&self) -> String {
        format!("data:{};base64,{}", self.mime_type, self.data)
    }
}

impl ToolOutput {
    /// A result: JSON as text.
    pub fn json(value: &impl serde::Serialize) -> Self {
        match serde_json::to_string(value) {
            Ok(text) => Self { text, ..Self::default() },
            Err(error) => Self::error(format!("the result cannot be written: {error}")),
        }
    }

    /// A failure that the model is told.
    pub fn error(message: impl Into<String>) -> Self {
        Self { text: message.into(), is_error: true, images: Vec::new() }
    }
}
