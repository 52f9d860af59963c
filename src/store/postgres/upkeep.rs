//! Deleting what has served its time.

use sqlx::types::time::{Date, OffsetDateTime};

use super::PostgresStore;
use crate::store::{Result, record::Expiry};

pub(super) async fn delete_expired(store: &PostgresStore, before: Expiry) -> Result<u64> {
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
                .bind(OffsetDateTime::from(before.events))
                .execute(&mut *connection)
                .await?;
                let keys = sqlx::query("DELETE FROM idempotency_key WHERE created_at < $1")
                    .bind(OffsetDateTime::from(before.keys))
                    .execute(&mut *connection)
                    .await?;
                let sessions = sqlx::query("DELETE FROM chatkit_session WHERE rotated_at < $1")
                    .bind(OffsetDateTime::from(before.sessions))
                    .execute(&mut *connection)
                    .await?;
                let days = sqlx::query("DELETE FROM token_use WHERE day < $1")
                    .bind(Date::from(before.token_days))
                    .execute(&mut *connection)
                    .await?;
                let deleted = [events, keys, sessions, days].map(|result| result.rows_affected());
                Ok(deleted.iter().sum())
            })
        })
        .await
}
