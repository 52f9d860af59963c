//! Accepting a run: everything that is promised once the client has its first event, in one
//! transaction.

use std::collections::HashMap;

use sqlx::SqliteConnection;

use super::{Key, SqliteStore, attachments, item_writes, items, threads, waiting_calls};
use crate::{
    protocol::UserId,
    store::{
        Result, decode, encode,
        record::{Begun, IdempotencyKey, NewRun, RunThread},
    },
};

pub(super) async fn begin_run(store: &SqliteStore, run: NewRun) -> Result<Begun> {
    store
        .writer
        .write_if(
            move |connection| Box::pin(begin(connection, run)),
            |begun| matches!(begun, Begun::Started(_)),
        )
        .await
}

/// Only [`Begun::Started`] is committed, so that a step may write before a later one refuses.
async fn begin(connection: &mut SqliteConnection, run: NewRun) -> Result<Begun> {
    if let Some(key) = &run.idempotency
        && let Some(used) = take_key(connection, &run, key).await?
    {
        return Ok(used);
    }
    if let Some(refusal) = enter_thread(connection, &run).await? {
        return Ok(refusal);
    }
    let thread_id = run.thread.id();
    if let Some(expected) = &run.expected
        && !items::is_unchanged(connection, thread_id, expected).await?
    {
        return Ok(Begun::Changed);
    }
    if !waiting_calls::decide(connection, &run.decided_calls).await? {
        return Ok(Begun::Changed);
    }
    if !attachments::bind(connection, &run.user_id, thread_id, &run.attachments).await? {
        return Ok(Begun::NotFound);
    }
    let times = HashMap::from([(thread_id.as_uuid(), run.now)]);
    if let Some(item_id) = run.delete_after
        && !item_writes::remove_after(connection, thread_id, item_id, &times).await?
    {
        return Ok(Begun::NotFound);
    }
    let removed: Vec<_> = run.delete_items.iter().map(|id| (thread_id, *id)).collect();
    item_writes::remove(connection, &removed, &times).await?;
    if run.abandon_calls {
        let mut asking = items::pending_calls(connection, thread_id).await?;
        asking.extend(waiting_calls::give_up(connection, thread_id).await?);
        let rows = encode::given_up(thread_id, asking);
        item_writes::put(connection, rows, &times).await?;
    }
    let rows = encode::complete_items(thread_id, &run.items, Some(run.id.as_uuid()));
    item_writes::put(connection, rows, &times).await?;
    insert_run(connection, &run).await?;
    let thread = threads::expect(connection, thread_id).await?;
    Ok(Begun::Started(Box::new(thread)))
}

/// Takes the key for this run, unless it is another's and still good: then answers what for.
async fn take_key(
    connection: &mut SqliteConnection,
    run: &NewRun,
    key: &IdempotencyKey,
) -> Result<Option<Begun>> {
    let taken = sqlx::query(
        "INSERT INTO idempotency_key (
            user_id, route, key, fingerprint, run_id, conversation_id, created_at
        )
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT (user_id, route, key) DO UPDATE
        SET fingerprint = excluded.fingerprint,
            run_id = excluded.run_id,
            conversation_id = excluded.conversation_id,
            created_at = excluded.created_at
        WHERE idempotency_key.created_at < ?8",
    )
    .bind(run.user_id.as_str())
    .bind(encode::text(key.route.as_str()))
    .bind(encode::text(key.key.as_str()))
    .bind(key.fingerprint.as_slice())
    .bind(run.id.key())
    .bind(run.thread.id().key())
    .bind(run.now.as_micros())
    .bind(key.not_before.as_micros())
    .execute(&mut *connection)
    .await?;
    if taken.rows_affected() == 1 {
        return Ok(None);
    }
    find_key(connection, &run.user_id, key).await.map(Some)
}

async fn find_key(
    connection: &mut SqliteConnection,
    user: &UserId,
    key: &IdempotencyKey,
) -> Result<Begun> {
    let row = sqlx::query(
        "SELECT fingerprint, run_id, conversation_id
        FROM idempotency_key
        WHERE user_id = ?1
            AND route = ?2
            AND key = ?3",
    )
    .bind(user.as_str())
    .bind(encode::text(key.route.as_str()))
    .bind(encode::text(key.key.as_str()))
    .fetch_one(connection)
    .await?;
    Ok(decode::used_key(&row)?.answer(key))
}

/// What a key that is still good was used for.
pub(super) async fn find_keyed_run(
    store: &SqliteStore,
    user: &UserId,
    key: &IdempotencyKey,
) -> Result<Option<Begun>> {
    let row = sqlx::query(
        "SELECT fingerprint, run_id, conversation_id
        FROM idempotency_key
        WHERE user_id = ?1
            AND route = ?2
            AND key = ?3
            AND created_at >= ?4",
    )
    .bind(user.as_str())
    .bind(encode::text(key.route.as_str()))
    .bind(encode::text(key.key.as_str()))
    .bind(key.not_before.as_micros())
    .fetch_optional(&store.readers)
    .await?;
    row.map(|row| Ok(decode::used_key(&row)?.answer(key))).transpose()
}

/// Makes sure of the thread: that it is the user's, and has no run. Answers a refusal.
async fn enter_thread(connection: &mut SqliteConnection, run: &NewRun) -> Result<Option<Begun>> {
    let id = match &run.thread {
        RunThread::New(thread) => {
            threads::insert_row(connection, thread).await?;
            return Ok(None);
        }
        RunThread::Existing(id) => *id,
    };
    let thread = threads::find(connection, &run.user_id, id).await?;
    Ok(match thread {
        None => Some(Begun::NotFound),
        Some(thread) => thread.active_run_id.map(Begun::Busy),
    })
}

async fn insert_run(connection: &mut SqliteConnection, run: &NewRun) -> Result<()> {
    sqlx::query(
        "INSERT INTO run (
            id, conversation_id, user_id, status, lease_owner, lease_token, lease_until, created_at
        )
        VALUES (
            ?1, ?2, ?3, 'running', ?4, ?5,
            CAST(unixepoch('subsec') * 1000000 AS INTEGER) + ?6, ?7
        )",
    )
    .bind(run.id.key())
    .bind(run.thread.id().key())
    .bind(run.user_id.as_str())
    .bind(run.lease.owner.as_str())
    .bind(run.lease.token)
    .bind(encode::micros(run.lease.ttl))
    .bind(run.now.as_micros())
    .execute(connection)
    .await?;
    Ok(())
}
