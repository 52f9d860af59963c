//! `POST /chatkit`: the one endpoint of the ChatKit protocol. A request's `type` decides whether
//! the answer is a stream or JSON.

use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    chat::{OnBusy, Posting, SendMessage, Sent},
    protocol::{
        Attachment, ChatKitRequest, Claims, Order, Page, Thread, ThreadEvent, ThreadId, ThreadItem,
        UserId,
        request::{ListParams, UserMessageInput},
        thread::EmptyObject,
    },
    run::Framing,
};

use super::{
    AppState,
    description::parameters::{IdempotencyHeader, OwnClientHeader, STREAM_EXAMPLE},
    error::ApiError,
    extract::JsonBytes,
    login::{CallerClaims, CallerUser},
    messages::{idempotency_key, stream},
};

/// Sent by the gateway's own fetch helper, which resumes and cancels.
const CLIENT_HEADER: &str = "chatkit-gateway-client";

/// A request of the ChatKit protocol
///
/// Its `type` says what is wanted, and whether the answer is a stream or JSON.
#[utoipa::path(
    post,
    path = "/chatkit",
    operation_id = "answer_chatkit",
    tag = "ChatKit",
    params(IdempotencyHeader, OwnClientHeader),
    request_body(content = ChatKitRequest, examples(
        ("threads.list" = (value = json!({"type": "threads.list", "params": {"limit": 10, "order": "desc"}}))),
        ("threads.create" = (value = json!({"type": "threads.create", "params": {"input": {"content": [{"type": "input_text", "text": "list my tasks"}], "attachments": [], "inference_options": {}}}}))),
    )),
    responses((status = 200, content(
        (ChatKitAnswer = "application/json"),
        (ThreadEvent = "text/event-stream", example = json!(STREAM_EXAMPLE)),
    ), description = "What was asked for, or the events of the run that was begun", headers(
        ("X-Run-Id" = String, description = "The run, where one was begun"),
        ("X-Thread-Id" = String, description = "Its thread"),
        ("Idempotency-Replayed" = String, description = "`true` where the same request was made before"),
    ))),
    security(("session_token" = [])),
)]
pub(super) async fn answer(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    CallerClaims(claims): CallerClaims,
    headers: HeaderMap,
    body: JsonBytes,
) -> Result<Response, ApiError> {
    let page = PageRequest { state: &state, user: &user, claims, headers: &headers, body: &body };
    match body.parse()? {
        ChatKitRequest::ThreadsCreate { input } => page.send(None, input).await,
        ChatKitRequest::ThreadsAddUserMessage { input, thread_id } => {
            page.send(Some(thread_id), input).await
        }
        ChatKitRequest::ThreadsAddClientToolOutput { thread_id, result } => {
            let posting = page.posting()?;
            let sent = state.chat.add_client_tool_output(&user, thread_id, result, posting);
            Ok(page.stream(sent.await?))
        }
        ChatKitRequest::ThreadsAddStructuredInput { thread_id, item_id, input } => {
            let posting = page.posting()?;
            let sent = state.chat.add_structured_input(&user, thread_id, item_id, &input, posting);
            Ok(page.stream(sent.await?))
        }
        ChatKitRequest::ThreadsRetryAfterItem { thread_id, item_id } => {
            let posting = page.posting()?;
            let sent = state.chat.retry_after(&user, thread_id, item_id, posting);
            Ok(page.stream(sent.await?))
        }
        ChatKitRequest::ThreadsCustomAction(action) => {
            let sent = state.chat.act(&user, action, page.posting()?).await?;
            Ok(page.stream(sent))
        }
        ChatKitRequest::ThreadsSyncCustomAction(action) => {
            let updated_item = state.chat.act_at_once(&user, action).await?;
            Ok(json(SyncActionAnswer { updated_item }))
        }
        ChatKitRequest::ThreadsGetById { thread_id } => get_thread(&state, &user, thread_id).await,
        ChatKitRequest::ThreadsList(page) => {
            let threads = state.chat.list_threads(&user, Some(false), &page).await?;
            Ok(json(threads.map(|thread| Thread::from(&thread))))
        }
        ChatKitRequest::ThreadsUpdate { thread_id, title } => {
            let thread = state.chat.update_thread(&user, thread_id, Some(title), None).await?;
            Ok(json(Thread::from(&thread)))
        }
        ChatKitRequest::ThreadsDelete { thread_id } => {
            state.chat.delete_thread(&user, thread_id).await?;
            Ok(json(EmptyObject {}))
        }
        ChatKitRequest::ItemsList { thread_id, page } => {
            Ok(json(state.chat.list_items(&user, thread_id, &page).await?))
        }
        ChatKitRequest::ItemsFeedback { thread_id, item_ids, kind } => {
            state.chat.give_feedback(&user, thread_id, &item_ids, kind).await?;
            Ok(json(EmptyObject {}))
        }
        ChatKitRequest::AttachmentsCreate { name, size, mime_type } => {
            Ok(json(state.chat.create_attachment(&user, name, size, mime_type).await?))
        }
        ChatKitRequest::AttachmentsDelete { attachment_id } => {
            state.chat.delete_attachment(&user, attachment_id).await?;
            Ok(json(EmptyObject {}))
        }
        ChatKitRequest::InputTranscribe { audio_base64, mime_type } => {
            let text = state.chat.transcribe(&user, &audio_base64, mime_type).await?;
            Ok(json(Transcript { text }))
        }
    }
}

