//! What is in a thread.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    agent::Feedback,
    protocol::{
        ItemId, Order, Page, RunId, ThreadId, ThreadItem, Timestamp, UserId,
        item::Role,
        request::{FeedbackKind, ListParams},
    },
    store::{
        PageQuery,
        record::{ItemRecord, ItemStatus, ToolCallRecord},
    },
};

use super::{ChatError, ChatService, threads::page_limit};

/// The largest page of items.
const MAX_ITEMS: usize = 200;
/// How many items are read at a time where all are wanted.
const PORTION: usize = 500;

/// An item for readers without ChatKit.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Message {
    /// The item's identifier.
    pub id: ItemId,
    /// Who speaks.
    pub role: Role,
    /// Its text.
    pub content: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// How it ended.
    pub status: ItemStatus,
    /// The item as ChatKit knows it.
    pub item: ThreadItem,
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
            item,
        }
    }
}

/// Stored items, those of them that are under way as far as they have come by now; and what is
/// under way and not stored at all yet. An item that is stored as done is done.
fn with_under_way(
    mut stored: Vec<ItemRecord>,
    under_way: Vec<ThreadItem>,
) -> (Vec<ItemRecord>, Vec<ItemRecord>) {
    let mut newer = Vec::new();
    for item in under_way {
        match stored.iter_mut().find(|record| record.item.id == item.id) {
            Some(record) if record.status == ItemStatus::Streaming => record.item = item,
            Some(_) => {}
            None => newer.push(ItemRecord { item, status: ItemStatus::Streaming, run_id: None }),
        }
    }
    (stored, newer)
}

impl ChatService {
    /// A page of a thread's items, those of a live run as far as they have come at its newest end.
    /// Hidden ones are left out after paging, so that a page may be short while more follow.
    pub async fn list_items(
        &self,
        user: &UserId,
        thread_id: ThreadId,
        page: &ListParams,
    ) -> Result<Page<ThreadItem>, ChatError> {
        let query = PageQuery {
            limit: page_limit(page.limit, MAX_ITEMS),
            order: page.order,
            after: page.after().map(ItemId::parse_or_unknown),
        };
        let under_way = self.runs.items_under_way(user, thread_id).await?;
        let page = self.store.list_items(user, thread_id, query).await?;
        let page = page.ok_or(ChatError::NotFound)?;
        let is_newest = match query.order {
            Order::Asc => !page.has_more,
            Order::Desc => query.after.is_none(),
        };
        let (has_more, after) = (page.has_more, page.after);
        let (mut records, newer) = with_under_way(page.data, under_way);
        if is_newest {
            let newer = self.not_stored(user, thread_id, newer).await?;
            match query.order {
                Order::Asc => records.extend(newer),
                // They stand beside the page, not in its count: its cursor is that of a stored item.
                Order::Desc => records = newer.into_iter().rev().chain(records).collect(),
            }
        }
        let data = records.into_iter().map(|record| record.item);
        Ok(Page { data: data.filter(|item| !item.kind.is_hidden()).collect(), has_more, after })
    }

    /// Those of the items that no other page has.
    async fn not_stored(
        &self,
        user: &UserId,
        thread_id: ThreadId,
        items: Vec<ItemRecord>,
    ) -> Result<Vec<ItemRecord>, ChatError> {
        let mut kept = Vec::new();
        for record in items {
            if self.store.find_item(user, thread_id, record.item.id).await?.is_none() {
                kept.push(record);
            }
        }
        Ok(kept)
    }

    /// The whole thread, oldest first, with what a live run has written so far.
    pub async fn list_messages(
        &self,
        user: &UserId,
        thread_id: ThreadId,
    ) -> Result<Vec<Message>, ChatError> {
        let under_way = self.runs.items_under_way(user, thread_id).await?;
        let mut records = Vec::new();
        let mut after = None;
        loop {
            let query = PageQuery { limit: PORTION, order: Order::Asc, after };
            let page = self.store.list_items(user, thread_id, query).await?;
            let page = page.ok_or(ChatError::NotFound)?;
            after = page.data.last().map(|record| record.item.id);
            records.extend(page.data);
            if !page.has_more {
                break;
            }
        }
        let (mut records, newer) = with_under_way(records, under_way);
        records.extend(newer);
        let visible = records.into_iter().filter(|record| !record.item.kind.is_hidden());
        Ok(visible.map(Message::from).collect())
    }

    /// The server's tool calls of a run that has just ended.
    pub async fn list_tool_calls(
        &self,
        thread_id: ThreadId,
        run_id: RunId,
    ) -> Result<Vec<ToolCallRecord>, ChatError> {
        let history = self.store.load_history(thread_id, PORTION).await?;
        Ok(history.tool_calls.into_iter().filter(|call| call.run_id == run_id).collect())
    }

    /// One item of one of the user's threads. Hidden ones are not there for clients.
    pub(super) async fn find_item(
        &self,
        user: &UserId,
        thread_id: ThreadId,
        item_id: ItemId,
    ) -> Result<ThreadItem, ChatError> {
        let found = self.store.find_item(user, thread_id, item_id).await?;
        let found = found.map(|record| record.item).filter(|item| !item.kind.is_hidden());
        found.ok_or(ChatError::NotFound)
    }

    /// Keeps a thumb up or down, and tells the agent.
    pub async fn give_feedback(
        &self,
        user: &UserId,
        thread_id: ThreadId,
        items: &[ItemId],
        kind: FeedbackKind,
    ) -> Result<(), ChatError> {
        let now = Timestamp::now();
        let is_kept = self.store.insert_feedback(user, thread_id, items, kind, now).await?;
        if !is_kept {
            return Err(ChatError::NotFound);
        }
        let feedback = Feedback { thread_id, item_ids: items.to_vec(), kind };
        if let Err(error) = self.agent.feedback(user, feedback).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the agent took no feedback");
        }
        Ok(())
    }
}
