//! Thread items, the rows of `message`.

use std::collections::HashMap;

use sqlx::{SqliteConnection, SqliteExecutor};
use uuid::Uuid;

use super::{Key, SqliteStore, key_list, threads};
use crate::{
    protocol::{ItemId, Order, Page, ThreadId, ThreadItem, Timestamp, UserId},
    store::{
        PageQuery, Result, decode,
        encode::{self, MessageRow},
        record::{History, ItemRecord, ToolCallRecord},
        upsert::{Existing, Plan, visible_among},
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
        WHERE t.item_id IN (SELECT value FROM json_each(?1))
        ORDER BY r.created_at, t.run_id, t.position",
    )
    .bind(key_list(items.iter().map(|record| record.item.id)))
    .fetch_all(&store.readers)
    .await?;
    rows.iter().map(decode::tool_call).collect()
}

pub(super) async fn upsert(
    store: &SqliteStore,
    user: &UserId,
    thread_id: ThreadId,
    items: &[ThreadItem],
    now: Timestamp,
) -> Result<bool> {
    let user = user.clone();
    let rows = encode::complete_items(thread_id, items, None);
    store
        .writer
        .write(move |connection| {
            Box::pin(async move {
                if threads::find(&mut *connection, &user, thread_id).await?.is_none() {
                    return Ok(false);
                }
                put(connection, rows, now).await?;
                Ok(true)
            })
        })
        .await
}

/// Inserts items at the end of their thread, or replaces those with their ids in place.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    rows: Vec<MessageRow>,
    now: Timestamp,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let existing = find_existing(connection, &rows).await?;
    let plan = Plan::new(rows, &existing)?;
    let last_seq = change_counters(connection, &plan, now).await?;
    for row in &plan.updates {
        replace_row(connection, row).await?;
    }
    for (row, seq) in plan.inserts.iter().zip(plan.sequence(&last_seq)) {
        insert_row(connection, row, seq).await?;
    }
    Ok(())
}

async fn find_existing(
    connection: &mut SqliteConnection,
    rows: &[MessageRow],
) -> Result<HashMap<Uuid, Existing>> {
    let found = sqlx::query(
        "SELECT id, conversation_id, type
        FROM message
        WHERE id IN (SELECT value FROM json_each(?1))",
    )
    .bind(key_list(rows.iter().map(|row| row.id)))
    .fetch_all(connection)
    .await?;
    found.iter().map(decode::existing).collect()
}

/// Answers what `last_seq` of each thread has risen to.
async fn change_counters(
    connection: &mut SqliteConnection,
    plan: &Plan,
    now: Timestamp,
) -> Result<HashMap<Uuid, i64>> {
    let mut last_seq = HashMap::new();
    for (thread_id, change) in &plan.changes {
        let row = sqlx::query(
            "UPDATE conversation
            SET last_seq = last_seq + ?2,
                message_count = message_count + ?3,
                updated_at = ?4
            WHERE id = ?1
            RETURNING id, last_seq",
        )
        .bind(thread_id.key())
        .bind(change.added)
        .bind(change.visible)
        .bind(now.as_micros())
        .fetch_one(&mut *connection)
        .await?;
        last_seq.extend([decode::last_seq(&row)?]);
    }
    Ok(last_seq)
}

/// The run that made an item stays its run, whichever run replaces it.
async fn replace_row(connection: &mut SqliteConnection, row: &MessageRow) -> Result<()> {
    sqlx::query(
        "UPDATE message
        SET role = ?3,
            content = ?4,
            created_at = ?5,
            type = ?6,
            item = ?7,
            status = ?8,
            run_id = coalesce(run_id, ?9)
        WHERE id = ?1
            AND conversation_id = ?2",
    )
    .bind(row.id.key())
    .bind(row.thread_id.key())
    .bind(row.role)
    .bind(row.content.as_str())
    .bind(row.created_at.as_micros())
    .bind(row.kind)
    .bind(row.item.as_str())
    .bind(row.status)
    .bind(row.run_id.map(Key::key))
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_row(connection: &mut SqliteConnection, row: &MessageRow, seq: i64) -> Result<()> {
    sqlx::query(
        "INSERT INTO message (
            id, conversation_id, user_id, role, content, created_at, seq, type, item, status, run_id
        )
        SELECT ?1, c.id, c.user_id, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
        FROM conversation AS c
        WHERE c.id = ?2",
    )
    .bind(row.id.key())
    .bind(row.thread_id.key())
    .bind(row.role)
    .bind(row.content.as_str())
    .bind(row.created_at.as_micros())
    .bind(seq)
    .bind(row.kind)
    .bind(row.item.as_str())
    .bind(row.status)
    .bind(row.run_id.map(Key::key))
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes items of a thread, those of them that are in it.
pub(super) async fn remove(
    connection: &mut SqliteConnection,
    thread_id: ThreadId,
    items: &[ItemId],
    now: Timestamp,
) -> Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    let types: Vec<String> = sqlx::query_scalar(
        "DELETE FROM message
        WHERE conversation_id = ?1
            AND id IN (SELECT value FROM json_each(?2))
        RETURNING type",
    )
    .bind(thread_id.key())
    .bind(key_list(items.iter().copied()))
    .fetch_all(&mut *connection)
    .await?;
    count_removed(connection, thread_id, &types, now).await
}

/// Deletes every item behind one of the thread's; `false` when that one is not in it.
pub(super) async fn remove_after(
    connection: &mut SqliteConnection,
    thread_id: ThreadId,
    item_id: ItemId,
    now: Timestamp,
) -> Result<bool> {
    let place = sqlx::query("SELECT seq FROM message WHERE id = ?1 AND conversation_id = ?2")
        .bind(item_id.key())
        .bind(thread_id.key())
        .fetch_optional(&mut *connection)
        .await?;
    let Some(place) = place else { return Ok(false) };
    let types: Vec<String> = sqlx::query_scalar(
        "DELETE FROM message
        WHERE conversation_id = ?1
            AND seq > ?2
        RETURNING type",
    )
    .bind(thread_id.key())
    .bind(decode::seq(&place)?)
    .fetch_all(&mut *connection)
    .await?;
    count_removed(connection, thread_id, &types, now).await?;
    Ok(true)
}

async fn count_removed(
    connection: &mut SqliteConnection,
    thread_id: ThreadId,
    types: &[String],
    now: Timestamp,
) -> Result<()> {
    if types.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE conversation
        SET message_count = message_count - ?2,
            updated_at = ?3
        WHERE id = ?1",
    )
    .bind(thread_id.key())
    .bind(visible_among(types))
    .bind(now.as_micros())
    .execute(connection)
    .await?;
    Ok(())
}
