//! Calls of tools that wait for the user.

use sqlx::SqliteConnection;

use super::{Key, items, key_list};
use crate::{
    protocol::ThreadId,
    store::{
        Result, decode, encode,
        record::{GIVEN_UP, ItemRecord, ToolCallRecord},
    },
};

/// Makes calls that wait what was decided about them. `false` when one of them waits no more.
pub(super) async fn decide(
    connection: &mut SqliteConnection,
    calls: &[ToolCallRecord],
) -> Result<bool> {
    for call in calls {
        let decided = sqlx::query(
            "UPDATE tool_call
            SET state = ?3,
                output = ?4
            WHERE run_id = ?1
                AND position = ?2
                AND state = 'waiting'",
        )
        .bind(call.run_id.key())
        .bind(i64::from(call.position))
        .bind(call.state.as_str())
        .bind(encode::optional_text(call.output.clone()))
        .execute(&mut *connection)
        .await?;
        if decided.rows_affected() != 1 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Gives up the calls of threads that wait. Answers the items that ask about them.
pub(super) async fn give_up(
    connection: &mut SqliteConnection,
    threads: &[ThreadId],
) -> Result<Vec<ItemRecord>> {
    // The condition of the index that finds them, word for word.
    let rows = sqlx::query(
        "UPDATE tool_call
        SET state = 'failed',
            output = ?2
        WHERE state = 'waiting'
            AND run_id IN (
                SELECT id
                FROM run
                WHERE conversation_id IN (SELECT value FROM json_each(?1))
            )
        RETURNING item_id",
    )
    .bind(key_list(threads.iter().copied()))
    .bind(GIVEN_UP)
    .fetch_all(&mut *connection)
    .await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let asking = rows.iter().map(decode::shown_in).collect::<Result<Vec<_>>>()?;
    items::find_some(connection, asking).await
}
