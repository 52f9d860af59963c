//! Threads, the rows of `conversation`.

use sqlx::{PgConnection, PgExecutor, types::time::OffsetDateTime};

use super::PostgresStore;
use crate::{
    protocol::{Order, Page, ThreadId, Timestamp, UserId},
    store::{
        PageQuery, Result, decode,
        encode::{self, PatchColumns},
        record::{NewThread, ThreadPatch, ThreadRecord},
    },
};

/// Selects threads as [`decode::thread`] reads them, `c` being the thread.
macro_rules! select_threads {
    () => {
        "SELECT
            c.id,
            c.user_id,
            c.title,
            c.status::text AS status,
            c.allowed_image_domains::text AS allowed_image_domains,
            c.metadata::text AS metadata,
            c.created_at,
            c.updated_at,
            c.archived_at,
            c.message_count,
            r.id AS active_run_id
        FROM conversation AS c
        LEFT JOIN run AS r
            ON r.conversation_id = c.id
            AND r.status IN ('queued', 'running') "
    };
}

pub(super) async fn insert(store: &PostgresStore, thread: NewThread) -> Result<ThreadRecord> {
    store
        .transactions
        .run(move |connection| {
            Box::pin(async move {
                insert_row(connection, &thread).await?;
                expect(connection, thread.id).await
            })
        })
        .await
}

pub(super) async fn insert_row(connection: &mut PgConnection, thread: &NewThread) -> Result<()> {
    sqlx::query(
        "INSERT INTO conversation (id, user_id, title, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $4)",
    )
    .bind(thread.id.as_uuid())
    .bind(thread.user_id.as_str())
    .bind(encode::optional_text(thread.title.clone()))
    .bind(OffsetDateTime::from(thread.now))
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn find(
    executor: impl PgExecutor<'_>,
    user: &UserId,
    id: ThreadId,
) -> Result<Option<ThreadRecord>> {
    sqlx::query(concat!(select_threads!(), "WHERE c.id = $1 AND c.user_id = $2"))
        .bind(id.as_uuid())
        .bind(user.as_str())
        .fetch_optional(executor)
        .await?
        .as_ref()
        .map(decode::thread)
        .transpose()
}

/// Locks one of the user's threads until the end of the transaction; `false` when there is none.
pub(super) async fn lock(
    connection: &mut PgConnection,
    user: &UserId,
    id: ThreadId,
) -> Result<bool> {
    let row = sqlx::query(
        "SELECT id
        FROM conversation
        WHERE id = $1
            AND user_id = $2
        FOR UPDATE",
    )
    .bind(id.as_uuid())
    .bind(user.as_str())
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

/// A thread that this transaction has just written.
pub(super) async fn expect(connection: &mut PgConnection, id: ThreadId) -> Result<ThreadRecord> {
    let row = sqlx::query(concat!(select_threads!(), "WHERE c.id = $1"))
        .bind(id.as_uuid())
        .fetch_one(connection)
        .await?;
    decode::thread(&row)
}

pub(super) async fn list(
    store: &PostgresStore,
    user: &UserId,
    archived: Option<bool>,
    page: PageQuery<ThreadId>,
) -> Result<Option<Page<ThreadRecord>>> {
    macro_rules! list_sql {
        ($beyond:literal, $direction:literal) => {
            concat!(
                select_threads!(),
                "WHERE c.user_id = $1
                    AND ($2::boolean IS NULL OR (c.archived_at IS NOT NULL) = $2)
                    AND ($3::timestamptz IS NULL OR (c.updated_at, c.id) ",
                $beyond,
                " ($3, $4))
                ORDER BY c.updated_at ",
                $direction,
                ", c.id ",
                $direction,
                " LIMIT $5"
            )
        };
    }
    let cursor = match page.after {
        None => None,
        Some(id) => match find(&store.pool, user, id).await? {
            Some(thread) => Some(thread),
            None => return Ok(None),
        },
    };
    let sql = match page.order {
        Order::Asc => list_sql!(">", "ASC"),
        Order::Desc => list_sql!("<", "DESC"),
    };
    let rows = sqlx::query(sql)
        .bind(user.as_str())
        .bind(archived)
        .bind(cursor.as_ref().map(|thread| OffsetDateTime::from(thread.updated_at)))
        .bind(cursor.as_ref().map(|thread| thread.id.as_uuid()))
        .bind(encode::limit_and_one(page.limit))
        .fetch_all(&store.pool)
        .await?;
    let threads = rows.iter().map(decode::thread).collect::<Result<Vec<_>>>()?;
    Ok(Some(Page::from_rows(threads, page.limit, |thread| thread.id.to_string())))
}

pub(super) async fn update(
    store: &PostgresStore,
    user: &UserId,
    id: ThreadId,
    patch: ThreadPatch,
    now: Timestamp,
) -> Result<Option<ThreadRecord>> {
    let user = user.clone();
    store
        .transactions
        .run(move |connection| {
            Box::pin(async move {
                if !lock(connection, &user, id).await? {
                    return Ok(None);
                }
                apply_patch(connection, id, patch, now).await?;
                expect(connection, id).await.map(Some)
            })
        })
        .await
}

/// Changes a thread, whoever's it is, and its time of the last change.
pub(super) async fn apply_patch(
    connection: &mut PgConnection,
    id: ThreadId,
    patch: ThreadPatch,
    now: Timestamp,
) -> Result<()> {
    let patch = PatchColumns::from(patch);
    sqlx::query(
        "UPDATE conversation
        SET updated_at = $2,
            title = CASE WHEN $3 THEN $4 ELSE title END,
            archived_at = CASE WHEN $5 THEN $6 ELSE archived_at END,
            status = coalesce($7::json, status),
            allowed_image_domains = CASE WHEN $8 THEN $9::json ELSE allowed_image_domains END,
            metadata = coalesce($10::json, metadata)
        WHERE id = $1",
    )
    .bind(id.as_uuid())
    .bind(OffsetDateTime::from(now))
    .bind(patch.title.is_set)
    .bind(patch.title.value)
    .bind(patch.archived_at.is_set)
    .bind(patch.archived_at.value.map(OffsetDateTime::from))
    .bind(patch.status)
    .bind(patch.allowed_image_domains.is_set)
    .bind(patch.allowed_image_domains.value)
    .bind(patch.metadata)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn delete(
    store: &PostgresStore,
    user: &UserId,
    id: ThreadId,
) -> Result<Option<ThreadRecord>> {
    let user = user.clone();
    store
        .transactions
        .run(move |connection| {
            Box::pin(async move {
                if !lock(connection, &user, id).await? {
                    return Ok(None);
                }
                let thread = expect(connection, id).await?;
                // A foreign key of the older system may not cascade.
                sqlx::query("DELETE FROM message WHERE conversation_id = $1")
                    .bind(id.as_uuid())
                    .execute(&mut *connection)
                    .await?;
                // Everything else goes with it, by its foreign keys.
                sqlx::query("DELETE FROM conversation WHERE id = $1")
                    .bind(id.as_uuid())
                    .execute(connection)
                    .await?;
                Ok(Some(thread))
            })
        })
        .await
}
