//! `/api/chatkit/threads`.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    chat::{Message, threads::latest_first},
    protocol::{Page, RunId, ThreadId, ThreadStatus, Timestamp},
    store::record::ThreadRecord,
};

use super::{
    AppState,
    description::parameters::ThreadPath,
    error::ApiError,
    extract::{JsonBody, OptionalJsonBody, Query},
    login::CallerUser,
};

/// A thread in a list.
#[derive(Serialize, ToSchema)]
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
#[derive(Serialize, ToSchema)]
pub(super) struct ThreadDetails {
    #[serde(flatten)]
    summary: ThreadSummary,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<Message>>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// How many: at most 1000 are given, 20 where it is below 1.
    #[param(default = 20, maximum = 1000)]
    limit: Option<i64>,
    /// The `after` of the page before.
    after: Option<String>,
    /// Archived threads instead of the others.
    #[serde(default)]
    archived: bool,
}

#[derive(Default, Deserialize, ToSchema)]
pub(super) struct CreateThread {
    #[schema(max_length = 500)]
    title: Option<String>,
}

#[derive(Deserialize, ToSchema)]
pub(super) struct UpdateThread {
    #[schema(max_length = 500)]
    title: Option<String>,
    archived: Option<bool>,
}

/// The caller's threads, latest change first
#[utoipa::path(
    get,
    path = "/api/chatkit/threads",
    tag = "Threads",
    params(ListQuery),
    responses((status = 200, body = Page<ThreadSummary>, description = "A page")),
    security(("session_token" = [])),
)]
pub(super) async fn list_threads(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<ThreadSummary>>, ApiError> {
    let page = latest_first(query.limit, query.after);
    let threads = state.chat.list_threads(&user, Some(query.archived), &page).await?;
    Ok(Json(threads.map(ThreadSummary::from)))
}

/// An empty thread
#[utoipa::path(
    post,
    path = "/api/chatkit/threads",
    tag = "Threads",
    request_body = Option<CreateThread>,
    responses((status = 201, body = ThreadSummary, description = "The thread")),
    security(("session_token" = [])),
)]
pub(super) async fn create_thread(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    OptionalJsonBody(request): OptionalJsonBody<CreateThread>,
) -> Result<(StatusCode, Json<ThreadSummary>), ApiError> {
    let title = request.unwrap_or_default().title;
    let thread = state.chat.create_thread(&user, title).await?;
    Ok((StatusCode::CREATED, Json(thread.into())))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ShowQuery {
    /// Whether the history is wanted.
    #[serde(default = "yes")]
    #[param(required = false, default = true)]
    messages: bool,
}

fn yes() -> bool {
    true
}

/// A thread with its whole history, oldest first
#[utoipa::path(
    get,
    path = "/api/chatkit/threads/{id}",
    tag = "Threads",
    params(ThreadPath, ShowQuery),
    responses((status = 200, body = ThreadDetails, description = "The thread")),
    security(("session_token" = [])),
)]
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

/// Another title, put away, or taken back
#[utoipa::path(
    patch,
    path = "/api/chatkit/threads/{id}",
    tag = "Threads",
    params(ThreadPath),
    request_body = UpdateThread,
    responses((status = 200, body = ThreadSummary, description = "The thread as it is now")),
    security(("session_token" = [])),
)]
pub(super) async fn update_thread(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    Path(id): Path<ThreadId>,
    JsonBody(request): JsonBody<UpdateThread>,
) -> Result<Json<ThreadSummary>, ApiError> {
    let thread = state.chat.update_thread(&user, id, request.title, request.archived).await?;
    Ok(Json(thread.into()))
}

/// Deletes a thread with all that is in it; its run is stopped
#[utoipa::path(
    delete,
    path = "/api/chatkit/threads/{id}",
    tag = "Threads",
    params(ThreadPath),
    responses((status = 204, description = "It is gone")),
    security(("session_token" = [])),
)]
pub(super) async fn delete_thread(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    Path(id): Path<ThreadId>,
) -> Result<StatusCode, ApiError> {
    state.chat.delete_thread(&user, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