/// The answers that are no stream, by the request's `type`.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the description alone")]
pub(super) enum ChatKitAnswer {
    /// To `threads.get_by_id`, `threads.update`.
    Thread(Box<Thread>),
    /// To `threads.list`.
    Threads(Page<Thread>),
    /// To `items.list`.
    Items(Page<ThreadItem>),
    /// To `attachments.create`.
    Attachment(Box<Attachment>),
    /// To `threads.sync_custom_action`.
    SyncAction(Box<SyncActionAnswer>),
    /// To `input.transcribe`.
    Transcript(Transcript),
    /// To `threads.delete`, `items.feedback`, `attachments.delete`.
    Done(EmptyObject),
}

/// The answer to `threads.sync_custom_action`.
#[derive(Serialize, ToSchema)]
pub(super) struct SyncActionAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_item: Option<ThreadItem>,
}

/// The answer to `input.transcribe`.
#[derive(Serialize, ToSchema)]
pub(super) struct Transcript {
    text: String,
}

/// A request of a page that starts a run.
struct PageRequest<'a> {
    state: &'a AppState,
    user: &'a UserId,
    claims: Claims,
    headers: &'a HeaderMap,
    body: &'a JsonBytes,
}

impl PageRequest<'_> {
    fn is_own_client(&self) -> bool {
        self.headers.contains_key(CLIENT_HEADER)
    }

    fn posting(&self) -> Result<Posting, ApiError> {
        Ok(Posting {
            claims: self.claims.clone(),
            // The page's own Stop only closes the connection: it is offered where that stops the
            // run, or where the helper turns it into a cancel.
            allow_cancel: self.is_own_client() || self.state.chat.runs().stops_when_left(),
            idempotency: idempotency_key(self.headers, "chatkit", self.body)?,
            on_busy: OnBusy::SupersedeUnwatched,
        })
    }

    fn stream(&self, sent: Sent) -> Response {
        let framing =
            if self.is_own_client() { Framing::WithId(sent.run_id) } else { Framing::Plain };
        stream(sent, framing)
    }

    async fn send(
        &self,
        thread_id: Option<ThreadId>,
        input: UserMessageInput,
    ) -> Result<Response, ApiError> {
        let message = SendMessage {
            thread_id,
            content: input.content,
            attachments: input.attachments,
            quoted_text: input.quoted_text,
            options: input.inference_options,
        };
        Ok(self.stream(self.state.chat.send(self.user, message, self.posting()?).await?))
    }
}

fn json(value: impl Serialize) -> Response {
    Json(value).into_response()
}

async fn get_thread(
    state: &AppState,
    user: &UserId,
    thread_id: ThreadId,
) -> Result<Response, ApiError> {
    let thread = state.chat.find_thread(user, thread_id).await?;
    let first = ListParams { limit: None, order: Order::Asc, after: None };
    let items = state.chat.list_items(user, thread_id, &first).await?;
    Ok(json(Thread { items, ..Thread::from(&thread) }))
}
