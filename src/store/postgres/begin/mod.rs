//! Accepting a run: everything that is promised once the client has its first event, in one
//! transaction. Runs of new threads begin together (see `group`).

mod group;

use std::{collections::HashMap, sync::Arc};

use sqlx::{PgConnection, types::time::OffsetDateTime};

use super::{
    PostgresStore, admission::Admission, attachments, item_writes, items, threads,
    transaction::Transactions, waiting_calls,
};
use crate::{
    protocol::{RunId, ThreadId, UserId},
    store::{
        Result, decode, encode,
        record::{Begun, IdempotencyKey, NewRun, RunThread},
    },
};

pub(super) use group::Beginner;

pub(super) async fn begin_run(store: &PostgresStore, run: NewRun) -> Result<Begun> {
    if group::is_new(&run) {
        store.begin_queue.begin(run).await
    } else {
        store.begin_alone.begin(run).await
    }
}

/// Begins runs one by one, each in a transaction of its own.
#[derive(Clone)]
pub(super) struct Alone {
    transactions: Transactions,
    admission: Arc<Admission>,
}

impl Alone {
    pub(super) fn new(transactions: Transactions, admission: Admission) -> Self {
        Self { transactions, admission: Arc::new(admission) }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.admission.waiting()
    }

    async fn begin(&self, run: NewRun) -> Result<Begun> {
        let place = self.admission.enter().await?;
        // The place goes along with the answer, so that it is kept until after the commit.
        let (begun, _place) = self
            .transactions
            .run_if(
                move |connection| {
                    Box::pin(async move { Ok((begin(connection, run).await?, place)) })
                },
                |(begun, _place)| matches!(begun, Begun::Started(_)),
            )
            .await?;
        Ok(begun)
    }
}

/// Only [`Begun::Started`] is committed, so that a step may write before a later one refuses.
async fn begin(connection: &mut PgConnection, run: NewRun) -> Result<Begun> {
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
        let rows = encode::given_up(asking);
        item_writes::put(connection, rows, &times).await?;
    }
    let rows = encode::complete_items(thread_id, &run.items, Some(run.id.as_uuid()));
    item_writes::put(connection, rows, &times).await?;
    if !insert_run(connection, &run).await? {
        return find_active_run(connection, thread_id).await.map(Begun::Busy);
    }
    let thread = threads::expect(connection, thread_id).await?;
    Ok(Begun::Started(Box::new(thread)))
}

/// Takes the key for this run, unless it is another's and still good: then answers what for.
async fn take_key(
    connection: &mut PgConnection,
    run: &NewRun,
    key: &IdempotencyKey,
) -> Result<Option<Begun>> {
    let taken = sqlx::query(
        "INSERT INTO idempotency_key (
            user_id, route, key, fingerprint, run_id, conversation_id, created_at
        )
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (user_id, route, key) DO UPDATE
        SET fingerprint = excluded.fingerprint,
            run_id = excluded.run_id,
            conversation_id = excluded.conversation_id,
            created_at = excluded.created_at
        WHERE idempotency_key.created_at < $8",
    )
    .bind(run.user_id.as_str())
    .bind(encode::text(key.route.as_str()))
    .bind(encode::text(key.key.as_str()))
    .bind(key.fingerprint.as_slice())
    .bind(run.id.as_uuid())
    .bind(run.thread.id().as_uuid())
    .bind(OffsetDateTime::from(run.now))
    .bind(OffsetDateTime::from(key.not_before))
    .execute(&mut *connection)
    .await?;
    if taken.rows_affected() == 1 {
        return Ok(None);
    }
    find_key(connection, &run.user_id, key).await.map(Some)
}

async fn find_key(
    connection: &mut PgConnection,
    user: &UserId,
    key: &IdempotencyKey,
) -> Result<Begun> {
    let row = sqlx::query(
        "SELECT fingerprint, run_id, conversation_id
        FROM idempotency_key
        WHERE user_id = $1
            AND route = $2
            AND key = $3",
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
    store: &PostgresStore,
    user: &UserId,
    key: &IdempotencyKey,
) -> Result<Option<Begun>> {
    let row = sqlx::query(
        "SELECT fingerprint, run_id, conversation_id
        FROM idempotency_key
        WHERE user_id = $1
            AND route = $2
            AND key = $3
            AND created_at >= $4",
    )
    .bind(user.as_str())
    .bind(encode::text(key.route.as_str()))
    .bind(encode::text(key.key.as_str()))
    .bind(OffsetDateTime::from(key.not_before))
    .fetch_optional(&store.pool)
    .await?;
    row.map(|row| Ok(decode::used_key(&row)?.answer(key))).transpose()
}

/// Makes sure of the thread: that it is the user's, and has no run. Answers a refusal.
async fn enter_thread(connection: &mut PgConnection, run: &NewRun) -> Result<Option<Begun>> {
    let id = match &run.thread {
        RunThread::New(thread) => {
            threads::insert_row(connection, thread).await?;
            return Ok(None);
        }
        RunThread::Existing(id) => *id,
    };
    // Two requests for one thread come through here one after the other.
    if !threads::lock(connection, &run.user_id, id).await? {
        return Ok(Some(Begun::NotFound));
    }
    let thread = threads::expect(connection, id).await?;
    Ok(thread.active_run_id.map(Begun::Busy))
}

/// `false` when the thread has a run after all.
async fn insert_run(connection: &mut PgConnection, run: &NewRun) -> Result<bool> {
    let inserted = sqlx::query(
        "INSERT INTO run (
            id, conversation_id, user_id, status, lease_owner, lease_token, lease_until, created_at
        )
        VALUES ($1, $2, $3, 'running', $4, $5, now() + $6 * interval '1 microsecond', $7)
        ON CONFLICT (conversation_id) WHERE status IN ('queued', 'running') DO NOTHING",
    )
    .bind(run.id.as_uuid())
    .bind(run.thread.id().as_uuid())
    .bind(run.user_id.as_str())
    .bind(run.lease.owner.as_str())
    .bind(run.lease.token)
    .bind(encode::micros(run.lease.ttl))
    .bind(OffsetDateTime::from(run.now))
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

async fn find_active_run(connection: &mut PgConnection, thread_id: ThreadId) -> Result<RunId> {
    let row = sqlx::query(
        "SELECT id
        FROM run
        WHERE conversation_id = $1
            AND status IN ('queued', 'running')",
    )
    .bind(thread_id.as_uuid())
    .fetch_one(connection)
    .await?;
    decode::run_id(&row)
}
