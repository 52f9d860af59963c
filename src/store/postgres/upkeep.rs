//! Deleting what has served its time.

use sqlx::types::time::OffsetDateTime;

use super::PostgresStore;
use crate::{protocol::Timestamp, store::Result};

pub(super) async fn delete_expired(
    store: &PostgresStore,
    events_before: Timestamp,
    keys_before: Timestamp,
    sessions_before: Timestamp,
) -> Result<u64> {
    store
        .transactions
        .run(move |connection| {
            Box::pin(async move {
                // The first time after a long while may find more than the usual limit allows.
                sqlx::query("SET LOCAL statement_timeout = '5min'")
                    .execute(&mut *connection)
                    .await?;
                let events = sqlx::query(
                    "DELETE FROM run_event
                    WHERE run_id IN (SELECT id FROM run WHERE ended_at < $1)",
                )
                .bind(OffsetDateTime::from(events_before))
                .execute(&mut *connection)
                .await?;
                let keys = sqlx::query("DELETE FROM idempotency_key WHERE created_at < $1")
                    .bind(OffsetDateTime::from(keys_before))
                    .execute(&mut *connection)
                    .await?;
                let sessions = sqlx::query("DELETE FROM chatkit_session WHERE rotated_at < $1")
                    .bind(OffsetDateTime::from(sessions_before))
                    .execute(&mut *connection)
                    .await?;
                Ok(events.rows_affected() + keys.rows_affected() + sessions.rows_affected())
            })
        })
        .await
}
