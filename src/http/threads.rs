//! `/api/chatkit/threads`.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};

use crate::{
    chat::{Message, threads::latest_first},
    protocol::{Page, RunId, ThreadId, ThreadStatus, Timestamp},
    store::record::ThreadRecord,
};

use super::{
    AppState,
    error::ApiError,
    extract::{JsonBody, OptionalJsonBody, Query},
    login::CallerUser,
};

/// A thread in a list.
#[derive(Serialize)]
pub(super) struct ThreadSummary {
    id: ThreadId,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    status: ThreadStatus,
    created_at: Timestamp,
    updated_at: Timestamp,
    message_count: u64,
    archived: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    active_run_id: Option<RunId>,
}

impl From<ThreadRecord> for ThreadSummary {
    fn from(thread: ThreadRecord) -> Self {
        Self {
            id: thread.id,
            title: thread.title,
            status: thread.status,
            created_at: thread.created_at,
            updated_at: thread.updated_at,
            message_count: thread.message_count,
            archived: thread.archived_at.is_some(),
            active_run_id: thread.active_run_id,
        }
    }
}

/// A thread with all that is in it.
#[derive(Serialize)]
pub(super) struct ThreadDetails {
    #[serde(flatten)]
    summary: ThreadSummary,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<Message>>,
}

#[derive(Deserialize)]
pub(super) struct ListQuery {
    limit: Option<i64>,
    after: Option<String>,
    #[serde(default)]
    archived: bool,
}

#[derive(Default, Deserialize)]
pub(super) struct CreateThread {
    title: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct UpdateThread {
    title: Option<String>,
    archived: Option<bool>,
}

/// `GET /api/chatkit/threads`: latest change first.
pub(super) async fn list_threads(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<ThreadSummary>>, ApiError> {
    let page = latest_first(query.limit, query.after);
    let threads = state.chat.list_threads(&user, Some(query.archived), &page).await?;
    Ok(Json(threads.map(ThreadSummary::from)))
}

/// `POST /api/chatkit/threads`: an empty thread.
pub(super) async fn create_thread(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    OptionalJsonBody(request): OptionalJsonBody<CreateThread>,
) -> Result<(StatusCode, Json<ThreadSummary>), ApiError> {
    let title = request.unwrap_or_default().title;
    let thread = state.chat.create_thread(&user, title).await?;
    Ok((StatusCode::CREATED, Json(thread.into())))
}

#[derive(Deserialize)]
pub(super) struct ShowQuery {
    #[serde(default = "yes")]
    messages: bool,
}

fn yes() -> bool {
    true
}

/// `GET /api/chatkit/threads/{id}`: with its whole history, oldest first, unless it is not wanted.
pub(super) async fn show_thread(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    Path(id): Path<ThreadId>,
    Query(query): Query<ShowQuery>,
) -> Result<Json<ThreadDetails>, ApiError> {
    let thread = state.chat.find_thread(&user, id).await?;
    let messages =
        if query.messages { Some(state.chat.list_messages(&user, id).await?) } else { None };
    Ok(Json(ThreadDetails { summary: thread.into(), messages }))
}

/// `PATCH /api/chatkit/threads/{id}`: another title, put away, or taken back.
pub(super) async fn update_thread(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    Path(id): Path<ThreadId>,
    JsonBody(request): JsonBody<UpdateThread>,
) -> Result<Json<ThreadSummary>, ApiError> {
    let thread = state.chat.update_thread(&user, id, request.title, request.archived).await?;
    Ok(Json(thread.into()))
}

/// `DELETE /api/chatkit/threads/{id}`.
pub(super) async fn delete_thread(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    Path(id): Path<ThreadId>,
) -> Result<StatusCode, ApiError> {
    state.chat.delete_thread(&user, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
