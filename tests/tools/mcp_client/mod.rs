//! The tools of other MCP servers, good ones and bad ones.

mod bounds;
mod calls;
mod processes;
mod supervision;

use std::time::Duration;

use chatkit_gateway::{
    protocol::{ThreadId, UserId},
    tools::{
        Display, LiveTools, Shown, ToolContext, ToolOutput, ToolRegistry,
        mcp_client::{
            McpServers, ServerSettings,
            settings::{Header, TransportSettings},
        },
        registry::DEFAULT_TIMEOUT,
    },
};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{test_server::within_seconds, tool_server::Era};

/// Both eras of the protocol.
pub(crate) const ERAS: [Era; 2] = [Era::Legacy, Era::Modern];

/// A server at an address.
pub(crate) fn at(url: &str) -> ServerSettings {
    with_headers(url, &[])
}

pub(crate) fn with_headers(url: &str, headers: &[(&str, &str)]) -> ServerSettings {
    let headers = headers.iter().map(|(name, value)| Header::new(name, *value).unwrap());
    let transport = TransportSettings::Http { url: url.to_owned(), headers: headers.collect() };
    ServerSettings::new("srv", transport)
}

/// The servers of a test, and a user who calls their tools.
pub(crate) struct Servers {
    running: McpServers,
    pub(crate) tools: LiveTools,
    pub(crate) up: watch::Receiver<Vec<bool>>,
    pub(crate) context: ToolContext,
    pub(crate) shown: mpsc::Receiver<Shown>,
}

impl Servers {
    pub(crate) async fn start(settings: impl Into<Vec<ServerSettings>>) -> Self {
        // An error means that another test of this process has done it.
        _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let servers = McpServers::start(settings.into(), ToolRegistry::default(), []).await;
        let (display, shown) = Display::channel(ThreadId::new());
        let user_id = UserId::parse("alice").unwrap();
        let context =
            ToolContext { display, ..ToolContext::new(user_id, CancellationToken::new()) };
        Self { tools: servers.tools(), up: servers.up(), running: servers, context, shown }
    }

    /// With one server, which is up.
    pub(crate) async fn with(settings: ServerSettings) -> Self {
        let mut servers = Self::start([settings]).await;
        servers.until_up(true).await;
        servers
    }

    pub(crate) fn registry(&self) -> ToolRegistry {
        self.tools.borrow().clone()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.registry().iter().map(|tool| tool.spec().name.clone()).collect()
    }

    /// Calls a tool of the server `srv`, by the name that the model knows.
    pub(crate) async fn call(&self, name: &str, arguments: &Value) -> ToolOutput {
        let name = format!("srv__{name}");
        let arguments = arguments.to_string();
        let registry = self.registry();
        within_seconds(registry.call(&self.context, &name, &arguments, DEFAULT_TIMEOUT)).await
    }

    /// Waits until the only server is up, or is not.
    pub(crate) async fn until_up(&mut self, is_up: bool) {
        within_seconds(self.up.wait_for(|up| up[0] == is_up)).await.unwrap();
    }

    /// Waits until these are the tools.
    pub(crate) async fn until_tools(&mut self, names: &[&str]) {
        let are_they = |tools: &ToolRegistry| {
            tools.iter().map(|tool| tool.spec().name.as_str()).eq(names.iter().copied())
        };
        within_seconds(self.tools.wait_for(are_they)).await.unwrap();
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }
}

/// An error of a call, with these words in it.
pub(crate) fn assert_error(output: &ToolOutput, words: &str) {
    assert!(output.is_error && output.text.contains(words), "{output:?}");
}

/// A call's time limit in tests of what never answers.
pub(crate) const SHORT: Duration = Duration::from_millis(300);
