//! What MCP clients may read besides calling tools: the caller's task list and threads, as JSON.

use std::sync::Arc;

use async_trait::async_trait;
use rmcp::{
    ErrorData,
    model::{
        ListResourceTemplatesResult, ListResourcesResult, ReadResourceResult, Resource,
        ResourceContents, ResourceTemplate,
    },
};
use serde::Serialize;
use serde_json::json;

use super::tasks::Listing;
use crate::{
    protocol::{ItemId, Order, Page, ThreadId, Timestamp, UserId, item::Role},
    store::{
        PageQuery, Result, Store, StoreError,
        record::{ItemRecord, ItemStatus, TaskFilter, TaskRecord, ThreadRecord},
    },
};

/// The address of the task list.
const TASKS: &str = "chatkit://tasks";
/// What stands before a thread's id in its address.
const THREADS: &str = "chatkit://threads/";
const JSON: &str = "application/json";
/// How many threads a page of the list has.
const PAGE: usize = 50;
/// How many of a thread's newest items are read.
const MAX_ITEMS: usize = 200;
/// How much text of a thread is given, in bytes; its oldest items go first.
const MAX_TEXT: usize = 256 * 1024;

/// The part of the store that is read, small enough to be faked. The methods promise what those of
/// [`Store`] with the same names do.
#[async_trait]
pub trait ResourceStore: Send + Sync + 'static {
    /// The user's threads.
    async fn list_threads(
        &self,
        user: &UserId,
        page: PageQuery<ThreadId>,
    ) -> Result<Option<Page<ThreadRecord>>>;

    /// One of the user's threads.
    async fn find_thread(&self, user: &UserId, id: ThreadId) -> Result<Option<ThreadRecord>>;

    /// The items of one of the user's threads.
    async fn list_items(
        &self,
        user: &UserId,
        id: ThreadId,
        page: PageQuery<ItemId>,
    ) -> Result<Option<Page<ItemRecord>>>;

    /// The user's tasks.
    async fn list_tasks(&self, user: &UserId) -> Result<Vec<TaskRecord>>;
}

#[async_trait]
impl ResourceStore for Arc<dyn Store> {
    async fn list_threads(
        &self,
        user: &UserId,
        page: PageQuery<ThreadId>,
    ) -> Result<Option<Page<ThreadRecord>>> {
        (**self).list_threads(user, None, page).await
    }

    async fn find_thread(&self, user: &UserId, id: ThreadId) -> Result<Option<ThreadRecord>> {
        (**self).find_thread(user, id).await
    }

    async fn list_items(
        &self,
        user: &UserId,
        id: ThreadId,
        page: PageQuery<ItemId>,
    ) -> Result<Option<Page<ItemRecord>>> {
        (**self).list_items(user, id, page).await
    }

    async fn list_tasks(&self, user: &UserId) -> Result<Vec<TaskRecord>> {
        (**self).list_tasks(user, TaskFilter::All).await
    }
}

/// The resources of a store.
#[derive(Clone)]
pub(super) struct Resources(pub(super) Arc<dyn ResourceStore>);

impl Resources {
    /// The task list, and the user's threads by their last change.
    pub(super) async fn list(
        &self,
        user: &UserId,
        cursor: Option<String>,
    ) -> std::result::Result<ListResourcesResult, ErrorData> {
        let mut resources = Vec::new();
        if cursor.is_none() {
            let tasks = Resource::new(TASKS, "tasks").with_title("Task list");
            resources.push(tasks.with_mime_type(JSON));
        }
        let after = cursor.map(|cursor| ThreadId::parse_or_unknown(&cursor));
        let page = PageQuery { limit: PAGE, order: Order::Desc, after };
        let page = self.0.list_threads(user, page).await.map_err(broken)?;
        let page = page.ok_or_else(|| ErrorData::invalid_params("unknown cursor", None))?;
        resources.extend(page.data.into_iter().map(|thread| {
            let title = thread.title.unwrap_or_else(|| "A thread without a title".to_owned());
            Resource::new(format!("{THREADS}{}", thread.id), thread.id.to_string())
                .with_title(title)
                .with_mime_type(JSON)
        }));
        let mut list = ListResourcesResult::with_all_items(resources);
        list.next_cursor = page.after.filter(|_| page.has_more);
        Ok(list)
    }

    /// The forms of addresses.
    pub(super) fn templates() -> ListResourceTemplatesResult {
        let thread = ResourceTemplate::new(format!("{THREADS}{{id}}"), "thread")
            .with_title("Thread")
            .with_description("A conversation of the user's: its newest messages, oldest first.")
            .with_mime_type(JSON);
        ListResourceTemplatesResult::with_all_items(vec![thread])
    }

    /// One of them. What is another's looks like what does not exist.
    pub(super) async fn read(
        &self,
        user: &UserId,
        uri: &str,
    ) -> std::result::Result<ReadResourceResult, ErrorData> {
        let text = if uri == TASKS {
            let tasks = self.0.list_tasks(user).await.map_err(broken)?;
            serde_json::to_string(&Listing::of(&tasks))
        } else {
            let thread = match uri.strip_prefix(THREADS).map(ThreadId::parse_or_unknown) {
                Some(id) => self.thread(user, id).await.map_err(broken)?,
                None => None,
            };
            let missing = || {
                ErrorData::resource_not_found(
                    "there is no such resource",
                    Some(json!({ "uri": uri })),
                )
            };
            serde_json::to_string(&thread.ok_or_else(missing)?)
        };
        let text = text.map_err(|_| ErrorData::internal_error("it cannot be written", None))?;
        let contents = ResourceContents::text(text, uri).with_mime_type(JSON);
        Ok(ReadResourceResult::new(vec![contents]))
    }

    async fn thread(&self, user: &UserId, id: ThreadId) -> Result<Option<Thread>> {
        let Some(thread) = self.0.find_thread(user, id).await? else { return Ok(None) };
        let page = PageQuery { limit: MAX_ITEMS, order: Order::Desc, after: None };
        let Some(page) = self.0.list_items(user, id, page).await? else { return Ok(None) };
        let visible = page.data.into_iter().filter(|record| !record.item.kind.is_hidden());
        let newest: Vec<Message> = visible.map(Message::from).collect();
        let mut room = MAX_TEXT;
        let fits = |message: &&Message| {
            room.checked_sub(message.content.len()).map(|left| room = left).is_some()
        };
        let kept = newest.iter().take_while(fits).count();
        let is_cut = page.has_more || kept < newest.len();
        Ok(Some(Thread {
            id,
            title: thread.title,
            created_at: thread.created_at,
            updated_at: thread.updated_at,
            older_left_out: is_cut,
            messages: newest.into_iter().take(kept).rev().collect(),
        }))
    }
}

/// A thread, as it is given.
#[derive(Serialize)]
struct Thread {
    id: ThreadId,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// Whether there are older messages than those below.
    older_left_out: bool,
    messages: Vec<Message>,
}

/// A message, as it is given.
#[derive(Serialize)]
struct Message {
    id: ItemId,
    role: Role,
    content: String,
    created_at: Timestamp,
    status: ItemStatus,
}

impl From<ItemRecord> for Message {
    fn from(record: ItemRecord) -> Self {
        let item = record.item;
        Self {
            id: item.id,
            role: item.kind.role(),
            content: item.kind.plain_text(),
            created_at: item.created_at,
            status: record.status,
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn broken(error: StoreError) -> ErrorData {
    tracing::error!(error = &error as &dyn std::error::Error, "a resource cannot be read");
    ErrorData::internal_error("the data cannot be read now; try again later", None)
}
