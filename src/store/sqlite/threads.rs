//! Threads, the rows of `conversation`.

use sqlx::{SqliteConnection, SqliteExecutor};

use super::{Key, SqliteStore, key_list};
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
            c.status,
            c.allowed_image_domains,
            c.metadata,
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

pub(super) async fn insert(store: &SqliteStore, thread: NewThread) -> Result<ThreadRecord> {
    store
        .writer
        .write(move |connection| {
            Box::pin(async move {
                insert_row(connection, &thread).await?;
                expect(connection, thread.id).await
            })
        })
        .await
}

async fn insert_row(connection: &mut SqliteConnection, thread: &NewThread) -> Result<()> {
    sqlx::query(
        "INSERT INTO conversation (id, user_id, title, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?4)",
    )
    .bind(thread.id.key())
    .bind(thread.user_id.as_str())
    .bind(encode::optional_text(thread.title.clone()))
    .bind(thread.now.as_micros())
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn find(
    executor: impl SqliteExecutor<'_>,
    user: &UserId,
    id: ThreadId,
) -> Result<Option<ThreadRecord>> {
    sqlx::query(concat!(select_threads!(), "WHERE c.id = ?1 AND c.user_id = ?2"))
        .bind(id.key())
        .bind(user.as_str())
        .fetch_optional(executor)
        .await?
        .as_ref()
        .map(decode::thread)
        .transpose()
}

/// Threads, whoever's they are, in any order.
pub(super) async fn find_all(
    connection: &mut SqliteConnection,
    ids: Vec<ThreadId>,
) -> Result<Vec<ThreadRecord>> {
    let rows =
        sqlx::query(concat!(select_threads!(), "WHERE c.id IN (SELECT value FROM json_each(?1))"))
            .bind(key_list(ids))
            .fetch_all(connection)
            .await?;
    rows.iter().map(decode::thread).collect()
}

/// A thread that this transaction has just written.
pub(super) async fn expect(
    connection: &mut SqliteConnection,
    id: ThreadId,
) -> Result<ThreadRecord> {
    let row = sqlx::query(concat!(select_threads!(), "WHERE c.id = ?1"))
        .bind(id.key())
        .fetch_one(connection)
        .await?;
    decode::thread(&row)
}

pub(super) async fn list(
    store: &SqliteStore,
    user: &UserId,
    archived: Option<bool>,
    page: PageQuery<ThreadId>,
) -> Result<Option<Page<ThreadRecord>>> {
    macro_rules! list_sql {
        ($beyond:literal, $direction:literal) => {
            concat!(
                select_threads!(),
                "WHERE c.user_id = ?1
                    AND (?2 IS NULL OR (c.archived_at IS NOT NULL) = ?2)
                    AND (?3 IS NULL OR (c.updated_at, c.id) ",
                $beyond,
                " (?3, ?4))
                ORDER BY c.updated_at ",
                $direction,
                ", c.id ",
                $direction,
                " LIMIT ?5"
            )
        };
    }
    let cursor = match page.after {
        None => None,
        Some(id) => match find(&store.readers, user, id).await? {
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
        .bind(cursor.as_ref().map(|thread| thread.updated_at.as_micros()))
        .bind(cursor.as_ref().map(|thread| thread.id.key()))
        .bind(encode::limit_and_one(page.limit))
        .fetch_all(&store.readers)
        .await?;
    let threads = rows.iter().map(decode::thread).collect::<Result<Vec<_>>>()?;
    Ok(Some(Page::from_rows(threads, page.limit, |thread| thread.id.to_string())))
}

pub(super) async fn update(
    store: &SqliteStore,
    user: &UserId,
    id: ThreadId,
    patch: ThreadPatch,
    now: Timestamp,
) -> Result<Option<ThreadRecord>> {
    let user = user.clone();
    store
        .writer
        .write(move |connection| {
            Box::pin(async move {
                if find(&mut *connection, &user, id).await?.is_none() {
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
    connection: &mut SqliteConnection,
    id: ThreadId,
    patch: ThreadPatch,
    now: Timestamp,
) -> Result<()> {
    let patch = PatchColumns::from(patch);
    sqlx::query(
        "UPDATE conversation
        SET updated_at = ?2,
            title = CASE WHEN ?3 THEN ?4 ELSE title END,
            archived_at = CASE WHEN ?5 THEN ?6 ELSE archived_at END,
            status = coalesce(?7, status),
            allowed_image_domains = CASE WHEN ?8 THEN ?9 ELSE allowed_image_domains END,
            metadata = coalesce(?10, metadata)
        WHERE id = ?1",
    )
    .bind(id.key())
    .bind(now.as_micros())
    .bind(patch.title.is_set)
    .bind(patch.title.value)
    .bind(patch.archived_at.is_set)
    .bind(patch.archived_at.value.map(Timestamp::as_micros))
    .bind(patch.status)
    .bind(patch.allowed_image_domains.is_set)
    .bind(patch.allowed_image_domains.value)
    .bind(patch.metadata)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn delete(
    store: &SqliteStore,
    user: &UserId,
    id: ThreadId,
) -> Result<Option<ThreadRecord>> {
    let user = user.clone();
    store
        .writer
        .write(move |connection| {
            Box::pin(async move {
                let thread = find(&mut *connection, &user, id).await?;
                if thread.is_some() {
                    // Everything else goes with it, by its foreign keys.
                    sqlx::query("DELETE FROM conversation WHERE id = ?1")
                        .bind(id.key())
                        .execute(connection)
                        .await?;
                }
                Ok(thread)
            })
        })
        .await
}
