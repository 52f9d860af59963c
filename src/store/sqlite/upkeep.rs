//! Deleting what has served its time.

use super::SqliteStore;
use crate::store::{Result, record::Expiry};

pub(super) async fn delete_expired(store: &SqliteStore, before: Expiry) -> Result<u64> {
    store
        .writer
        .write(move |connection| {
            Box::pin(async move {
                let events = sqlx::query(
                    "DELETE FROM run_event
                    WHERE run_id IN (SELECT id FROM run WHERE ended_at < ?1)",
                )
                .bind(before.events.as_micros())
                .execute(&mut *connection)
                .await?;
                let keys = sqlx::query("DELETE FROM idempotency_key WHERE created_at < ?1")
                    .bind(before.keys.as_micros())
                    .execute(&mut *connection)
                    .await?;
                let sessions = sqlx::query("DELETE FROM chatkit_session WHERE rotated_at < ?1")
                    .bind(before.sessions.as_micros())
                    .execute(&mut *connection)
                    .await?;
                let days = sqlx::query("DELETE FROM token_use WHERE day < ?1")
                    .bind(before.token_days.to_string())
                    .execute(&mut *connection)
                    .await?;
                let deleted = [events, keys, sessions, days].map(|result| result.rows_affected());
                Ok(deleted.iter().sum())
            })
        })
        .await
}
