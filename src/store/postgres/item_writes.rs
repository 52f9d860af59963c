//! Writing thread items, and keeping their thread's counters in step.

use std::collections::{BTreeMap, HashMap};

use sqlx::{PgConnection, postgres::PgRow, types::time::OffsetDateTime};
use uuid::Uuid;

use super::{PostgresStore, threads};
use crate::{
    protocol::{ItemId, ThreadId, ThreadItem, Timestamp, UserId},
    store::{
        Result, decode,
        encode::{self, MessageRow},
        upsert::{Change, Existing, Plan},
    },
};

pub(super) async fn upsert(
    store: &PostgresStore,
    user: &UserId,
    thread_id: ThreadId,
    items: &[ThreadItem],
    now: Timestamp,
) -> Result<bool> {
    let user = user.clone();
    let rows = encode::complete_items(thread_id, items, None);
    store
        .transactions
        .run(move |connection| {
            Box::pin(async move {
                if !threads::lock(connection, &user, thread_id).await? {
                    return Ok(false);
                }
                let times = HashMap::from([(thread_id.as_uuid(), now)]);
                put(connection, rows, &times).await?;
                Ok(true)
            })
        })
        .await
}

/// When each of the threads that a transaction changes is changed.
pub(super) type Times = HashMap<Uuid, Timestamp>;

/// Inserts items at the end of their threads, or replaces those with their ids in place. The
/// threads are locked.
pub(super) async fn put(
    connection: &mut PgConnection,
    rows: Vec<MessageRow>,
    times: &Times,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let existing = find_existing(connection, &rows).await?;
    let plan = Plan::new(rows, &existing)?;
    let last_seq = change_counters(connection, &plan.changes, times).await?;
    replace_rows(connection, &plan.updates).await?;
    insert_rows(connection, &plan.inserts, plan.sequence(&last_seq)).await
}

async fn find_existing(
    connection: &mut PgConnection,
    rows: &[MessageRow],
) -> Result<HashMap<Uuid, Existing>> {
    let found = sqlx::query(
        "SELECT id, conversation_id, type
        FROM message
        WHERE id = ANY ($1)",
    )
    .bind(column(rows, |row| row.id))
    .fetch_all(connection)
    .await?;
    found.iter().map(decode::existing).collect()
}

/// Answers what `last_seq` of each thread has risen to.
async fn change_counters(
    connection: &mut PgConnection,
    changes: &BTreeMap<Uuid, Change>,
    times: &Times,
) -> Result<HashMap<Uuid, i64>> {
    let threads: Vec<Uuid> = changes.keys().copied().collect();
    let now = |thread| times.get(thread).copied().map(OffsetDateTime::from);
    let found = sqlx::query(
        "UPDATE conversation AS c
        SET last_seq = c.last_seq + changed.added,
            message_count = c.message_count + changed.visible,
            updated_at = coalesce(changed.now, c.updated_at)
        FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::timestamptz[])
            AS changed (id, added, visible, now)
        WHERE c.id = changed.id
        RETURNING c.id, c.last_seq",
    )
    .bind(&threads)
    .bind(changes.values().map(|change| change.added).collect::<Vec<_>>())
    .bind(changes.values().map(|change| change.visible).collect::<Vec<_>>())
    .bind(threads.iter().map(now).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    found.iter().map(decode::last_seq).collect()
}

