//! What holds for whatever MCP clients and servers send.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, header};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

pub(crate) use super::mcp_client::mcp_answer;
use super::{
    Tool, ToolContext, ToolOutput, ToolRegistry, ToolSpec,
    mcp_resources::ResourceStore,
    mcp_server::{self, McpSettings},
};
use crate::{
    protocol::{ItemId, Page, ThreadId, UserId},
    store::{
        PageQuery, Result,
        record::{ItemRecord, TaskRecord, ThreadRecord},
    },
};

/// Versions of the protocol: one of each era, and one that there is not.
const VERSIONS: [&str; 3] = ["2025-11-25", "2026-07-28", "1999-01-01"];
/// Far longer than any request takes here.
const PATIENCE: Duration = Duration::from_secs(10);

/// The first byte says which version and whether there is a user, the others are the message.
///
/// There is an answer, which is no failure; a result only for a user.
pub(crate) fn mcp_request(data: &[u8]) -> bool {
    let Some((way, message)) = data.split_first() else { return false };
    let request = request(VERSIONS[usize::from(way / 2) % 3], *way % 2 == 0, message);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let (status, answer) = runtime.expect("a runtime").block_on(async {
        tokio::time::timeout(PATIENCE, ask(request)).await.expect("there is an answer")
    });
    assert!(!status.is_server_error(), "{status} {answer}");
    if answer["result"].is_null() {
        return false;
    }
    assert!(status.is_success(), "{status} {answer}");
    assert_eq!(answer["jsonrpc"], "2.0", "{answer}");
    let is_known = *way % 2 == 0;
    let what_users_have = ["tools", "content", "resources", "contents", "resourceTemplates"];
    let has_some = what_users_have.iter().any(|member| answer["result"].get(*member).is_some());
    assert!(is_known || !has_some, "nobody got {answer}");
    true
}

fn request(version: &str, is_known: bool, message: &[u8]) -> Request<Full<Bytes>> {
    let body = Full::new(Bytes::copy_from_slice(message));
    let mut request = Request::post("http://localhost/mcp")
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, text/event-stream")
        .header("mcp-protocol-version", version);
    // In the later era these repeat what the message says.
    let said: Value = serde_json::from_slice(message).unwrap_or_default();
    let repeated = [("mcp-method", &said["method"]), ("mcp-name", &said["params"]["name"])];
    for (name, value) in repeated {
        let value = value.as_str().and_then(|value| header::HeaderValue::from_str(value).ok());
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    let mut request = request.body(body).expect("the headers are sound");
    if is_known {
        request.extensions_mut().insert(UserId::parse("alice").expect("a name"));
    }
    request
}

async fn ask(request: Request<Full<Bytes>>) -> (hyper::StatusCode, Value) {
    let echo: Arc<dyn Tool> = Arc::new(Echo(spec()));
    let registry = ToolRegistry::new(vec![echo]).expect("a good tool");
    let settings = McpSettings::default();
    let service = mcp_server::service(registry, Nothing, &settings, CancellationToken::new());
    let (head, body) = service.handle(request).await.into_parts();
    let kind = head.headers.get(header::CONTENT_TYPE);
    if kind.is_none_or(|kind| !kind.as_bytes().starts_with(b"application/json")) {
        return (head.status, Value::Null);
    }
    let body = body.collect().await.expect("a body").to_bytes();
    (head.status, serde_json::from_slice(&body).expect("the answer is JSON"))
}

fn spec() -> ToolSpec {
    ToolSpec {
        name: "echo".to_owned(),
        title: "Echo".to_owned(),
        description: "Says its arguments.".to_owned(),
        parameters: json!({ "type": "object", "properties": {} }),
        read_only: true,
        destructive: false,
        idempotent: true,
    }
}

struct Echo(ToolSpec);

#[async_trait]
impl Tool for Echo {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    async fn call(&self, _: &ToolContext, arguments: Map<String, Value>) -> ToolOutput {
        ToolOutput::json(&arguments)
    }
}

/// A store with nothing in it.
struct Nothing;

#[async_trait]
impl ResourceStore for Nothing {
    async fn list_threads(
        &self,
        _: &UserId,
        page: PageQuery<ThreadId>,
    ) -> Result<Option<Page<ThreadRecord>>> {
        let empty = Page { data: Vec::new(), has_more: false, after: None };
        Ok(page.after.is_none().then_some(empty))
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
