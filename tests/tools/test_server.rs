//! The MCP service on a loopback socket, and a client of it.

use std::{net::SocketAddr, time::Duration};

use async_trait::async_trait;
use axum::{Router, extract::Request, middleware, response::Response};
use chatkit_gateway::{
    protocol::{ItemId, Page, ThreadId, UserId},
    store::{
        PageQuery, Result,
        record::{ItemRecord, TaskRecord, ThreadRecord},
    },
    tools::{
        ToolRegistry,
        mcp_resources::ResourceStore,
        mcp_server::{self, McpSettings},
        tasks::task_tools,
    },
};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::memory_store::MemoryStore;

/// The last version that begins with `initialize`.
pub(crate) const LEGACY: &str = "2025-11-25";

/// The first version whose requests are self-contained.
pub(crate) const MODERN: &str = "2026-07-28";

/// The MCP service behind a layer that takes the user's name from a header.
pub(crate) struct TestServer {
    address: SocketAddr,
    client: reqwest::Client,
    pub(crate) shutdown: CancellationToken,
    _tasks: JoinSet<std::io::Result<()>>,
}

impl TestServer {
    pub(crate) async fn start(registry: ToolRegistry, settings: McpSettings) -> Self {
        let shutdown = CancellationToken::new();
        let service = mcp_server::service(registry, Nothing, &settings, shutdown.clone());
        let app = Router::new().route_service("/mcp", service).layer(middleware::from_fn(log_in));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, app).await });
        // An error means that another test of this process has done it.
        _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { address, client, shutdown, _tasks: tasks }
    }

    pub(crate) async fn with_task_tools() -> Self {
        let registry = ToolRegistry::new(task_tools(MemoryStore::default())).expect("valid tools");
        Self::start(registry, McpSettings::default()).await
    }

    /// A message of Alice.
    pub(crate) fn post(&self, version: &str, body: &Value) -> reqwest::RequestBuilder {
        self.anonymous(version, body).header("x-test-user", "alice")
    }

    /// A message of nobody.
    pub(crate) fn anonymous(&self, version: &str, body: &Value) -> reqwest::RequestBuilder {
        self.client
            .post(format!("http://{}/mcp", self.address))
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", version)
            .json(body)
    }

    /// Sends a request as clients of the era of `initialize` do.
    pub(crate) async fn legacy(&self, method: &str, params: Value) -> Value {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        answer(self.post(LEGACY, &body)).await
    }

    /// Sends a self-contained request.
    pub(crate) async fn modern(&self, method: &str, mut params: Value) -> Value {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let mut request = self.post(MODERN, &body).header("mcp-method", method);
        if let Some(name) = params["name"].as_str() {
            request = request.header("mcp-name", name);
        }
        answer(request).await
    }
}

/// A store in which there is nothing to be read.
struct Nothing;

#[async_trait]
impl ResourceStore for Nothing {
    async fn list_threads(
        &self,
        _: &UserId,
        _: PageQuery<ThreadId>,
    ) -> Result<Option<Page<ThreadRecord>>> {
        Ok(None)
    }

    async fn find_thread(&self, _: &UserId, _: ThreadId) -> Result<Option<ThreadRecord>> {
        Ok(None)
    }

    async fn list_items(
        &self,
        _: &UserId,
        _: ThreadId,
        _: PageQuery<ItemId>,
    ) -> Result<Option<Page<ItemRecord>>> {
        Ok(None)
    }

    async fn list_tasks(&self, _: &UserId) -> Result<Vec<TaskRecord>> {
        Ok(Vec::new())
    }
}

async fn log_in(mut request: Request, next: middleware::Next) -> Response {
    let user = request.headers().get("x-test-user").and_then(|name| name.to_str().ok());
    if let Some(user) = user.and_then(|name| UserId::parse(name).ok()) {
        request.extensions_mut().insert(user);
    }
    next.run(request).await
}

/// The JSON-RPC message that a request is answered with, as plain JSON.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Value {
    let response = request.send().await.expect("an answer");
    assert_eq!(response.headers()["content-type"], "application/json");
    response.json().await.expect("a JSON-RPC message")
}

/// Waits for what happens at once unless it is broken: then the test fails instead of hanging.
pub(crate) async fn within_seconds<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), event).await.expect("what was awaited")
}
