//! The to-do list that the tools work on, the rows of `task`.

use sqlx::types::time::OffsetDateTime;

use super::PostgresStore;
use crate::{
    protocol::{Timestamp, UserId},
    store::{
        Result, decode, encode,
        record::{NewTask, TaskFilter, TaskPatch, TaskRecord},
    },
};

pub(super) async fn insert(
    store: &PostgresStore,
    user: &UserId,
    task: NewTask,
    now: Timestamp,
) -> Result<TaskRecord> {
    let user = user.clone();
    store
        .transactions
        .run(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(
                    "INSERT INTO task (user_id, title, description, created_at, updated_at)
                    VALUES ($1, $2, $3, $4, $4)
                    RETURNING id::bigint AS id, title, description, completed, created_at, updated_at",
                )
                .bind(user.as_str())
                .bind(encode::text(task.title))
                .bind(encode::optional_text(task.description))
                .bind(OffsetDateTime::from(now))
                .fetch_one(connection)
                .await?;
                decode::task(&row)
            })
        })
        .await
}

pub(super) async fn list(
    store: &PostgresStore,
    user: &UserId,
    filter: TaskFilter,
) -> Result<Vec<TaskRecord>> {
    let rows = sqlx::query(
        "SELECT id::bigint AS id, title, description, completed, created_at, updated_at
        FROM task
        WHERE user_id = $1
            AND ($2::boolean IS NULL OR completed = $2)
        ORDER BY created_at, id",
    )
    .bind(user.as_str())
    .bind(encode::completed(filter))
    .fetch_all(&store.pool)
    .await?;
    rows.iter().map(decode::task).collect()
}

pub(super) async fn find(
    store: &PostgresStore,
    user: &UserId,
    id: i64,
) -> Result<Option<TaskRecord>> {
    sqlx::query(
        "SELECT id::bigint AS id, title, description, completed, created_at, updated_at
        FROM task
        WHERE id = $1
            AND user_id = $2",
    )
    .bind(id)
    .bind(user.as_str())
    .fetch_optional(&store.pool)
    .await?
    .as_ref()
    .map(decode::task)
    .transpose()
}

pub(super) async fn update(
    store: &PostgresStore,
    user: &UserId,
    id: i64,
    patch: TaskPatch,
    now: Timestamp,
) -> Result<Option<TaskRecord>> {
    let user = user.clone();
    store
        .transactions
        .run(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "UPDATE task
                    SET updated_at = $3,
                        title = coalesce($4, title),
                        description = CASE WHEN $5 THEN $6 ELSE description END,
                        completed = coalesce($7, completed)
                    WHERE id = $1
                        AND user_id = $2
                    RETURNING id::bigint AS id, title, description, completed, created_at, updated_at",
                )
                .bind(id)
                .bind(user.as_str())
                .bind(OffsetDateTime::from(now))
                .bind(encode::optional_text(patch.title))
                .bind(patch.description.is_some())
                .bind(encode::optional_text(patch.description.flatten()))
                .bind(patch.completed)
                .fetch_optional(connection)
                .await?
                .as_ref()
                .map(decode::task)
                .transpose()
            })
        })
        .await
}

pub(super) async fn delete(
    store: &PostgresStore,
    user: &UserId,
    id: i64,
) -> Result<Option<TaskRecord>> {
    let user = user.clone();
    store
        .transactions
        .run(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "DELETE FROM task
                    WHERE id = $1
                        AND user_id = $2
                    RETURNING id::bigint AS id, title, description, completed, created_at, updated_at",
                )
                .bind(id)
                .bind(user.as_str())
                .fetch_optional(connection)
                .await?
                .as_ref()
                .map(decode::task)
                .transpose()
            })
        })
        .await
}
