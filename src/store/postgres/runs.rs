//! Runs: finding, following, taking over and cancelling them.

use std::time::Duration;

use sqlx::types::time::OffsetDateTime;

use super::PostgresStore;
use crate::{
    protocol::{RunId, Timestamp, UserId},
    store::{
        Result, decode, encode,
        record::{EventChunk, RunRecord, StopRequest},
    },
};

pub(super) async fn find(
    store: &PostgresStore,
    user: &UserId,
    id: RunId,
) -> Result<Option<RunRecord>> {
    sqlx::query(
        "SELECT
            id,
            conversation_id,
            user_id,
            status,
            lease_token,
            error::text AS error,
            usage::text AS usage,
            created_at,
            ended_at,
            resume_point
        FROM run
        WHERE id = $1
            AND user_id = $2",
    )
    .bind(id.as_uuid())
    .bind(user.as_str())
    .fetch_optional(&store.pool)
    .await?
    .as_ref()
    .map(decode::run)
    .transpose()
}

pub(super) async fn list_events(
    store: &PostgresStore,
    run_id: RunId,
    after: u64,
    limit: usize,
) -> Result<Vec<EventChunk>> {
    let rows = sqlx::query(
        "SELECT first_seq, last_seq, payload
        FROM run_event
        WHERE run_id = $1
            AND last_seq > $2
        ORDER BY last_seq
        LIMIT $3",
    )
    .bind(run_id.as_uuid())
    .bind(encode::integer(after))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(&store.pool)
    .await?;
    rows.iter().map(decode::event_chunk).collect()
}

/// Dead is whose lease ran out by the database's clock. Instances that sweep at once take different
/// runs: each skips what another has locked. `clock_timestamp()` goes on within a transaction,
/// `now()` does not: a lease counts as it was when the transaction began.
pub(super) async fn claim_abandoned(
    store: &PostgresStore,
    owner: &str,
    lease: Duration,
    not_after: Timestamp,
    limit: usize,
) -> Result<Vec<RunRecord>> {
    let owner = owner.to_owned();
    store
        .transactions
        .run(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(
                    "WITH abandoned AS (
                        SELECT id
                        FROM run
                        WHERE status IN ('queued', 'running')
                            AND lease_until < now()
                            AND lease_owner <> $1
                            AND clock_timestamp() <= $3
                        ORDER BY created_at, id
                        LIMIT $4
                        FOR UPDATE SKIP LOCKED
                    )
                    UPDATE run
                    SET lease_owner = $1,
                        lease_token = lease_token + 1,
                        lease_until = now() + $2 * interval '1 microsecond'
                    FROM abandoned
                    WHERE run.id = abandoned.id
                    RETURNING
                        run.id,
                        conversation_id,
                        user_id,
                        status,
                        lease_token,
                        error::text AS error,
                        usage::text AS usage,
                        created_at,
                        ended_at,
                        resume_point",
                )
                .bind(owner)
                .bind(encode::micros(lease))
                .bind(OffsetDateTime::from(not_after))
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(connection)
                .await?;
                rows.iter().map(decode::run).collect()
            })
        })
        .await
}

pub(super) async fn request_stop(
    store: &PostgresStore,
    user: &UserId,
    id: RunId,
    request: StopRequest,
) -> Result<bool> {
    let user = user.clone();
    let statement = match request {
        StopRequest::Cancel => {
            "UPDATE run
            SET cancel_requested_at = coalesce(cancel_requested_at, now())
            WHERE id = $1
                AND user_id = $2
                AND status IN ('queued', 'running')"
        }
        StopRequest::Supersede => {
            "UPDATE run
            SET supersede_requested_at = now()
            WHERE id = $1
                AND user_id = $2
                AND status IN ('queued', 'running')"
        }
    };
    store
        .transactions
        .run(move |connection| {
            Box::pin(async move {
                let asked = sqlx::query(statement)
                    .bind(id.as_uuid())
                    .bind(user.as_str())
                    .execute(connection)
                    .await?;
                Ok(asked.rows_affected() == 1)
            })
        })
        .await
}

/// Asked all the time and mostly for nothing: the few runs that are under way are gone through, by
/// the index that holds only them, however many have ended. `MATERIALIZED`, since PostgreSQL takes
/// the array for one of ten and would look up each of a thousand by itself.
pub(super) async fn list_stop_requests(
    store: &PostgresStore,
    runs: &[RunId],
    supersede_within: Duration,
) -> Result<Vec<(RunId, StopRequest)>> {
    let rows = sqlx::query(
        "WITH active AS MATERIALIZED (
            SELECT id, cancel_requested_at, supersede_requested_at
            FROM run
            WHERE status IN ('queued', 'running')
        )
        SELECT
            asked.id,
            active.id IS NULL OR active.cancel_requested_at IS NOT NULL AS is_cancel
        FROM unnest($1::uuid[]) AS asked (id)
        LEFT JOIN active ON active.id = asked.id
        WHERE active.id IS NULL
            OR active.cancel_requested_at IS NOT NULL
            OR active.supersede_requested_at > now() - $2 * interval '1 microsecond'",
    )
    .bind(runs.iter().map(|id| id.as_uuid()).collect::<Vec<_>>())
    .bind(encode::micros(supersede_within))
    .fetch_all(&store.pool)
    .await?;
    rows.iter().map(decode::stop_request).collect()
}
