//! `/api/{user_id}/tasks`: the task list that the tools work on.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};

use crate::{
    protocol::Timestamp,
    store::record::{TaskFilter, TaskPatch, TaskRecord},
    tools::task_rules::{self, TaskRuleError},
};

use super::{
    AppState,
    error::ApiError,
    extract::{JsonBody, OptionalJsonBody, Query},
    legacy_chat::check_path_user,
    login::CallerUser,
};

#[derive(Serialize)]
pub(super) struct TaskList {
    data: Vec<TaskRecord>,
}

#[derive(Deserialize)]
pub(super) struct ListQuery {
    #[serde(default)]
    status: TaskFilter,
}

#[derive(Deserialize)]
pub(super) struct TaskBody {
    title: String,
    description: Option<String>,
    completed: Option<bool>,
}

#[derive(Deserialize)]
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

/// `GET /api/{user_id}/tasks`, of one status by `?status=pending|completed`.
pub(super) async fn list_tasks(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    Path(path_user): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<TaskList>, ApiError> {
    check_path_user(&path_user, &user)?;
    Ok(Json(TaskList { data: state.store.list_tasks(&user, query.status).await? }))
}

/// `POST /api/{user_id}/tasks`.
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

/// `GET /api/{user_id}/tasks/{id}`.
pub(super) async fn show_task(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    Path((path_user, id)): Path<(String, String)>,
) -> Result<Json<TaskRecord>, ApiError> {
    check_path_user(&path_user, &user)?;
    let task = state.store.find_task(&user, task_id(&id)?).await?;
    task.map(Json).ok_or_else(ApiError::not_found)
}

/// `PUT /api/{user_id}/tasks/{id}`: the task anew. An absent description takes it away, an absent
/// `completed` leaves it as it is.
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

/// `DELETE /api/{user_id}/tasks/{id}`.
pub(super) async fn delete_task(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    Path((path_user, id)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    check_path_user(&path_user, &user)?;
    let deleted = state.store.delete_task(&user, task_id(&id)?).await?;
    deleted.map(|_| StatusCode::NO_CONTENT).ok_or_else(ApiError::not_found)
}

/// `PATCH /api/{user_id}/tasks/{id}/complete`: done, or with `{"completed": false}` not.
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
