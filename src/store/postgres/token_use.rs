//! Tokens used by day, the rows of `token_use`.

use sqlx::{PgConnection, Row, types::time::Date};
use uuid::Uuid;

use super::PostgresStore;
use crate::{
    protocol::UserId,
    store::{
        Result, encode,
        record::{Day, RunWrite, TokensUsed},
    },
};

pub(super) async fn find(store: &PostgresStore, user: &UserId, day: Day) -> Result<TokensUsed> {
    let rows = sqlx::query(
        "SELECT user_id, tokens
        FROM token_use
        WHERE day = $1
            AND user_id IN ($2, '')",
    )
    .bind(Date::from(day))
    .bind(user.as_str())
    .fetch_all(&store.pool)
    .await?;
    let mut tokens = TokensUsed::default();
    for row in rows {
        tokens.add(row.try_get("user_id")?, row.try_get("tokens")?);
    }
    Ok(tokens)
}

/// Adds what runs used to their users' day, and to that of all. By name, in the same order for every
/// instance: the rows are locked until the commit.
pub(super) async fn add(connection: &mut PgConnection, held: &[&RunWrite]) -> Result<()> {
    let given: Vec<(&RunWrite, u64)> =
        held.iter().filter_map(|write| Some((*write, write.tokens_used?))).collect();
    if given.is_empty() {
        return Ok(());
    }
    let run_ids: Vec<Uuid> = given.iter().map(|(write, _)| write.run_id.as_uuid()).collect();
    let days: Vec<Date> = given.iter().map(|(write, _)| Day::of(write.now).into()).collect();
    let tokens: Vec<i64> = given.iter().map(|(_, tokens)| encode::integer(*tokens)).collect();
    sqlx::query(
        "INSERT INTO token_use (day, user_id, tokens)
        SELECT given.day, counted.user_id, sum(given.tokens)::bigint
        FROM unnest($1::uuid[], $2::date[], $3::bigint[]) AS given (run_id, day, tokens)
        JOIN run ON run.id = given.run_id
        CROSS JOIN LATERAL (VALUES (run.user_id), ('')) AS counted (user_id)
        GROUP BY given.day, counted.user_id
        ORDER BY given.day, counted.user_id
        ON CONFLICT (day, user_id) DO UPDATE
        SET tokens = token_use.tokens + excluded.tokens",
    )
    .bind(run_ids)
    .bind(days)
    .bind(tokens)
    .execute(connection)
    .await?;
    Ok(())
}
