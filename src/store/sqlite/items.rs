//! Reading thread items, the rows of `message`.

use sqlx::{SqliteConnection, SqliteExecutor};

use super::{Key, SqliteStore, key_list};
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
            m.item,
            m.status,
            m.run_id
        FROM message AS m "
    };
}

pub(super) async fn list(
    store: &SqliteStore,
    user: &UserId,
    thread_id: ThreadId,
    page: PageQuery<ItemId>,
) -> Result<Option<Page<ItemRecord>>> {
    let Some(cursor) = find_place(&store.readers, user, thread_id, page.after).await? else {
        return Ok(None);
    };
    if page.after.is_some() && cursor.is_none() {
        return Ok(None);
    }
    let sql = match page.order {
        Order::Asc => concat!(
            select_items!(),
            "WHERE m.conversation_id = ?1
                AND m.seq > ?2
            ORDER BY m.seq ASC
            LIMIT ?3"
        ),
        Order::Desc => concat!(
            select_items!(),
            "WHERE m.conversation_id = ?1
                AND m.seq < ?2
            ORDER BY m.seq DESC
            LIMIT ?3"
        ),
    };
    let rows = sqlx::query(sql)
        .bind(thread_id.key())
        .bind(cursor.unwrap_or(encode::beyond_all(page.order)))
        .bind(encode::limit_and_one(page.limit))
        .fetch_all(&store.readers)
        .await?;
    let items = rows.iter().map(decode::item).collect::<Result<Vec<_>>>()?;
    Ok(Some(Page::from_rows(items, page.limit, |record| record.item.id.to_string())))
}

/// `None` when the thread is not the user's; within, the place of the item if it is in the thread.
async fn find_place(
    executor: impl SqliteExecutor<'_>,
    user: &UserId,
    thread_id: ThreadId,
    item_id: Option<ItemId>,
) -> Result<Option<Option<i64>>> {
    sqlx::query(
        "SELECT m.seq
        FROM conversation AS c
        LEFT JOIN message AS m
            ON m.conversation_id = c.id
            AND m.id = ?3
        WHERE c.id = ?1
            AND c.user_id = ?2",
    )
    .bind(thread_id.key())
    .bind(user.as_str())
    .bind(item_id.map(Key::key))
    .fetch_optional(executor)
    .await?
    .as_ref()
    .map(decode::seq)
    .transpose()
}

pub(super) async fn find(
    store: &SqliteStore,
    user: &UserId,
    thread_id: ThreadId,
    item_id: ItemId,
) -> Result<Option<ItemRecord>> {
    sqlx::query(concat!(
        select_items!(),
        "JOIN conversation AS c ON c.id = m.conversation_id
        WHERE m.id = ?1
            AND c.id = ?2
            AND c.user_id = ?3"
    ))
    .bind(item_id.key())
    .bind(thread_id.key())
    .bind(user.as_str())
    .fetch_optional(&store.readers)
    .await?
    .as_ref()
    .map(decode::item)
    .transpose()
}

pub(super) async fn load_history(
    store: &SqliteStore,
    thread_id: ThreadId,
    limit: usize,
) -> Result<History> {
    let rows = sqlx::query(concat!(
        select_items!(),
        "WHERE m.conversation_id = ?1
        ORDER BY m.seq DESC
        LIMIT ?2"
    ))
    .bind(thread_id.key())
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(&store.readers)
    .await?;
    let items = rows.iter().rev().map(decode::item).collect::<Result<Vec<_>>>()?;
    let tool_calls = list_tool_calls(store, &items).await?;
    Ok(History { items, tool_calls })
}

async fn list_tool_calls(store: &SqliteStore, items: &[ItemRecord]) -> Result<Vec<ToolCallRecord>> {
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
        FROM json_each(?1) AS shown
        -- CROSS: in this order. Most items show no call, and none is then looked at further.
        CROSS JOIN tool_call AS t ON t.item_id = shown.value
        JOIN run AS r ON r.id = t.run_id
        ORDER BY r.created_at, t.run_id, t.position",
    )
    .bind(key_list(showing))
    .fetch_all(&store.readers)
    .await?;
    rows.iter().map(decode::tool_call).collect()
}

pub(super) async fn list_item_calls(
    store: &SqliteStore,
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
    connection: &mut SqliteConnection,
    thread_id: ThreadId,
    expected: &ExpectedItem,
) -> Result<bool> {
    let row = sqlx::query(concat!(
        select_items!(),
        "WHERE m.id = ?1
            AND m.conversation_id = ?2
            AND (
                NOT ?3
                OR NOT EXISTS (
                    SELECT 1
                    FROM message AS newer
                    WHERE newer.conversation_id = ?2
                        AND newer.seq > m.seq
                )
            )"
    ))
    .bind(expected.item.id.key())
    .bind(thread_id.key())
    .bind(expected.is_newest)
    .fetch_optional(connection)
    .await?;
    let found = row.as_ref().map(decode::item).transpose()?;
    Ok(found.is_some_and(|found| found.item == expected.item))
}

/// Some items, whosever they are.
pub(super) async fn find_some(
    connection: &mut SqliteConnection,
    items: Vec<ItemId>,
) -> Result<Vec<ItemRecord>> {
    let rows =
        sqlx::query(concat!(select_items!(), "WHERE m.id IN (SELECT value FROM json_each(?1))"))
            .bind(key_list(items))
            .fetch_all(connection)
            .await?;
    rows.iter().map(decode::item).collect()
}

/// The client tool calls of a thread that wait for their answers.
pub(super) async fn pending_calls(
    connection: &mut SqliteConnection,
    threads: &[ThreadId],
) -> Result<Vec<ItemRecord>> {
    // Word for word the condition of the index that finds them.
    let rows = sqlx::query(concat!(
        select_items!(),
        "WHERE m.conversation_id IN (SELECT value FROM json_each(?1))
            AND m.type = 'client_tool_call'
            AND m.item ->> 'status' = 'pending'"
    ))
    .bind(key_list(threads.iter().copied()))
    .fetch_all(connection)
    .await?;
    rows.iter().map(decode::item).collect()
}
