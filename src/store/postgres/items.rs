//! Reading thread items, the rows of `message`.

use sqlx::{PgConnection, PgExecutor};

use super::PostgresStore;
use crate::{
    protocol::{ItemId, Order, Page, ThreadId, UserId},
    store::{
        PageQuery, Result, decode, encode,
        record::{ExpectedItem, History, ItemRecord, ToolCallRecord},
    },
};

/// Selects items as [`decode::item`] reads them, `m` being the item.
macro_rules! select_items {
    () => {
        "SELECT
            m.id,
            m.conversation_id,
            m.role,
            m.content,
            m.created_at,
            m.item::text AS item,
            m.status,
            m.run_id
        FROM message AS m "
    };
}

pub(super) async fn list(
    store: &PostgresStore,
    user: &UserId,
    thread_id: ThreadId,
    page: PageQuery<ItemId>,
) -> Result<Option<Page<ItemRecord>>> {
    let Some(cursor) = find_place(&store.pool, user, thread_id, page.after).await? else {
        return Ok(None);
    };
    if page.after.is_some() && cursor.is_none() {
        return Ok(None);
    }
    let sql = match page.order {
        Order::Asc => concat!(
            select_items!(),
            "WHERE m.conversation_id = $1
                AND m.seq > $2
            ORDER BY m.seq ASC
            LIMIT $3"
        ),
        Order::Desc => concat!(
            select_items!(),
            "WHERE m.conversation_id = $1
                AND m.seq < $2
            ORDER BY m.seq DESC
            LIMIT $3"
        ),
    };
    let rows = sqlx::query(sql)
        .bind(thread_id.as_uuid())
        .bind(cursor.unwrap_or(encode::beyond_all(page.order)))
        .bind(encode::limit_and_one(page.limit))
        .fetch_all(&store.pool)
        .await?;
    let items = rows.iter().map(decode::item).collect::<Result<Vec<_>>>()?;
    Ok(Some(Page::from_rows(items, page.limit, |record| record.item.id.to_string())))
}

/// `None` when the thread is not the user's; within, the place of the item if it is in the thread.
async fn find_place(
    executor: impl PgExecutor<'_>,
    user: &UserId,
    thread_id: ThreadId,
    item_id: Option<ItemId>,
) -> Result<Option<Option<i64>>> {
    sqlx::query(
        "SELECT m.seq
        FROM conversation AS c
        LEFT JOIN message AS m
            ON m.conversation_id = c.id
            AND m.id = $3
        WHERE c.id = $1
            AND c.user_id = $2",
    )
    .bind(thread_id.as_uuid())
    .bind(user.as_str())
    .bind(item_id.map(ItemId::as_uuid))
    .fetch_optional(executor)
    .await?
    .as_ref()
    .map(decode::seq)
    .transpose()
}

pub(super) async fn find(
    store: &PostgresStore,
    user: &UserId,
    thread_id: ThreadId,
    item_id: ItemId,
) -> Result<Option<ItemRecord>> {
    sqlx::query(concat!(
        select_items!(),
        "JOIN conversation AS c ON c.id = m.conversation_id
        WHERE m.id = $1
            AND c.id = $2
            AND c.user_id = $3"
    ))
    .bind(item_id.as_uuid())
    .bind(thread_id.as_uuid())
    .bind(user.as_str())
    .fetch_optional(&store.pool)
    .await?
    .as_ref()
    .map(decode::item)
    .transpose()
}

pub(super) async fn load_history(
    store: &PostgresStore,
    thread_id: ThreadId,
    limit: usize,
) -> Result<History> {
    let rows = sqlx::query(concat!(
        select_items!(),
        "WHERE m.conversation_id = $1
        ORDER BY m.seq DESC
        LIMIT $2"
    ))
    .bind(thread_id.as_uuid())
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(&store.pool)
    .await?;
    let items = rows.iter().rev().map(decode::item).collect::<Result<Vec<_>>>()?;
    let tool_calls = list_tool_calls(store, &items).await?;
    Ok(History { items, tool_calls })
}

async fn list_tool_calls(
    store: &PostgresStore,
    items: &[ItemRecord],
) -> Result<Vec<ToolCallRecord>> {
    let showing = items.iter().filter(|record| record.shows_tool_calls());
    let showing: Vec<_> = showing.map(|record| record.item.id).collect();
    if showing.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(
        "SELECT
            t.run_id,
            t.position,
            t.turn,
            t.item_id,
            t.call_id,
            t.name,
            t.arguments,
            t.state,
            t.output
        FROM tool_call AS t
        JOIN run AS r ON r.id = t.run_id
        WHERE t.item_id = ANY ($1)
        ORDER BY r.created_at, t.run_id, t.position",
    )
    .bind(showing.iter().map(|id| id.as_uuid()).collect::<Vec<_>>())
    .fetch_all(&store.pool)
    .await?;
    rows.iter().map(decode::tool_call).collect()
}

pub(super) async fn list_item_calls(
    store: &PostgresStore,
    user: &UserId,
    thread_id: ThreadId,
    item_id: ItemId,
) -> Result<Vec<ToolCallRecord>> {
    match find(store, user, thread_id, item_id).await? {
        Some(item) => list_tool_calls(store, &[item]).await,
        None => Ok(Vec::new()),
    }
}

/// Whether an item is as it was read, and newest if it was to be.
pub(super) async fn is_unchanged(
    connection: &mut PgConnection,
    thread_id: ThreadId,
    expected: &ExpectedItem,
) -> Result<bool> {
    let row = sqlx::query(concat!(
        select_items!(),
        "WHERE m.id = $1
            AND m.conversation_id = $2
            AND (
                NOT $3
                OR NOT EXISTS (
                    SELECT 1
                    FROM message AS newer
                    WHERE newer.conversation_id = $2
                        AND newer.seq > m.seq
                )
            )"
    ))
    .bind(expected.item.id.as_uuid())
    .bind(thread_id.as_uuid())
    .bind(expected.is_newest)
    .fetch_optional(connection)
    .await?;
    let found = row.as_ref().map(decode::item).transpose()?;
    Ok(found.is_some_and(|found| found.item == expected.item))
}

/// Some items of a thread.
pub(super) async fn find_some(
    connection: &mut PgConnection,
    thread_id: ThreadId,
    items: Vec<ItemId>,
) -> Result<Vec<ItemRecord>> {
    let rows = sqlx::query(concat!(
        select_items!(),
        "WHERE m.conversation_id = $1
            AND m.id = ANY ($2)"
    ))
    .bind(thread_id.as_uuid())
    .bind(items.into_iter().map(ItemId::as_uuid).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    rows.iter().map(decode::item).collect()
}

/// The client tool calls of a thread that wait for their answers.
pub(super) async fn pending_calls(
    connection: &mut PgConnection,
    thread_id: ThreadId,
) -> Result<Vec<ItemRecord>> {
    // Word for word the condition of the index that finds them.
    let rows = sqlx::query(concat!(
        select_items!(),
        "WHERE m.conversation_id = $1
            AND m.type = 'client_tool_call'
            AND m.item ->> 'status' = 'pending'"
    ))
    .bind(thread_id.as_uuid())
    .fetch_all(connection)
    .await?;
    rows.iter().map(decode::item).collect()
}
