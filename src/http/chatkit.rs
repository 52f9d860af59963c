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
    chat::{OnBusy, SendMessage},
    protocol::{
        ChatKitRequest, Order, Thread, ThreadId, UserId,
        request::{ListParams, UserMessageInput},
        thread::EmptyObject,
    },
    run::Framing,
};

use super::{
    AppState,
    error::{ApiError, Code},
    extract::JsonBytes,
    login::CallerUser,
    messages::{idempotency_key, stream},
};

/// Sent by the gateway's own fetch helper, which resumes and cancels.
const CLIENT_HEADER: &str = "chatkit-gateway-client";

/// `POST /chatkit`.
pub(super) async fn answer(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    headers: HeaderMap,
    body: JsonBytes,
) -> Result<Response, ApiError> {
    match body.parse()? {
        ChatKitRequest::ThreadsCreate { input } => {
            send(&state, &user, None, input, &headers, &body).await
        }
        ChatKitRequest::ThreadsAddUserMessage { input, thread_id } => {
            send(&state, &user, Some(thread_id), input, &headers, &body).await
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
        ChatKitRequest::ThreadsAddClientToolOutput { .. }
        | ChatKitRequest::ThreadsAddStructuredInput { .. }
        | ChatKitRequest::ThreadsRetryAfterItem { .. }
        | ChatKitRequest::ThreadsCustomAction(_)
        | ChatKitRequest::ThreadsSyncCustomAction(_)
        | ChatKitRequest::AttachmentsCreate { .. }
        | ChatKitRequest::AttachmentsDelete { .. }
        | ChatKitRequest::InputTranscribe { .. } => {
            Err(ApiError::new(Code::NotImplemented, "this request is not supported"))
        }
    }
}

fn json(value: impl Serialize) -> Response {
    Json(value).into_response()
}

async fn send(
    state: &AppState,
    user: &UserId,
    thread_id: Option<ThreadId>,
    input: UserMessageInput,
    headers: &HeaderMap,
    body: &JsonBytes,
) -> Result<Response, ApiError> {
    let is_own_client = headers.contains_key(CLIENT_HEADER);
    let message = SendMessage {
        thread_id,
        content: input.content,
        attachments: input.attachments,
        quoted_text: input.quoted_text,
        options: input.inference_options,
        // The page's own Stop only closes the connection, which stops nothing here: it is offered
        // where the helper turns it into a cancel.
        allow_cancel: is_own_client,
        idempotency: idempotency_key(headers, "chatkit", body)?,
        on_busy: OnBusy::SupersedeUnwatched,
    };
    let sent = state.chat.send(user, message).await?;
    let framing = if is_own_client { Framing::WithId(sent.run_id) } else { Framing::Plain };
    Ok(stream(sent, framing))
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
