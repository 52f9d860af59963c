//! An MCP server over HTTP whose every answer the test decides. Each tool of it does what its name
//! says.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use futures_util::{Stream, StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{broadcast, watch},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle, task::TaskTracker};

/// Which era of the protocol it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    /// With `initialize` and sessions.
    Legacy,
    /// Each request stands for itself.
    Modern,
}

/// A message that came.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Came {
    pub(crate) fn method(&self) -> &str {
        self.body["method"].as_str().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

struct Shared {
    era: Era,
    tools: Mutex<Vec<Value>>,
    page: usize,
    came: watch::Sender<Vec<Came>>,
    changed: broadcast::Sender<()>,
    /// How many sessions there were.
    sessions: AtomicU32,
    /// Lets the tools `tell` and `hang` go on.
    go_on: CancellationToken,
}

/// A running server. Dropped, it is gone, connections and all.
pub(crate) struct ToolServer {
    pub(crate) url: String,
    shared: Arc<Shared>,
    _serving: AbortOnDropHandle<()>,
}

/// A tool as `tools/list` has it.
pub(crate) fn tool(name: &str) -> Value {
    json!({ "name": name, "description": "Does it.", "inputSchema": { "type": "object" } })
}

impl ToolServer {
    pub(crate) async fn start(era: Era, tools: &[&str]) -> Self {
        Self::start_with(era, tools.iter().map(|name| tool(name)).collect(), usize::MAX).await
    }

    /// With tools as they stand here, so many a page.
    pub(crate) async fn start_with(era: Era, tools: Vec<Value>, page: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::start_on(listener, era, tools, page)
    }

    /// At a place that was chosen before.
    pub(crate) fn start_on(
        listener: TcpListener,
        era: Era,
        tools: Vec<Value>,
        page: usize,
    ) -> Self {
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            era,
            tools: Mutex::new(tools),
            page,
            came: watch::Sender::default(),
            changed: broadcast::Sender::new(8),
            sessions: AtomicU32::new(0),
            go_on: CancellationToken::new(),
        });
        let route = post(answer).get(stream_of_session).delete(|| async { StatusCode::OK });
        let app = Router::new().route("/mcp", route).with_state(shared.clone());
        let serving =
            TaskTracker::new().spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, shared, _serving: AbortOnDropHandle::new(serving) }
    }

    /// Waits until a message is so; answers it.
    pub(crate) async fn until(&self, is_it: impl Fn(&Came) -> bool + Send + Sync) -> Came {
        let mut came = self.shared.came.subscribe();
        let all = came.wait_for(|all| all.iter().any(&is_it)).await.unwrap();
        all.iter().find(|came| is_it(came)).unwrap().clone()
    }

    /// What came with that method.
    pub(crate) fn came(&self, method: &str) -> Vec<Came> {
        let all = self.shared.came.borrow();
        all.iter().filter(|came| came.method() == method).cloned().collect()
    }

    /// Has other tools from now on, and says so.
    pub(crate) fn change(&self, tools: &[&str]) {
        *self.shared.tools.lock().unwrap() = tools.iter().map(|name| tool(name)).collect();
        self.shared.changed.send(()).unwrap();
    }

    /// Waits until the client hears of changes.
    pub(crate) async fn until_heard(&self) {
        match self.shared.era {
            Era::Legacy => self.until(|came| came.method() == "GET").await,
            Era::Modern => self.until(|came| came.method() == "subscriptions/listen").await,
        };
    }

    /// Lets the tools that wait go on.
    pub(crate) fn go_on(&self) {
        self.shared.go_on.cancel();
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let is_first_session =
        headers.get("mcp-session-id").is_some_and(|session| session == "session-1");
    shared.came.send_modify(|came| came.push(Came { headers, body: body.clone() }));
    let (id, params) = (body["id"].clone(), &body["params"]);
    match (shared.era, body["method"].as_str().unwrap_or_default()) {
        (Era::Modern, "server/discover") => result(&id, &discovered()),
        (Era::Modern, "subscriptions/listen") => changes(&shared, &id),
        (Era::Legacy, "initialize") => {
            let number = shared.sessions.fetch_add(1, Ordering::Relaxed) + 1;
            let session = [("mcp-session-id", format!("session-{number}"))];
            (session, result(&id, &initialized())).into_response()
        }
        (_, "tools/list") => result(&id, &list(&shared, params["cursor"].as_str())),
        // The first session is lost as soon as it is used.
        (_, "tools/call") if params["name"] == "forget" && is_first_session => {
            StatusCode::NOT_FOUND.into_response()
        }
        (_, "tools/call") => call(&shared, &id, params),
        (_, method) if method.starts_with("notifications/") => StatusCode::ACCEPTED.into_response(),
        _ => {
            let error = json!({ "code": -32601, "message": "method not found" });
            let body = Json(json!({ "jsonrpc": "2.0", "id": id, "error": error }));
            (StatusCode::BAD_REQUEST, body).into_response()
        }
    }
}

fn capabilities() -> Value {
    json!({ "tools": { "listChanged": true } })
}

fn discovered() -> Value {
    json!({
        "resultType": "complete",
        "supportedVersions": ["2026-07-28"],
        "capabilities": capabilities(),
        "ttlMs": 0,
        "cacheScope": "private",
    })
}

fn initialized() -> Value {
    json!({
        "protocolVersion": "2025-11-25",
        "capabilities": capabilities(),
        "serverInfo": { "name": "scripted", "version": "1" },
    })
}

