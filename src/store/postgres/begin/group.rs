//! Runs of new threads, begun together: nobody else can have such a thread, so that nothing but
//! their keys has to be looked at, and one statement does it all.

use sqlx::{PgPool, Row, types::time::OffsetDateTime};
use uuid::Uuid;

use super::{Alone, find_key};
use crate::store::{
    Result, StoreError,
    begin_queue::{BeginGroup, all_unavailable, waves},
    encode::{self, MessageRow},
    record::{Begun, NewRun, NewThread, RunThread},
};

/// Whether a run begins with a thread and items of its own, and changes nothing else.
pub(super) fn is_new(run: &NewRun) -> bool {
    matches!(run.thread, RunThread::New(_))
        && run.expected.is_none()
        && run.decided_calls.is_empty()
        && run.attachments.is_empty()
        && run.delete_after.is_none()
        && run.delete_items.is_empty()
}

/// What begins groups.
pub(in crate::store::postgres) struct Beginner {
    pub(in crate::store::postgres) pool: PgPool,
    pub(in crate::store::postgres) alone: Alone,
}

impl BeginGroup for Beginner {
    /// When the database refuses a part of the group, each of that is tried by itself.
    async fn begin_group(&self, runs: Vec<NewRun>) -> Vec<Result<Begun>> {
        let mut begun: Vec<Option<Result<Begun>>> = runs.iter().map(|_| None).collect();
        for wave in waves(&runs) {
            let of_wave: Vec<&NewRun> = wave.iter().map(|place| &runs[*place]).collect();
            let answers = match begin_all(&self.pool, &of_wave).await {
                Ok(answers) => answers,
                Err(error) if error.is_unavailable() => all_unavailable(error, wave.len()),
                Err(_) => {
                    let mut answers = Vec::with_capacity(wave.len());
                    for run in of_wave {
                        answers.push(self.alone.begin(run.clone()).await);
                    }
                    answers
                }
            };
            for (place, answer) in wave.into_iter().zip(answers) {
                begun[place] = Some(answer);
            }
        }
        begun.into_iter().map(|begun| begun.expect("each run is in a wave")).collect()
    }
}

/// One statement, so that it needs no transaction of ours, and one way there and back. Fails as a whole
/// only when nothing is stored.
async fn begin_all(pool: &PgPool, runs: &[&NewRun]) -> Result<Vec<Result<Begun>>> {
    let rows: Vec<Vec<MessageRow>> = runs.iter().map(|run| rows_of(run)).collect();
    let visible: Vec<usize> = rows.iter().map(|rows| visible(rows)).collect();
    let started = insert(pool, runs, &rows, &visible).await?;
    let mut begun = Vec::with_capacity(runs.len());
    for (run, visible) in runs.iter().zip(visible) {
        begun.push(match new_thread(run).filter(|_| started.contains(&run.id.as_uuid())) {
            Some(thread) => {
                Ok(Begun::Started(Box::new(encode::begun_thread(thread, visible, run.id))))
            }
            None => find_used(pool, run).await,
        });
    }
    Ok(begun)
}

/// What the key of a run was used for that was not begun.
async fn find_used(pool: &PgPool, run: &NewRun) -> Result<Begun> {
    let key = run.idempotency.as_ref();
    let key = key.ok_or_else(|| StoreError::Refused("a run was not inserted".into()))?;
    find_key(&mut *pool.acquire().await?, &run.user_id, key).await
}

/// The keys of the runs, where they are new or have served their time; and, of the runs that got theirs
/// or have none, the threads, the items, and themselves.
const INSERT: &str = "WITH keys AS (
    INSERT INTO idempotency_key AS used (
        user_id, route, key, fingerprint, run_id, conversation_id, created_at
    )
    SELECT user_id, route, key, fingerprint, run_id, conversation_id, created_at
    FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::bytea[], $5::uuid[], $6::uuid[],
        $7::timestamptz[]
    ) AS given (user_id, route, key, fingerprint, run_id, conversation_id, created_at)
    ON CONFLICT (user_id, route, key) DO UPDATE
    SET fingerprint = excluded.fingerprint,
        run_id = excluded.run_id,
        conversation_id = excluded.conversation_id,
        created_at = excluded.created_at
    WHERE used.created_at < $8
    RETURNING used.run_id
),
started AS (
    SELECT given.*
    FROM unnest(
        $9::uuid[], $10::uuid[], $11::text[], $12::text[], $13::timestamptz[],
        $14::bigint[], $15::bigint[], $16::text[], $17::bigint[], $18::bigint[],
        $19::timestamptz[], $20::boolean[]
    ) AS given (
        id, conversation_id, user_id, title, thread_at, message_count, last_seq, owner,
        token, ttl, created_at, has_key
    )
    WHERE NOT given.has_key OR given.id IN (SELECT run_id FROM keys)
),
threads AS (
    INSERT INTO conversation (
        id, user_id, title, created_at, updated_at, message_count, last_seq
    )
    SELECT conversation_id, user_id, title, thread_at, thread_at, message_count, last_seq
    FROM started
),
items AS (
    INSERT INTO message (
        id, conversation_id, user_id, role, content, created_at, seq, type, item, status,
        run_id
    )
    SELECT
        given.id,
        started.conversation_id,
        started.user_id,
        given.role,
        given.content,
        given.created_at,
        given.seq,
        given.type,
        given.item::json,
        given.status,
        started.id
    FROM unnest(
        $21::uuid[], $22::uuid[], $23::text[], $24::text[], $25::timestamptz[],
        $26::bigint[], $27::text[], $28::text[], $29::text[]
    ) AS given (
        id, conversation_id, role, content, created_at, seq, type, item, status
    )
    JOIN started ON started.conversation_id = given.conversation_id
)
INSERT INTO run (
    id, conversation_id, user_id, status, lease_owner, lease_token, lease_until, created_at
)
SELECT
    id, conversation_id, user_id, 'running', owner, token,
    now() + ttl * interval '1 microsecond', created_at
