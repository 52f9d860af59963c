//! `POST /chatkit`: the one endpoint of the ChatKit protocol. A request's `type` decides whether
//! the answer is a stream or JSON.

use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    chat::{OnBusy, Posting, SendMessage, Sent},
    protocol::{
        ChatKitRequest, Claims, Order, Thread, ThreadId, ThreadItem, UserId,
        request::{ListParams, UserMessageInput},
        thread::EmptyObject,
    },
    run::Framing,
};

use super::{
    AppState,
    error::ApiError,
    extract::JsonBytes,
    login::{CallerClaims, CallerUser},
    messages::{idempotency_key, stream},
};

/// Sent by the gateway's own fetch helper, which resumes and cancels.
const CLIENT_HEADER: &str = "chatkit-gateway-client";

/// `POST /chatkit`.
pub(super) async fn answer(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    CallerClaims(claims): CallerClaims,
    headers: HeaderMap,
    body: JsonBytes,
) -> Result<Response, ApiError> {
    let page = Page { state: &state, user: &user, claims, headers: &headers, body: &body };
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

/// The answer to `threads.sync_custom_action`.
#[derive(Serialize)]
struct SyncActionAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_item: Option<ThreadItem>,
}

/// The answer to `input.transcribe`.
#[derive(Serialize)]
struct Transcript {
    text: String,
}

/// A request of a page that starts a run.
struct Page<'a> {
    state: &'a AppState,
    user: &'a UserId,
    claims: Claims,
    headers: &'a HeaderMap,
    body: &'a JsonBytes,
}

impl Page<'_> {
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
