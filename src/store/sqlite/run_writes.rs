//! Writing for runs: checkpoints, boundaries and ends, many in one transaction.

use sqlx::SqliteConnection;

use super::{Key, SqliteStore, item_writes, threads};
use crate::{
    protocol::RunId,
    store::{
        Result, encode,
        record::{EventChunk, RunWrite, ToolCallRecord, WriteOutcome},
    },
};

/// One write fails alone: its own savepoint is rolled back, the others are committed.
pub(super) async fn write(store: &SqliteStore, writes: Vec<RunWrite>) -> Result<Vec<WriteOutcome>> {
    store
        .writer
        .write(move |connection| {
            Box::pin(async move {
                let mut outcomes = Vec::with_capacity(writes.len());
                for write in writes {
                    outcomes.push(write_alone(connection, write).await?);
                }
                Ok(outcomes)
            })
        })
        .await
}

async fn write_alone(connection: &mut SqliteConnection, write: RunWrite) -> Result<WriteOutcome> {
    let run_id = write.run_id;
    sqlx::query("SAVEPOINT one_run").execute(&mut *connection).await?;
    let outcome = match write_one(connection, write).await {
        Err(error) if error.is_unavailable() => return Err(error),
        Err(error) => {
            tracing::error!(run.id = %run_id, error = %error, source = ?error, "write refused");
            sqlx::query("ROLLBACK TO one_run").execute(&mut *connection).await?;
            WriteOutcome::Refused
        }
        Ok(outcome) => outcome,
    };
    sqlx::query("RELEASE one_run").execute(connection).await?;
    Ok(outcome)
}

async fn write_one(connection: &mut SqliteConnection, write: RunWrite) -> Result<WriteOutcome> {
    if !renew(connection, &write).await? {
        let is_repeated = was_ended_by(connection, &write).await?;
        return Ok(if is_repeated { WriteOutcome::Written } else { WriteOutcome::LeaseLost });
    }
    let RunWrite { run_id, thread_id, now, .. } = write;
    if let Some(events) = write.events {
        insert_events(connection, run_id, events).await?;
    }
    let rows = encode::written_items(thread_id, &write.items, &write.removed, run_id.as_uuid());
    item_writes::remove(connection, thread_id, &write.removed, now).await?;
    item_writes::put(connection, rows, now).await?;
    for call in write.tool_calls {
        put_tool_call(connection, run_id, call).await?;
    }
    if !write.thread.is_empty() {
        threads::apply_patch(connection, thread_id, write.thread, now).await?;
    }
    Ok(WriteOutcome::Written)
}

/// Renews the lease and moves the status, if the lease is still the writer's.
async fn renew(connection: &mut SqliteConnection, write: &RunWrite) -> Result<bool> {
    let end = write.end.as_ref();
    let renewed = sqlx::query(
        "UPDATE run
        SET lease_until = CAST(unixepoch('subsec') * 1000000 AS INTEGER) + ?3,
            status = ?4,
            error = ?5,
            usage = ?6,
            ended_at = ?7
        WHERE id = ?1
            AND lease_token = ?2
            AND conversation_id = ?8
            AND status IN ('queued', 'running')",
    )
    .bind(write.run_id.key())
    .bind(write.lease.token)
    .bind(encode::micros(write.lease.ttl))
    .bind(encode::status_after(end))
    .bind(end.and_then(|end| encode::optional_json(end.error.as_ref())))
    .bind(end.and_then(|end| encode::optional_json(end.usage.as_ref())))
    .bind(end.map(|_| write.now.as_micros()))
    .bind(write.thread_id.key())
    .execute(connection)
    .await?;
    Ok(renewed.rows_affected() == 1)
}

/// Whether this very end is stored already. A writer whose commit was answered by a broken
/// connection writes again, and must not take its own success for a lost lease.
async fn was_ended_by(connection: &mut SqliteConnection, write: &RunWrite) -> Result<bool> {
    let Some(end) = &write.end else { return Ok(false) };
    let found = sqlx::query(
        "SELECT id
        FROM run
        WHERE id = ?1
            AND lease_token = ?2
            AND status = ?3
            AND ended_at = ?4",
    )
    .bind(write.run_id.key())
    .bind(write.lease.token)
    .bind(end.status.as_str())
    .bind(write.now.as_micros())
    .fetch_optional(connection)
    .await?;
    Ok(found.is_some())
}

async fn insert_events(
    connection: &mut SqliteConnection,
    run_id: RunId,
    events: EventChunk,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO run_event (run_id, first_seq, last_seq, payload)
        VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (run_id, last_seq) DO UPDATE
        SET first_seq = excluded.first_seq,
            payload = excluded.payload",
    )
    .bind(run_id.key())
    .bind(encode::integer(events.first_seq))
    .bind(encode::integer(events.last_seq))
    .bind(encode::text(events.payload))
    .execute(connection)
    .await?;
    Ok(())
}

async fn put_tool_call(
    connection: &mut SqliteConnection,
    run_id: RunId,
    call: ToolCallRecord,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO tool_call (
            run_id, position, turn, item_id, call_id, name, arguments, state, output
        )
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
        ON CONFLICT (run_id, position) DO UPDATE
        SET turn = excluded.turn,
            item_id = excluded.item_id,
            call_id = excluded.call_id,
            name = excluded.name,
            arguments = excluded.arguments,
            state = excluded.state,
            output = excluded.output",
    )
    .bind(run_id.key())
    .bind(i64::from(call.position))
    .bind(i64::from(call.turn))
    .bind(call.item_id.key())
    .bind(encode::text(call.call_id))
    .bind(encode::text(call.name))
    .bind(encode::text(call.arguments))
    .bind(call.state.as_str())
    .bind(encode::optional_text(call.output))
    .execute(connection)
    .await?;
    Ok(())
}
