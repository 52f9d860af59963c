//! The routes: a request read, its script asked, the answer begun.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Path, Query, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Counters, Dialect, Manner, ModelCall, Script, Step,
    background::{Kept, KeptResponse},
    body::ScriptBody,
    observe::Observer,
    responses::ResponsesWire,
    script::error_body,
    whole::{Whole, play_whole},
    wire::{fresh_id, wire_for},
};

/// Images come as data URLs.
const MAX_REQUEST_BYTES: usize = 64 * 1024 * 1024;

/// What the routes share.
pub(super) struct Shared {
    pub(super) script: Box<dyn Script>,
    /// As which server Chat Completions are spoken.
    pub(super) manner: Manner,
    pub(super) observer: Arc<Observer>,
    pub(super) kept: Kept,
}

/// On a response: it must not be sent, the connection is closed instead.
#[derive(Clone, Copy, Debug)]
pub(super) struct CloseUnanswered;

/// The routes of the server.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let (chat, _) = shared.manner.base();
    Router::new()
        .route("/v1/responses", post(create_response))
        .route("/v1/responses/{id}", get(read_response))
        .route("/v1/responses/{id}/cancel", post(cancel_response))
        .route(&format!("{chat}/chat/completions"), post(create_chat_completion))
        .route("/v1/models", get(list_models))
        .route("/counters", get(counters))
        .fallback(unknown_route)
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .with_state(shared)
}

async fn create_response(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(&shared, Dialect::Responses, headers, &body).await
}

#[derive(Deserialize)]
struct Reading {
    #[serde(default)]
    stream: bool,
    starting_after: Option<usize>,
}

async fn read_response(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    Query(reading): Query<Reading>,
) -> Response {
    let Some(response) = shared.kept.find(&id) else { return unknown_response(&id) };
    if !reading.stream {
        let message = "this server knows only streams of kept responses: add stream=true";
        return refusal(StatusCode::BAD_REQUEST, "invalid_request", message);
    }
    kept_response(&response, reading.starting_after.map_or(0, |number| number + 1))
}

async fn cancel_response(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    let Some(response) = shared.kept.find(&id) else { return unknown_response(&id) };
    response.cancel();
    json_response(
        StatusCode::OK,
        &json!({ "id": id, "object": "response", "status": "cancelled", "background": true }),
    )
}

fn unknown_response(id: &str) -> Response {
    refusal(StatusCode::NOT_FOUND, "not_found", &format!("Response with id '{id}' not found."))
}

async fn create_chat_completion(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = serde_json::from_slice(&body).unwrap_or_default();
    match shared.manner.check(&headers, uri.query(), &request) {
        Ok(()) => answer(&shared, Dialect::ChatCompletions, headers, &body).await,
        Err((status, refused)) => status_response(status, Vec::new(), &refused),
    }
}

async fn list_models() -> Response {
    let model = json!({ "id": "scripted", "object": "model", "created": 0, "owned_by": "demo" });
    json_response(StatusCode::OK, &json!({ "object": "list", "data": [model] }))
}

/// Not OpenAI's: for whoever pays for the calls, and wants to know how many there were.
async fn counters(State(shared): State<Arc<Shared>>) -> Response {
    let Counters { calls, open_calls, closed_by_client, open_connections } =
        shared.observer.counters();
    let counters = json!({
        "calls": calls, "open_calls": open_calls,
        "closed_by_client": closed_by_client, "open_connections": open_connections,
    });
    json_response(StatusCode::OK, &counters)
}

async fn unknown_route(uri: Uri) -> Response {
    let message = format!("there is no route {}", uri.path());
    refusal(StatusCode::NOT_FOUND, "unknown_url", &message)
}

async fn answer(shared: &Shared, dialect: Dialect, headers: HeaderMap, body: &[u8]) -> Response {
    let call = match ModelCall::read(dialect, headers, body) {
        Ok(call) => ModelCall { manner: shared.manner, ..call },
        Err(problem) => return refusal(StatusCode::BAD_REQUEST, "invalid_request", &problem),
    };
    let (call, mut guard) = shared.observer.begin(call);
    let mut steps = shared.script.answer(Arc::clone(&call));
    let first = steps.next().await;
    match first {
        Some(Step::Status { status, headers, body }) => {
            guard.played();
            status_response(status, headers, &body)
        }
        Some(Step::Cut) => {
            guard.played();
            unanswered()
        }
        first if call.stream && call.is_background() => {
            let wire = ResponsesWire::new(&call);
            let id = wire.response_id();
            let body = ScriptBody::new(Box::new(wire), first, steps, guard);
            kept_response(&shared.kept.begin(id, body), 0)
        }
        first if call.stream => {
            stream_response(ScriptBody::new(wire_for(&call), first, steps, guard))
        }
        first => {
            let whole = play_whole(wire_for(&call), first, steps).await;
            guard.played();
            whole_response(whole)
        }
    }
}

fn stream_response(body: ScriptBody) -> Response {
    events_response(Body::new(body))
}

fn kept_response(response: &Arc<KeptResponse>, first: usize) -> Response {
    events_response(Body::from_stream(response.clone().read(first)))
}

fn events_response(body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (REQUEST_ID, request_id()),
    ];
    (headers, body).into_response()
}

fn whole_response(whole: Whole) -> Response {
    match whole {
        Whole::Object(object) => json_response(StatusCode::OK, &object),
        Whole::Raw(bytes) => ([(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Whole::Error(code, message) => refusal(StatusCode::INTERNAL_SERVER_ERROR, &code, &message),
        Whole::Cut => unanswered(),
    }
}

/// A status of the script; headers that HTTP does not know are left out.
fn status_response(status: u16, headers: Vec<(&'static str, String)>, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match body {
        Value::String(text) => (status, text.clone()).into_response(),
        body => json_response(status, body),
    };
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    json_response(status, &error_body(status.as_u16(), code, message))
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (REQUEST_ID, request_id()),
    ];
    (status, headers, body.to_string()).into_response()
}

fn unanswered() -> Response {
    let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    response.extensions_mut().insert(CloseUnanswered);
    response
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

fn request_id() -> HeaderValue {
    HeaderValue::try_from(format!("req_{}", fresh_id())).expect("hexadecimal digits fit a header")
}
