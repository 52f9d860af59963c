//! Writing thread items, and keeping their thread's counters in step.

use std::collections::HashMap;

use sqlx::SqliteConnection;
use uuid::Uuid;

use super::{Key, SqliteStore, key_list, threads};
use crate::{
    protocol::{ItemId, ThreadId, ThreadItem, Timestamp, UserId},
    store::{
        Result, decode,
        encode::{self, MessageRow},
        upsert::{Existing, Plan, visible_among},
    },
};

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
