//! Login sessions, the rows of `chatkit_session`.

use sqlx::types::time::OffsetDateTime;

use super::PostgresStore;
use crate::{
    protocol::{Timestamp, UserId},
    store::{Result, decode, encode, record::SessionRecord},
};

pub(super) async fn insert(store: &PostgresStore, session: SessionRecord) -> Result<()> {
    store
        .transactions
        .run(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO chatkit_session (
                        sid, user_id, auth_time, current_jti, previous_jti, rotated_at, revoked_at
                    )
                    VALUES ($1, $2, $3, $4, $5, $6, $7)",
                )
                .bind(encode::text(session.sid))
                .bind(session.user_id.as_str())
                .bind(OffsetDateTime::from(session.auth_time))
                .bind(encode::text(session.current_jti))
                .bind(encode::optional_text(session.previous_jti))
                .bind(OffsetDateTime::from(session.rotated_at))
                .bind(session.revoked_at.map(OffsetDateTime::from))
                .execute(connection)
                .await?;
                Ok(())
            })
        })
        .await
}

pub(super) async fn find(store: &PostgresStore, sid: &str) -> Result<Option<SessionRecord>> {
    sqlx::query(
        "SELECT sid, user_id, auth_time, current_jti, previous_jti, rotated_at, revoked_at
        FROM chatkit_session
        WHERE sid = $1",
    )
    .bind(encode::text(sid))
    .fetch_optional(&store.pool)
    .await?
    .as_ref()
    .map(decode::session)
    .transpose()
}

pub(super) async fn rotate(
    store: &PostgresStore,
    sid: &str,
    expected: &str,
    next: &str,
    now: Timestamp,
) -> Result<bool> {
    let [sid, expected, next] = [sid, expected, next].map(encode::text);
    store
        .transactions
        .run(move |connection| {
            Box::pin(async move {
                let rotated = sqlx::query(
                    "UPDATE chatkit_session
                    SET previous_jti = current_jti,
                        current_jti = $3,
                        rotated_at = $4
                    WHERE sid = $1
                        AND current_jti = $2
                        AND revoked_at IS NULL",
                )
                .bind(sid)
                .bind(expected)
                .bind(next)
                .bind(OffsetDateTime::from(now))
                .execute(connection)
                .await?;
                Ok(rotated.rows_affected() == 1)
            })
        })
        .await
}

pub(super) async fn revoke(
    store: &PostgresStore,
    sid: &str,
    user: &UserId,
    now: Timestamp,
) -> Result<()> {
    let sid = encode::text(sid);
    let user = user.clone();
    store
        .transactions
        .run(move |connection| {
            Box::pin(async move {
                // The first revocation stands: those who poll for it have seen its time.
                sqlx::query(
                    "INSERT INTO chatkit_session (
                        sid, user_id, auth_time, current_jti, rotated_at, revoked_at
                    )
                    VALUES ($1, $2, $3, '', $3, $3)
                    ON CONFLICT (sid) DO UPDATE
                    SET revoked_at = coalesce(chatkit_session.revoked_at, excluded.revoked_at)
                    WHERE chatkit_session.user_id = excluded.user_id",
                )
                .bind(sid)
                .bind(user.as_str())
                .bind(OffsetDateTime::from(now))
                .execute(connection)
                .await?;
                Ok(())
            })
        })
        .await
}

pub(super) async fn list_revoked(store: &PostgresStore, since: Timestamp) -> Result<Vec<String>> {
    let rows = sqlx::query(
        "SELECT sid
        FROM chatkit_session
        WHERE revoked_at >= $1
        ORDER BY revoked_at, sid",
    )
    .bind(OffsetDateTime::from(since))
    .fetch_all(&store.pool)
    .await?;
    rows.iter().map(decode::sid).collect()
}