fn list(shared: &Shared, cursor: Option<&str>) -> Value {
    let tools = shared.tools.lock().unwrap();
    let start: usize = cursor.map_or(0, |cursor| cursor.parse().unwrap());
    let end = start.saturating_add(shared.page).min(tools.len());
    let mut list = json!({ "tools": tools[start..end], "resultType": "complete" });
    if end < tools.len() {
        list["nextCursor"] = end.to_string().into();
    }
    list
}

fn text(text: &str) -> Value {
    json!({ "content": [{ "type": "text", "text": text }], "resultType": "complete" })
}

fn call(shared: &Arc<Shared>, id: &Value, params: &Value) -> Response {
    let go_on = shared.go_on.clone();
    match params["name"].as_str().unwrap() {
        "fail" => {
            let mut failure = text("no such file");
            failure["isError"] = true.into();
            result(id, &failure)
        }
        "refuse" => {
            let error = json!({ "code": -32602, "message": "which one?" });
            Json(json!({ "jsonrpc": "2.0", "id": id, "error": error })).into_response()
        }
        "break" => {
            let error = json!({ "code": -32603, "message": "secret of the server's inside" });
            Json(json!({ "jsonrpc": "2.0", "id": id, "error": error })).into_response()
        }
        "picture" => result(
            id,
            &json!({ "resultType": "complete", "content": [
                { "type": "image", "mimeType": "image/png", "data": "aGk=" },
            ] }),
        ),
        // What it shows is what it is called with.
        "show" => {
            let mut shown = text("shown");
            shown["_meta"] = json!({ "chatkit": params["arguments"]["show"] });
            result(id, &shown)
        }
        // One chunk of 1 MiB behind the other: nobody holds the whole.
        "flood" => flood("application/json", id, ""),
        "flood_events" => flood("text/event-stream", id, "data: "),
        "die" => {
            let broken = stream::iter([Ok(Bytes::new()), Err(std::io::Error::other("dies"))]);
            ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(broken))
                .into_response()
        }
        // It names where to go on, and breaks off.
        "resume" => {
            let frame = format!("id: call-{id}\nretry: 1\ndata:\n\n");
            ([(header::CONTENT_TYPE, "text/event-stream")], frame).into_response()
        }
        "hang" => events(stream::once(async move {
            go_on.cancelled().await;
            json!({})
        })),
        "tell" => {
            let params = json!({
                "progressToken": params["_meta"]["progressToken"],
                "progress": 1, "total": 4, "message": "Looking around",
            });
            let progress =
                json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params });
            let done = json!({ "jsonrpc": "2.0", "id": id, "result": text("told") });
            let later = async move {
                go_on.cancelled().await;
                done
            };
            events(stream::iter([progress]).chain(stream::once(later)))
        }
        _ => result(id, &text(&params["arguments"].to_string())),
    }
}

fn result(id: &Value, result: &Value) -> Response {
    Json(json!({ "jsonrpc": "2.0", "id": id, "result": result })).into_response()
}

fn events(messages: impl Stream<Item = Value> + Send + 'static) -> Response {
    let frames = messages.map(|message| Ok::<_, Infallible>(format!("data: {message}\n\n")));
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(frames)).into_response()
}

/// A result with a text of 50 MiB.
fn flood(kind: &'static str, id: &Value, before: &str) -> Response {
    let head = format!(
        "{before}{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"content\":[{{\"type\":\"text\",\
         \"text\":\""
    );
    let chunk = Bytes::from(vec![b'x'; 1024 * 1024]);
    let chunks = std::iter::once(head.into())
        .chain(std::iter::repeat_n(chunk, 50))
        .chain(["\"}]}}\n\n".into()]);
    let body = Body::from_stream(stream::iter(chunks.map(Ok::<Bytes, Infallible>)));
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}

fn list_changed(subscription: Option<&Value>) -> Value {
    let mut message =
        json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": {} });
    if let Some(id) = subscription {
        message["params"]["_meta"] = json!({ "io.modelcontextprotocol/subscriptionId": id });
    }
    message
}

/// The stream of changes that was asked for.
fn changes(shared: &Shared, id: &Value) -> Response {
    let acknowledged = json!({
        "jsonrpc": "2.0",
        "method": "notifications/subscriptions/acknowledged",
        "params": {
            "notifications": { "toolsListChanged": true },
            "_meta": { "io.modelcontextprotocol/subscriptionId": id },
        },
    });
    let told = told(shared, Some(id.clone()));
    events(stream::iter([acknowledged]).chain(told))
}

/// The stream of a session.
async fn stream_of_session(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let body = json!({ "method": "GET" });
    let resumed = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    if let Some(id) = resumed.and_then(|id| id.strip_prefix("call-")?.parse::<u32>().ok()) {
        let done = json!({ "jsonrpc": "2.0", "id": id, "result": text("went on") });
        return events(stream::iter([done]));
    }
    let told = told(&shared, None);
    shared.came.send_modify(|came| came.push(Came { headers, body }));
    events(told)
}

fn told(shared: &Shared, subscription: Option<Value>) -> impl Stream<Item = Value> + Send + use<> {
    stream::unfold((shared.changed.subscribe(), subscription), |(mut changed, id)| async move {
        changed.recv().await.ok()?;
        Some((list_changed(id.as_ref()), (changed, id)))
    })
}