/// The run that made an item stays its run, whichever run replaces it.
async fn replace_rows(connection: &mut PgConnection, rows: &[MessageRow]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE message AS m
        SET role = given.role,
            content = given.content,
            created_at = given.created_at,
            type = given.type,
            item = given.item::json,
            status = given.status,
            run_id = coalesce(m.run_id, given.run_id)
        FROM unnest(
            $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[],
            $6::text[], $7::text[], $8::text[], $9::uuid[]
        ) AS given (
            id, conversation_id, role, content, created_at, type, item, status, run_id
        )
        WHERE m.id = given.id
            AND m.conversation_id = given.conversation_id",
    )
    .bind(column(rows, |row| row.id))
    .bind(column(rows, |row| row.thread_id))
    .bind(column(rows, |row| row.role))
    .bind(column(rows, |row| row.content.as_str()))
    .bind(column(rows, |row| OffsetDateTime::from(row.created_at)))
    .bind(column(rows, |row| row.kind))
    .bind(column(rows, |row| row.item.as_str()))
    .bind(column(rows, |row| row.status))
    .bind(column(rows, |row| row.run_id))
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_rows(
    connection: &mut PgConnection,
    rows: &[MessageRow],
    seq: Vec<i64>,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO message (
            id, conversation_id, user_id, role, content, created_at, seq, type, item, status, run_id
        )
        SELECT
            given.id,
            c.id,
            c.user_id,
            given.role,
            given.content,
            given.created_at,
            given.seq,
            given.type,
            given.item::json,
            given.status,
            given.run_id
        FROM unnest(
            $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[],
            $6::bigint[], $7::text[], $8::text[], $9::text[], $10::uuid[]
        ) AS given (
            id, conversation_id, role, content, created_at, seq, type, item, status, run_id
        )
        JOIN conversation AS c ON c.id = given.conversation_id",
    )
    .bind(column(rows, |row| row.id))
    .bind(column(rows, |row| row.thread_id))
    .bind(column(rows, |row| row.role))
    .bind(column(rows, |row| row.content.as_str()))
    .bind(column(rows, |row| OffsetDateTime::from(row.created_at)))
    .bind(seq)
    .bind(column(rows, |row| row.kind))
    .bind(column(rows, |row| row.item.as_str()))
    .bind(column(rows, |row| row.status))
    .bind(column(rows, |row| row.run_id))
    .execute(connection)
    .await?;
    Ok(())
}

/// One column of many rows, for `unnest`.
fn column<'r, T>(rows: &'r [MessageRow], value: impl Fn(&'r MessageRow) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// Deletes items of threads, those of them that are in theirs. The threads are locked.
pub(super) async fn remove(
    connection: &mut PgConnection,
    items: &[(ThreadId, ItemId)],
    times: &Times,
) -> Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    let removed = sqlx::query(
        "DELETE FROM message AS m
        USING unnest($1::uuid[], $2::uuid[]) AS gone (conversation_id, id)
        WHERE m.id = gone.id
            AND m.conversation_id = gone.conversation_id
        RETURNING m.id, m.conversation_id, m.type",
    )
    .bind(items.iter().map(|(thread_id, _)| thread_id.as_uuid()).collect::<Vec<_>>())
    .bind(items.iter().map(|(_, item_id)| item_id.as_uuid()).collect::<Vec<_>>())
    .fetch_all(&mut *connection)
    .await?;
    count_removed(connection, &removed, times).await
}

/// Deletes every item behind one of the thread's; `false` when that one is not in it.
pub(super) async fn remove_after(
    connection: &mut PgConnection,
    thread_id: ThreadId,
    item_id: ItemId,
    times: &Times,
) -> Result<bool> {
    let place = sqlx::query("SELECT seq FROM message WHERE id = $1 AND conversation_id = $2")
        .bind(item_id.as_uuid())
        .bind(thread_id.as_uuid())
        .fetch_optional(&mut *connection)
        .await?;
    let Some(place) = place else { return Ok(false) };
    let removed = sqlx::query(
        "DELETE FROM message
        WHERE conversation_id = $1
            AND seq > $2
        RETURNING id, conversation_id, type",
    )
    .bind(thread_id.as_uuid())
    .bind(decode::seq(&place)?)
    .fetch_all(&mut *connection)
    .await?;
    count_removed(connection, &removed, times).await?;
    Ok(true)
}

async fn count_removed(
    connection: &mut PgConnection,
    removed: &[PgRow],
    times: &Times,
) -> Result<()> {
    let mut changes: BTreeMap<Uuid, Change> = BTreeMap::new();
    for row in removed {
        let (_, gone) = decode::existing(row)?;
        changes.entry(gone.thread_id).or_default().visible -= i64::from(gone.is_visible);
    }
    if !changes.is_empty() {
        change_counters(connection, &changes, times).await?;
    }
    Ok(())
}
