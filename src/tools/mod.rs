//! Tools that run in the server: what the model may do besides talk.
//!
//! A tool is defined once, as a [`Tool`], and offered twice: to our own agent in process, and to
//! any MCP client by [`mcp_server`].

pub mod mcp_server;
pub mod tasks;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::protocol::UserId;

/// A tool.
#[async_trait]
pub trait Tool: Send + Sync + 'static {
    /// Its name, its description and the schema of its arguments.
    fn spec(&self) -> &ToolSpec;

    /// Runs it for a user. A failure is an output too: the model is told and can mend it.
    async fn call(&self, context: &ToolContext, arguments: Map<String, Value>) -> ToolOutput;
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
    /// Cancelled when the run is.
    pub cancel: CancellationToken,
}

/// What a tool gives the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolOutput {
    /// Text, often JSON.
    pub text: String,
    /// Whether it is an error for the model to mend.
    pub is_error: bool,
}

impl ToolOutput {
    /// A result: JSON as text.
    pub fn json(value: &impl serde::Serialize) -> Self {
        match serde_json::to_string(value) {
            Ok(text) => Self { text, is_error: false },
            Err(error) => Self::error(format!("the result cannot be written: {error}")),
        }
    }

    /// A failure that the model is told.
    pub fn error(message: impl Into<String>) -> Self {
        Self { text: message.into(), is_error: true }
    }
}

/// The tools there are, in the order in which the model is told of them.
#[derive(Clone, Default)]
pub struct ToolRegistry {
    tools: Vec<Arc<dyn Tool>>,
}

impl ToolRegistry {
    /// A registry of these tools.
    pub fn new(tools: Vec<Arc<dyn Tool>>) -> Self {
        Self { tools }
    }

    /// All tools.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Tool>> {
        self.tools.iter()
    }

    /// The tool of that name.
    pub fn find(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.tools.iter().find(|tool| tool.spec().name == name)
    }

    /// Placeholder.
    pub async fn call(
        &self,
        _c: &ToolContext,
        _n: &str,
        _a: &str,
        timeout: std::time::Duration,
    ) -> ToolOutput {
        let _ = timeout;
        ToolOutput::error("x")
    }
}
