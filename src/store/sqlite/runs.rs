//! Runs: finding, following, taking over and cancelling them.

use std::time::Duration;

use super::{Key, SqliteStore, key_list};
use crate::{
    protocol::{RunId, Timestamp, UserId},
    store::{
        Result, decode, encode,
        record::{EventChunk, RunRecord, StopRequest},
    },
};

pub(super) async fn find(
    store: &SqliteStore,
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
            error,
            usage,
            created_at,
            ended_at,
            resume_point
        FROM run
        WHERE id = ?1
            AND user_id = ?2",
    )
    .bind(id.key())
    .bind(user.as_str())
    .fetch_optional(&store.readers)
    .await?
    .as_ref()
    .map(decode::run)
    .transpose()
}

pub(super) async fn list_events(
    store: &SqliteStore,
    run_id: RunId,
    after: u64,
    limit: usize,
) -> Result<Vec<EventChunk>> {
    let rows = sqlx::query(
        "SELECT first_seq, last_seq, payload
        FROM run_event
        WHERE run_id = ?1
            AND last_seq > ?2
        ORDER BY last_seq
        LIMIT ?3",
    )
    .bind(run_id.key())
    .bind(encode::integer(after))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(&store.readers)
    .await?;
    rows.iter().map(decode::event_chunk).collect()
}

/// The lock on the file proves that every other owner's process is dead, whatever its lease says.
pub(super) async fn claim_abandoned(
    store: &SqliteStore,
    owner: &str,
    lease: Duration,
    not_after: Timestamp,
    limit: usize,
) -> Result<Vec<RunRecord>> {
    let owner = owner.to_owned();
    store
        .writer
        .write(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(
                    "UPDATE run
                    SET lease_owner = ?1,
                        lease_token = lease_token + 1,
                        lease_until = CAST(unixepoch('subsec') * 1000000 AS INTEGER) + ?2
                    WHERE id IN (
                        SELECT id
                        FROM run
                        WHERE status IN ('queued', 'running')
                            AND lease_owner <> ?1
                            AND CAST(unixepoch('subsec') * 1000000 AS INTEGER) <= ?3
                        ORDER BY created_at, id
                        LIMIT ?4
                    )
                    RETURNING
                        id,
                        conversation_id,
                        user_id,
                        status,
                        lease_token,
                        error,
                        usage,
                        created_at,
                        ended_at,
                        resume_point",
                )
                .bind(owner)
                .bind(encode::micros(lease))
                .bind(not_after.as_micros())
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(connection)
                .await?;
                rows.iter().map(decode::run).collect()
            })
        })
        .await
}

pub(super) async fn request_stop(
    store: &SqliteStore,
    user: &UserId,
    id: RunId,
    request: StopRequest,
) -> Result<bool> {
    let user = user.clone();
    let statement = match request {
        StopRequest::Cancel => {
            "UPDATE run
            SET cancel_requested_at = coalesce(
                cancel_requested_at,
                CAST(unixepoch('subsec') * 1000000 AS INTEGER)
            )
            WHERE id = ?1
                AND user_id = ?2
                AND status IN ('queued', 'running')"
        }
        StopRequest::Supersede => {
            "UPDATE run
            SET supersede_requested_at = CAST(unixepoch('subsec') * 1000000 AS INTEGER)
            WHERE id = ?1
                AND user_id = ?2
                AND status IN ('queued', 'running')"
        }
    };
    store
        .writer
        .write(move |connection| {
            Box::pin(async move {
                let asked = sqlx::query(statement)
                    .bind(id.key())
                    .bind(user.as_str())
                    .execute(connection)
                    .await?;
                Ok(asked.rows_affected() == 1)
            })
        })
        .await
}

pub(super) async fn list_stop_requests(
    store: &SqliteStore,
    runs: &[RunId],
    supersede_within: Duration,
) -> Result<Vec<(RunId, StopRequest)>> {
    let rows = sqlx::query(
        "SELECT
            asked.value AS id,
            r.id IS NULL OR r.cancel_requested_at IS NOT NULL AS is_cancel
        FROM json_each(?1) AS asked
        LEFT JOIN run AS r
            ON r.id = asked.value
            AND r.status IN ('queued', 'running')
        WHERE r.id IS NULL
            OR r.cancel_requested_at IS NOT NULL
            OR r.supersede_requested_at
                > CAST(unixepoch('subsec') * 1000000 AS INTEGER) - ?2",
    )
    .bind(key_list(runs.iter().copied()))
    .bind(encode::micros(supersede_within))
    .fetch_all(&store.readers)
    .await?;
    rows.iter().map(decode::stop_request).collect()
}
