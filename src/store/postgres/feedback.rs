//! Thumbs up and down.

use sqlx::types::time::OffsetDateTime;
use uuid::Uuid;

use super::{PostgresStore, threads};
use crate::{
    protocol::{ItemId, ThreadId, Timestamp, UserId, request::FeedbackKind},
    store::Result,
};

pub(super) async fn insert(
    store: &PostgresStore,
    user: &UserId,
    thread_id: ThreadId,
    items: &[ItemId],
    kind: FeedbackKind,
    now: Timestamp,
) -> Result<bool> {
    let user = user.clone();
    let mut items: Vec<Uuid> = items.iter().map(|id| id.as_uuid()).collect();
    items.sort_unstable();
    items.dedup();
    store
        .transactions
        .run_if(
            move |connection| {
                Box::pin(async move {
                    if !threads::lock(connection, &user, thread_id).await? {
                        return Ok(false);
                    }
                    // The later thumb of an item counts.
                    let kept = sqlx::query(
                        "INSERT INTO feedback (message_id, user_id, kind, created_at)
                        SELECT m.id, $3, $4, $5
                        FROM message AS m
                        WHERE m.conversation_id = $1
                            AND m.id = ANY ($2)
                        ON CONFLICT (message_id) DO UPDATE
                        SET user_id = excluded.user_id,
                            kind = excluded.kind,
                            created_at = excluded.created_at",
                    )
                    .bind(thread_id.as_uuid())
                    .bind(items.as_slice())
                    .bind(user.as_str())
                    .bind(kind.as_str())
                    .bind(OffsetDateTime::from(now))
                    .execute(connection)
                    .await?;
                    Ok(kept.rows_affected() == items.len() as u64)
                })
            },
            |is_kept| *is_kept,
        )
        .await
}
