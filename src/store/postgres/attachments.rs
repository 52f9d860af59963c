//! What users attach to messages, the rows of `attachment`.

use sqlx::{PgConnection, types::time::OffsetDateTime};
use uuid::Uuid;

use super::PostgresStore;
use crate::{
    protocol::{AttachmentId, ThreadId, UserId},
    store::{Result, decode, encode, in_order, record::AttachmentRecord},
};

/// Selects attachments as [`decode::attachment`] reads them.
macro_rules! select_attachments {
    () => {
        "SELECT user_id, conversation_id, attachment::text AS attachment, metadata::text AS metadata, created_at
        FROM attachment "
    };
}

pub(super) async fn insert(store: &PostgresStore, new: AttachmentRecord) -> Result<()> {
    store
        .transactions
        .run(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO attachment (
                        id, user_id, conversation_id, attachment, metadata, created_at
                    )
                    VALUES ($1, $2, $3, $4::json, $5::json, $6)",
                )
                .bind(new.attachment.id.as_uuid())
                .bind(new.user_id.as_str())
                .bind(new.attachment.thread_id.map(ThreadId::as_uuid))
                .bind(encode::attachment(&new.attachment))
                .bind(encode::json(&new.metadata))
                .bind(OffsetDateTime::from(new.created_at))
                .execute(connection)
                .await?;
                Ok(())
            })
        })
        .await
}

pub(super) async fn find(
    store: &PostgresStore,
    user: &UserId,
    ids: &[AttachmentId],
) -> Result<Vec<AttachmentRecord>> {
    let rows = sqlx::query(concat!(
        select_attachments!(),
        "WHERE user_id = $1
            AND id = ANY ($2)"
    ))
    .bind(user.as_str())
    .bind(ids.iter().map(|id| id.as_uuid()).collect::<Vec<Uuid>>())
    .fetch_all(&store.pool)
    .await?;
    let found: Vec<AttachmentRecord> =
        rows.iter().map(decode::attachment).collect::<Result<_>>()?;
    Ok(in_order(ids, found))
}

pub(super) async fn list_of_thread(
    store: &PostgresStore,
    user: &UserId,
    thread_id: ThreadId,
) -> Result<Vec<AttachmentRecord>> {
    let rows = sqlx::query(concat!(
        select_attachments!(),
        "WHERE user_id = $1
            AND conversation_id = $2
        ORDER BY created_at, id"
    ))
    .bind(user.as_str())
    .bind(thread_id.as_uuid())
    .fetch_all(&store.pool)
    .await?;
    rows.iter().map(decode::attachment).collect()
}

/// Binds attachments to a thread; `false` when one of them is not the user's or is in another.
pub(super) async fn bind(
    connection: &mut PgConnection,
    user: &UserId,
    thread_id: ThreadId,
    ids: &[AttachmentId],
) -> Result<bool> {
    if ids.is_empty() {
        return Ok(true);
    }
    let bound = sqlx::query(
        "UPDATE attachment
        SET conversation_id = $3
        WHERE user_id = $1
            AND id = ANY ($2)
            AND (conversation_id IS NULL OR conversation_id = $3)",
    )
    .bind(user.as_str())
    .bind(ids.iter().map(|id| id.as_uuid()).collect::<Vec<Uuid>>())
    .bind(thread_id.as_uuid())
    .execute(connection)
    .await?;
    Ok(bound.rows_affected() == ids.len() as u64)
}

pub(super) async fn delete(store: &PostgresStore, user: &UserId, id: AttachmentId) -> Result<bool> {
    let user = user.clone();
    store
        .transactions
        .run(move |connection| {
            Box::pin(async move {
                let deleted = sqlx::query(
                    "DELETE FROM attachment
                    WHERE user_id = $1
                        AND id = $2",
                )
                .bind(user.as_str())
                .bind(id.as_uuid())
                .execute(connection)
                .await?;
                Ok(deleted.rows_affected() == 1)
            })
        })
        .await
}
