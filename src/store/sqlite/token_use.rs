//! Tokens used by day, the rows of `token_use`.

use serde::Serialize;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::{SqliteStore, given::given};
use crate::{
    protocol::UserId,
    store::{
        Result, encode,
        record::{Day, RunWrite, TokensUsed},
    },
};

pub(super) async fn find(store: &SqliteStore, user: &UserId, day: Day) -> Result<TokensUsed> {
    let rows = sqlx::query(
        "SELECT user_id, tokens
        FROM token_use
        WHERE day = ?1
            AND user_id IN (?2, '')",
    )
    .bind(day.to_string())
    .bind(user.as_str())
    .fetch_all(&store.readers)
    .await?;
    let mut tokens = TokensUsed::default();
    for row in rows {
        tokens.add(row.try_get("user_id")?, row.try_get("tokens")?);
    }
    Ok(tokens)
}

/// What a run used, for `json_each`.
#[derive(Serialize)]
struct GivenUse {
    run_id: Uuid,
    day: String,
    tokens: i64,
}

/// Adds what runs used to their users' day, and to that of all.
pub(super) async fn add(connection: &mut SqliteConnection, held: &[&RunWrite]) -> Result<()> {
    let given: Vec<_> = held
        .iter()
        .filter_map(|write| Some((write, write.tokens_used?)))
        .map(|(write, tokens)| GivenUse {
            run_id: write.run_id.as_uuid(),
            day: Day::of(write.now).to_string(),
            tokens: encode::integer(tokens),
        })
        .collect();
    if given.is_empty() {
        return Ok(());
    }
    // `WHERE true` tells the parser that ON CONFLICT is no join condition.
    sqlx::query(concat!(
        given!(),
        "INSERT INTO token_use (day, user_id, tokens)
        SELECT
            given.value ->> 'day',
            CASE counted.with_all WHEN 1 THEN '' ELSE run.user_id END AS user_id,
            sum(given.value ->> 'tokens')
        FROM given
        JOIN run ON run.id = (given.value ->> 'run_id')
        CROSS JOIN (SELECT 0 AS with_all UNION ALL SELECT 1) AS counted
        WHERE true
        GROUP BY 1, 2
        ON CONFLICT (day, user_id) DO UPDATE
        SET tokens = token_use.tokens + excluded.tokens"
    ))
    .bind(encode::json(&given))
    .execute(connection)
    .await?;
    Ok(())
}
