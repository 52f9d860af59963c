//! Thumbs up and down.

use super::{Key, SqliteStore, key_list, threads};
use crate::{
    protocol::{ItemId, ThreadId, Timestamp, UserId, request::FeedbackKind},
    store::Result,
};

pub(super) async fn insert(
    store: &SqliteStore,
    user: &UserId,
    thread_id: ThreadId,
    items: &[ItemId],
    kind: FeedbackKind,
    now: Timestamp,
) -> Result<bool> {
    let user = user.clone();
    let mut items = items.to_vec();
    items.sort_unstable();
    items.dedup();
    store
        .writer
        .write_if(
            move |connection| {
                Box::pin(async move {
                    let thread = threads::find(&mut *connection, &user, thread_id);
                    if thread.await?.is_none() {
                        return Ok(false);
                    }
                    // The later thumb of an item counts.
                    let kept = sqlx::query(
                        "INSERT INTO feedback (message_id, user_id, kind, created_at)
                        SELECT m.id, ?3, ?4, ?5
                        FROM message AS m
                        WHERE m.conversation_id = ?1
                            AND m.id IN (SELECT value FROM json_each(?2))
                        ON CONFLICT (message_id) DO UPDATE
                        SET user_id = excluded.user_id,
                            kind = excluded.kind,
                            created_at = excluded.created_at",
                    )
                    .bind(thread_id.key())
                    .bind(key_list(items.iter().copied()))
                    .bind(user.as_str())
                    .bind(kind.as_str())
                    .bind(now.as_micros())
                    .execute(connection)
                    .await?;
                    Ok(kept.rows_affected() == items.len() as u64)
                })
            },
            |is_kept| *is_kept,
        )
        .await
}
