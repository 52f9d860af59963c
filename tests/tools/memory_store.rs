//! A task store in memory.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use chatkit_gateway::{
    protocol::{Timestamp, UserId},
    store::{
        Result, StoreError,
        record::{NewTask, TaskFilter, TaskPatch, TaskRecord},
    },
    tools::task_store::TaskStore,
};

/// Tasks of users by their numbers. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct MemoryStore(Arc<Mutex<HashMap<UserId, BTreeMap<i64, TaskRecord>>>>);

impl MemoryStore {
    fn with<T>(&self, user: &UserId, work: impl FnOnce(&mut BTreeMap<i64, TaskRecord>) -> T) -> T {
        let mut users = self.0.lock().expect("no test panics while it holds the lock");
        work(users.entry(user.clone()).or_default())
    }

    /// A number above all others: numbers are unique over all users.
    fn next_id(&self) -> i64 {
        let users = self.0.lock().expect("no test panics while it holds the lock");
        users.values().flat_map(BTreeMap::keys).max().copied().unwrap_or(0) + 1
    }
}

#[async_trait]
impl TaskStore for MemoryStore {
    async fn insert_task(
        &self,
        user: &UserId,
        task: NewTask,
        now: Timestamp,
    ) -> Result<TaskRecord> {
        let id = self.next_id();
        let task = TaskRecord {
            id,
            title: task.title,
            description: task.description,
            completed: false,
            created_at: now,
            updated_at: now,
        };
        self.with(user, |tasks| tasks.insert(id, task.clone()));
        Ok(task)
    }

    async fn list_tasks(&self, user: &UserId, filter: TaskFilter) -> Result<Vec<TaskRecord>> {
        let wanted = |task: &&TaskRecord| match filter {
            TaskFilter::All => true,
            TaskFilter::Pending => !task.completed,
            TaskFilter::Completed => task.completed,
        };
        Ok(self.with(user, |tasks| tasks.values().filter(wanted).cloned().collect()))
    }

    async fn find_task(&self, user: &UserId, id: i64) -> Result<Option<TaskRecord>> {
        Ok(self.with(user, |tasks| tasks.get(&id).cloned()))
    }

    async fn update_task(
        &self,
        user: &UserId,
        id: i64,
        patch: TaskPatch,
        now: Timestamp,
    ) -> Result<Option<TaskRecord>> {
        Ok(self.with(user, |tasks| {
            let task = tasks.get_mut(&id)?;
            task.title = patch.title.unwrap_or_else(|| task.title.clone());
            task.description = patch.description.unwrap_or_else(|| task.description.clone());
            task.completed = patch.completed.unwrap_or(task.completed);
            task.updated_at = now;
            Some(task.clone())
        }))
    }

    async fn delete_task(&self, user: &UserId, id: i64) -> Result<Option<TaskRecord>> {
        Ok(self.with(user, |tasks| tasks.remove(&id)))
    }
}

/// A store whose database is away.
pub(crate) struct UnavailableStore;

fn away<T>() -> Result<T> {
    Err(StoreError::Unavailable("connection refused on 10.0.0.7".into()))
}

#[async_trait]
impl TaskStore for UnavailableStore {
    async fn insert_task(&self, _: &UserId, _: NewTask, _: Timestamp) -> Result<TaskRecord> {
        away()
    }

    async fn list_tasks(&self, _: &UserId, _: TaskFilter) -> Result<Vec<TaskRecord>> {
        away()
    }

    async fn find_task(&self, _: &UserId, _: i64) -> Result<Option<TaskRecord>> {
        away()
    }

    async fn update_task(
        &self,
        _: &UserId,
        _: i64,
        _: TaskPatch,
        _: Timestamp,
    ) -> Result<Option<TaskRecord>> {
        away()
    }

    async fn delete_task(&self, _: &UserId, _: i64) -> Result<Option<TaskRecord>> {
        away()
    }
}
