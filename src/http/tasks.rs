//! `/api/{user_id}/tasks`: the task list that the tools work on.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    protocol::Timestamp,
    store::record::{TaskFilter, TaskPatch, TaskRecord},
    tools::task_rules::{self, TaskRuleError},
};

use super::{
    AppState,
    description::parameters::{TaskPath, UserPath},
    error::ApiError,
    extract::{JsonBody, OptionalJsonBody, Query},
    legacy_chat::check_path_user,
    login::CallerUser,
};

#[derive(Serialize, ToSchema)]
pub(super) struct TaskList {
    data: Vec<TaskRecord>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Which ones.
    #[serde(default)]
    #[param(required = false, inline)]
    status: TaskFilter,
}

#[derive(Deserialize, ToSchema)]
pub(super) struct TaskBody {
    #[schema(min_length = 1, max_length = 200)]
    title: String,
    #[schema(max_length = 2000)]
    description: Option<String>,
    completed: Option<bool>,
}

#[derive(Deserialize, ToSchema)]
pub(super) struct CompleteBody {
    completed: Option<bool>,
}

impl From<TaskRuleError> for ApiError {
    fn from(error: TaskRuleError) -> Self {
        Self::invalid(error.to_string())
    }
}

/// A task's number. What is none is answered like one that does not exist.
fn task_id(text: &str) -> Result<i64, ApiError> {
    text.parse().map_err(|_| ApiError::not_found())
}

/// The task list, oldest first
#[utoipa::path(
    get,
    path = "/api/{user_id}/tasks",
    tag = "Tasks",
    params(UserPath, ListQuery),
    responses((status = 200, body = TaskList, description = "All of them, or those of one status")),
    security(("session_token" = []), ("better_auth" = [])),
)]
pub(super) async fn list_tasks(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    Path(path_user): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<TaskList>, ApiError> {
    check_path_user(&path_user, &user)?;
    Ok(Json(TaskList { data: state.store.list_tasks(&user, query.status).await? }))
}

/// A new task
#[utoipa::path(
    post,
    path = "/api/{user_id}/tasks",
    tag = "Tasks",
    params(UserPath),
    request_body = TaskBody,
    responses((status = 201, body = TaskRecord, description = "The task")),
    security(("session_token" = []), ("better_auth" = [])),
)]
pub(super) async fn create_task(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    Path(path_user): Path<String>,
    JsonBody(body): JsonBody<TaskBody>,
) -> Result<(StatusCode, Json<TaskRecord>), ApiError> {
    check_path_user(&path_user, &user)?;
    let task = task_rules::new_task(&body.title, body.description.as_deref())?;
    let now = Timestamp::now();
    let mut task = state.store.insert_task(&user, task, now).await?;
    if body.completed == Some(true) {
        let patch = TaskPatch { completed: Some(true), ..TaskPatch::default() };
        let updated = state.store.update_task(&user, task.id, patch, now).await?;
        task = updated.ok_or_else(ApiError::not_found)?;
    }
    Ok((StatusCode::CREATED, Json(task)))
}

/// A task
#[utoipa::path(
    get,
    path = "/api/{user_id}/tasks/{id}",
    tag = "Tasks",
    params(TaskPath),
    responses((status = 200, body = TaskRecord, description = "The task")),
    security(("session_token" = []), ("better_auth" = [])),
)]
pub(super) async fn show_task(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    Path((path_user, id)): Path<(String, String)>,
) -> Result<Json<TaskRecord>, ApiError> {
    check_path_user(&path_user, &user)?;
    let task = state.store.find_task(&user, task_id(&id)?).await?;
    task.map(Json).ok_or_else(ApiError::not_found)
}

/// The task anew
///
/// An absent description takes it away, an absent `completed` leaves it as it is.
#[utoipa::path(
    put,
    path = "/api/{user_id}/tasks/{id}",
    tag = "Tasks",
    params(TaskPath),
    request_body = TaskBody,
    responses((status = 200, body = TaskRecord, description = "The task as it is now")),
    security(("session_token" = []), ("better_auth" = [])),
)]
pub(super) async fn replace_task(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    Path((path_user, id)): Path<(String, String)>,
    JsonBody(body): JsonBody<TaskBody>,
) -> Result<Json<TaskRecord>, ApiError> {
    check_path_user(&path_user, &user)?;
    let task = task_rules::new_task(&body.title, body.description.as_deref())?;
    let patch = TaskPatch {
        title: Some(task.title),
        description: Some(task.description),
        completed: body.completed,
    };
    let task = state.store.update_task(&user, task_id(&id)?, patch, Timestamp::now()).await?;
    task.map(Json).ok_or_else(ApiError::not_found)
}

/// Deletes a task
#[utoipa::path(
    delete,
    path = "/api/{user_id}/tasks/{id}",
    tag = "Tasks",
    params(TaskPath),
    responses((status = 204, description = "It is gone")),
    security(("session_token" = []), ("better_auth" = [])),
)]
pub(super) async fn delete_task(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    Path((path_user, id)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    check_path_user(&path_user, &user)?;
    let deleted = state.store.delete_task(&user, task_id(&id)?).await?;
    deleted.map(|_| StatusCode::NO_CONTENT).ok_or_else(ApiError::not_found)
}

/// Done, or with `{"completed": false}` not
#[utoipa::path(
    patch,
    path = "/api/{user_id}/tasks/{id}/complete",
    tag = "Tasks",
    params(TaskPath),
    request_body = Option<CompleteBody>,
    responses((status = 200, body = TaskRecord, description = "The task as it is now")),
    security(("session_token" = []), ("better_auth" = [])),
)]
pub(super) async fn complete_task(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    Path((path_user, id)): Path<(String, String)>,
    OptionalJsonBody(body): OptionalJsonBody<CompleteBody>,
) -> Result<Json<TaskRecord>, ApiError> {
    check_path_user(&path_user, &user)?;
    let completed = body.and_then(|body| body.completed).unwrap_or(true);
    let patch = TaskPatch { completed: Some(completed), ..TaskPatch::default() };
    let task = state.store.update_task(&user, task_id(&id)?, patch, Timestamp::now()).await?;
    task.map(Json).ok_or_else(ApiError::not_found)
}
