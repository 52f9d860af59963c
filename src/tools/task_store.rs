//! The part of the store that the task tools use, small enough to be faked.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    protocol::{Timestamp, UserId},
    store::{
        Result, Store,
        record::{NewTask, TaskFilter, TaskPatch, TaskRecord},
    },
};

/// A user's tasks. The methods promise what those of [`Store`] with the same names do.
#[async_trait]
pub trait TaskStore: Send + Sync + 'static {
    /// Inserts a task and answers it with its number.
    async fn insert_task(&self, user: &UserId, task: NewTask, now: Timestamp)
    -> Result<TaskRecord>;

    /// The user's tasks, oldest first.
    async fn list_tasks(&self, user: &UserId, filter: TaskFilter) -> Result<Vec<TaskRecord>>;

    /// One of the user's tasks.
    async fn find_task(&self, user: &UserId, id: i64) -> Result<Option<TaskRecord>>;

    /// Changes one of the user's tasks.
    async fn update_task(
        &self,
        user: &UserId,
        id: i64,
        patch: TaskPatch,
        now: Timestamp,
    ) -> Result<Option<TaskRecord>>;

    /// Deletes one of the user's tasks and answers it as it was.
    async fn delete_task(&self, user: &UserId, id: i64) -> Result<Option<TaskRecord>>;
}

#[async_trait]
impl TaskStore for Arc<dyn Store> {
    async fn insert_task(
        &self,
        user: &UserId,
        task: NewTask,
        now: Timestamp,
    ) -> Result<TaskRecord> {
        (**self).insert_task(user, task, now).await
    }

    async fn list_tasks(&self, user: &UserId, filter: TaskFilter) -> Result<Vec<TaskRecord>> {
        (**self).list_tasks(user, filter).await
    }

    async fn find_task(&self, user: &UserId, id: i64) -> Result<Option<TaskRecord>> {
        (**self).find_task(user, id).await
    }

    async fn update_task(
        &self,
        user: &UserId,
        id: i64,
        patch: TaskPatch,
        now: Timestamp,
    ) -> Result<Option<TaskRecord>> {
        (**self).update_task(user, id, patch, now).await
    }

    async fn delete_task(&self, user: &UserId, id: i64) -> Result<Option<TaskRecord>> {
        (**self).delete_task(user, id).await
    }
}
