//! `POST /api/chatkit/messages`: a message in; its answer as a stream, or whole.

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    chat::{Message, OnBusy, Posting, SendMessage, Sent, messages::KEY_LIFE, runs::RunResult},
    protocol::{
        AttachmentId, ThreadEvent, ThreadId, Timestamp,
        item::{InferenceOptions, UserContent},
    },
    run::Framing,
    store::record::IdempotencyKey,
};

use super::{
    AppState,
    description::parameters::{IdempotencyHeader, STREAM_EXAMPLE},
    error::ApiError,
    extract::JsonBytes,
    login::{CallerClaims, CallerUser},
    runs::Run,
    sse,
};

/// The longest idempotency key.
const MAX_KEY: usize = 255;

#[derive(Deserialize, ToSchema)]
pub(super) struct PostMessage {
    /// Where to; a new thread without it.
    thread_id: Option<ThreadId>,
    /// The text.
    #[schema(min_length = 1, max_length = 32_000)]
    content: String,
    /// What was uploaded before.
    #[serde(default)]
    #[schema(max_items = 32)]
    attachments: Vec<AttachmentId>,
    /// A model that is offered, or the configured one.
    model: Option<String>,
    /// The part of an earlier message that this one is about.
    #[schema(max_length = 32_000)]
    quoted_text: Option<String>,
    /// `false`: wait, and answer JSON.
    #[serde(default = "yes")]
    stream: bool,
}

fn yes() -> bool {
    true
}

/// A whole answer.
#[derive(Serialize, ToSchema)]
pub(super) struct Answer {
    thread_id: ThreadId,
    run: Run,
    user_message: Option<Message>,
    message: Option<Message>,
}

/// A message; its answer as a stream, or whole
///
/// The message and its run are stored before the first byte of the answer, and before the model is
/// asked. With `"stream": false`, or with `Accept: application/json`, the answer comes whole and at
/// the end; it is 200 for every run that was accepted: look at `run.status`.
#[utoipa::path(
    post,
    path = "/api/chatkit/messages",
    tag = "Messages",
    params(IdempotencyHeader),
    request_body(content = PostMessage, example = json!({"content": "add a task: water the plants", "stream": false})),
    responses((status = 200, content(
        (ThreadEvent = "text/event-stream", example = json!(STREAM_EXAMPLE)),
        (Answer = "application/json"),
    ), description = "The events of the run, or its outcome", headers(
        ("X-Run-Id" = String, description = "The run; with a stream"),
        ("X-Thread-Id" = String, description = "Its thread; with a stream"),
        ("Idempotency-Replayed" = String, description = "`true` where the same request was made before"),
    ))),
    security(("session_token" = [])),
)]
pub(super) async fn post_message(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    CallerClaims(claims): CallerClaims,
    headers: HeaderMap,
    body: JsonBytes,
) -> Result<Response, ApiError> {
    let request: PostMessage = body.parse()?;
    let wants_stream = request.stream && !accepts_json_only(&headers);
    let message = SendMessage {
        thread_id: request.thread_id,
        content: vec![UserContent::InputText { text: request.content }],
        attachments: request.attachments,
        quoted_text: request.quoted_text,
        options: InferenceOptions { tool_choice: None, model: request.model },
    };
    let posting = Posting {
        claims,
        allow_cancel: true,
        idempotency: idempotency_key(&headers, "messages", &body)?,
        on_busy: OnBusy::Refuse,
    };
    let sent = state.chat.send(&user, message, posting).await?;
    if wants_stream {
        let framing = Framing::WithId(sent.run_id);
        return Ok(stream(sent, framing));
    }
    let (thread_id, is_replay) = (sent.thread_id, sent.is_replay);
    let RunResult { run, user_message, message } = state.chat.wait(&user, sent).await?;
    let answer = Answer { thread_id, run: run.into(), user_message, message };
    let mut response = Json(answer).into_response();
    mark_replay(&mut response, is_replay);
    Ok(response)
}

/// The events of a run that was just started, or was by the same request before.
pub(super) fn stream(sent: Sent, framing: Framing) -> Response<Body> {
    let mut response = sse::respond(sent.run_id, sent.thread_id, sent.events, framing);
    mark_replay(&mut response, sent.is_replay);
    response
}

fn mark_replay(response: &mut Response, is_replay: bool) {
    if is_replay {
        response.headers_mut().insert(sse::REPLAYED, HeaderValue::from_static("true"));
    }
}

/// Whether the client asks for JSON and not for a stream.
fn accepts_json_only(headers: &HeaderMap) -> bool {
    let mut accepted =
        headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut wants_json = false;
    let wants_stream = accepted.any(|value| {
        wants_json |= value.contains("application/json");
        value.contains("text/event-stream")
    });
    wants_json && !wants_stream
}

/// The key of a request, with what tells another request with the same key.
pub(super) fn idempotency_key(
    headers: &HeaderMap,
    route: &str,
    body: &JsonBytes,
) -> Result<Option<IdempotencyKey>, ApiError> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let is_decent = |key: &&str| {
        (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let key = key.to_str().ok().filter(is_decent).ok_or_else(|| {
        ApiError::invalid("Idempotency-Key must be 1 to 255 visible ASCII characters")
    })?;
    let fingerprint = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body.0);
    Ok(Some(IdempotencyKey {
        route: route.to_owned(),
        key: key.to_owned(),
        fingerprint: fingerprint.as_ref().to_vec(),
        not_before: Timestamp::now().minus(KEY_LIFE),
    }))
}