FROM started
RETURNING id";

/// Answers the runs that were begun. The others' keys are used.
async fn insert(
    pool: &PgPool,
    runs: &[&NewRun],
    rows: &[Vec<MessageRow>],
    visible: &[usize],
) -> Result<Vec<Uuid>> {
    let threads: Vec<&NewThread> = runs.iter().filter_map(|run| new_thread(run)).collect();
    let last_seq = rows.iter().map(|rows| count(rows.len())).collect::<Vec<_>>();
    let seq = rows.iter().flat_map(|rows| (1..).zip(rows).map(|(seq, _)| seq));
    let seq: Vec<i64> = seq.collect();
    let rows: Vec<&MessageRow> = rows.iter().flatten().collect();
    // Whoever waits for another's key holds none behind it.
    let mut keyed: Vec<_> =
        runs.iter().filter_map(|run| Some((*run, run.idempotency.as_ref()?))).collect();
    keyed.sort_by_key(|(run, key)| (run.user_id.as_str(), &key.route, &key.key));
    let started = sqlx::query(INSERT)
        .bind(column(&keyed, |(run, _)| run.user_id.as_str()))
        .bind(column(&keyed, |(_, key)| encode::text(key.route.as_str())))
        .bind(column(&keyed, |(_, key)| encode::text(key.key.as_str())))
        .bind(column(&keyed, |(_, key)| key.fingerprint.as_slice()))
        .bind(column(&keyed, |(run, _)| run.id.as_uuid()))
        .bind(column(&keyed, |(run, _)| run.thread.id().as_uuid()))
        .bind(column(&keyed, |(run, _)| OffsetDateTime::from(run.now)))
        // They were asked for within moments: a key may hold as much longer.
        .bind(keyed.iter().map(|(_, key)| OffsetDateTime::from(key.not_before)).min())
        .bind(column(runs, |run| run.id.as_uuid()))
        .bind(column(runs, |run| run.thread.id().as_uuid()))
        .bind(column(runs, |run| run.user_id.as_str()))
        .bind(column(&threads, |thread| encode::optional_text(thread.title.clone())))
        .bind(column(&threads, |thread| OffsetDateTime::from(thread.now)))
        .bind(column(visible, |visible| count(*visible)))
        .bind(last_seq)
        .bind(column(runs, |run| run.lease.owner.as_str()))
        .bind(column(runs, |run| run.lease.token))
        .bind(column(runs, |run| encode::micros(run.lease.ttl)))
        .bind(column(runs, |run| OffsetDateTime::from(run.now)))
        .bind(column(runs, |run| run.idempotency.is_some()))
        .bind(column(&rows, |row| row.id))
        .bind(column(&rows, |row| row.thread_id))
        .bind(column(&rows, |row| row.role))
        .bind(column(&rows, |row| row.content.as_str()))
        .bind(column(&rows, |row| OffsetDateTime::from(row.created_at)))
        .bind(seq)
        .bind(column(&rows, |row| row.kind))
        .bind(column(&rows, |row| row.item.as_str()))
        .bind(column(&rows, |row| row.status))
        .fetch_all(pool)
        .await?;
    Ok(started.iter().map(|row| row.try_get("id")).collect::<sqlx::Result<_>>()?)
}

/// One column of many rows, for `unnest`.
fn column<'r, R, T>(rows: &'r [R], value: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

fn new_thread(run: &NewRun) -> Option<&NewThread> {
    match &run.thread {
        RunThread::New(thread) => Some(thread),
        RunThread::Existing(_) => None,
    }
}

fn rows_of(run: &NewRun) -> Vec<MessageRow> {
    encode::complete_items(run.thread.id(), &run.items, Some(run.id.as_uuid()))
}

fn visible(rows: &[MessageRow]) -> usize {
    rows.iter().filter(|row| row.is_visible).count()
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
