//! Writing for runs: checkpoints, boundaries and ends, many in one transaction and each kind of
//! row in one statement, so that a thousand live runs cost a handful of statements.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sqlx::{PgConnection, types::time::OffsetDateTime};
use uuid::Uuid;

use super::{PostgresStore, item_writes, threads, token_use};
use crate::store::{
    Result, decode, encode,
    group::{Placed, Slice, waves, write_group},
    record::{RunWrite, ToolCallRecord, WriteOutcome},
};

pub(super) async fn write(
    store: &PostgresStore,
    writes: Vec<RunWrite>,
) -> Result<Vec<WriteOutcome>> {
    write_group(writes, |slice| write_slice(store, slice)).await
}

async fn write_slice(store: &PostgresStore, slice: Slice) -> Result<Vec<WriteOutcome>> {
    store
        .run_transactions
        .run(move |connection| {
            Box::pin(async move {
                let writes = slice.writes();
                lock_threads(connection, writes).await?;
                let mut outcomes = vec![WriteOutcome::LeaseLost; writes.len()];
                for wave in waves(writes) {
                    write_wave(connection, &wave, &mut outcomes).await?;
                }
                Ok(outcomes)
            })
        })
        .await
}

async fn write_wave(
    connection: &mut PgConnection,
    wave: &[Placed<'_>],
    outcomes: &mut [WriteOutcome],
) -> Result<()> {
    let renewed = renew(connection, wave).await?;
    let (held, lost): (Vec<Placed<'_>>, Vec<Placed<'_>>) =
        wave.iter().partition(|(_, write)| renewed.contains(&write.run_id.as_uuid()));
    let repeated = find_repeated_ends(connection, &lost).await?;
    for (place, write) in wave {
        let run_id = write.run_id.as_uuid();
        if renewed.contains(&run_id) || repeated.contains(&run_id) {
            outcomes[*place] = WriteOutcome::Written;
        }
    }
    let held: Vec<&RunWrite> = held.into_iter().map(|(_, write)| write).collect();
    insert_events(connection, &held).await?;
    write_items(connection, &held).await?;
    put_tool_calls(connection, &held).await?;
    token_use::add(connection, &held).await?;
    for write in held.into_iter().filter(|write| !write.thread.is_empty()) {
        threads::apply_patch(connection, write.thread_id, write.thread.clone(), write.now).await?;
    }
    Ok(())
}

/// All threads that change, before the first run and by id: the order of locks that the module
/// above sets.
async fn lock_threads(connection: &mut PgConnection, writes: &[RunWrite]) -> Result<()> {
    let changed: BTreeSet<Uuid> = writes
        .iter()
        .filter(|write| {
            !(write.items.is_empty() && write.removed.is_empty() && write.thread.is_empty())
        })
        .map(|write| write.thread_id.as_uuid())
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "SELECT id
        FROM conversation
        WHERE id = ANY ($1)
        ORDER BY id
        FOR NO KEY UPDATE",
    )
    .bind(changed.into_iter().collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Renews the leases and moves the statuses of the runs whose lease is still the writer's; answers
/// which those are.
async fn renew(connection: &mut PgConnection, wave: &[Placed<'_>]) -> Result<HashSet<Uuid>> {
    let ends = || wave.iter().map(|(_, write)| write.end.as_ref());
    let rows = sqlx::query(
        "UPDATE run
        SET lease_until = now() + given.ttl * interval '1 microsecond',
            status = given.status,
            error = given.error::json,
            usage = given.usage::json,
            ended_at = given.ended_at,
            resume_point = CASE
                WHEN given.ended_at IS NULL THEN coalesce(given.resume_point, run.resume_point)
            END
        FROM unnest(
            $1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[],
            $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::text[]
        ) AS given (
            id, conversation_id, token, ttl, status, error, usage, ended_at, resume_point
        )
        WHERE run.id = given.id
            AND run.conversation_id = given.conversation_id
            AND run.lease_token = given.token
            AND run.status IN ('queued', 'running')
        RETURNING run.id",
    )
    .bind(column(wave, |write| write.run_id.as_uuid()))
    .bind(column(wave, |write| write.thread_id.as_uuid()))
    .bind(column(wave, |write| write.lease.token))
    .bind(column(wave, |write| encode::micros(write.lease.ttl)))
    .bind(ends().map(encode::status_after).collect::<Vec<_>>())
    .bind(
        ends()
            .map(|end| end.and_then(|end| encode::optional_json(end.error.as_ref())))
            .collect::<Vec<_>>(),
    )
    .bind(
        ends()
            .map(|end| end.and_then(|end| encode::optional_json(end.usage.as_ref())))
            .collect::<Vec<_>>(),
    )
    .bind(column(wave, |write| write.end.as_ref().map(|_| OffsetDateTime::from(write.now))))
    .bind(column(wave, |write| encode::optional_text(write.resume_point.clone())))
    .fetch_all(connection)
    .await?;
    rows.iter().map(decode::run_id).collect()
}

/// Whose very end is stored already. A writer whose commit was answered by a broken connection
/// writes again, and must not take its own success for a lost lease.
async fn find_repeated_ends(
    connection: &mut PgConnection,
    lost: &[Placed<'_>],
) -> Result<HashSet<Uuid>> {
    let ends: Vec<Placed<'_>> =
        lost.iter().filter(|(_, write)| write.end.is_some()).copied().collect();
    if ends.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = sqlx::query(
        "SELECT run.id
        FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::timestamptz[])
            AS given (id, token, status, ended_at)
        JOIN run ON run.id = given.id
        WHERE run.lease_token = given.token
            AND run.status = given.status
            AND run.ended_at = given.ended_at",
    )
    .bind(column(&ends, |write| write.run_id.as_uuid()))
    .bind(column(&ends, |write| write.lease.token))
    .bind(column(&ends, |write| encode::status_after(write.end.as_ref())))
    .bind(column(&ends, |write| OffsetDateTime::from(write.now)))
    .fetch_all(connection)
    .await?;
    rows.iter().map(decode::run_id).collect()
}

async fn insert_events(connection: &mut PgConnection, held: &[&RunWrite]) -> Result<()> {
    let chunks: Vec<_> = held
        .iter()
        .filter_map(|write| Some((write.run_id.as_uuid(), write.events.as_ref()?)))
        .collect();
    if chunks.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO run_event (run_id, first_seq, last_seq, payload)
        SELECT given.run_id, given.first_seq, given.last_seq, given.payload
        FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[])
            AS given (run_id, first_seq, last_seq, payload)
        ON CONFLICT (run_id, last_seq) DO UPDATE
        SET first_seq = excluded.first_seq,
            payload = excluded.payload",
    )
    .bind(chunks.iter().map(|(run_id, _)| *run_id).collect::<Vec<_>>())
    .bind(chunks.iter().map(|(_, chunk)| encode::integer(chunk.first_seq)).collect::<Vec<_>>())
    .bind(chunks.iter().map(|(_, chunk)| encode::integer(chunk.last_seq)).collect::<Vec<_>>())
    .bind(chunks.iter().map(|(_, chunk)| encode::text(chunk.payload.as_str())).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn write_items(connection: &mut PgConnection, held: &[&RunWrite]) -> Result<()> {
    let times = held.iter().map(|write| (write.thread_id.as_uuid(), write.now)).collect();
    let removed: Vec<_> = held
        .iter()
        .flat_map(|write| write.removed.iter().map(|item_id| (write.thread_id, *item_id)))
        .collect();
    let rows = held
        .iter()
        .flat_map(|write| {
            let run_id = write.run_id.as_uuid();
            encode::written_items(write.thread_id, &write.items, &write.removed, run_id)
        })
        .collect();
    item_writes::remove(connection, &removed, &times).await?;
    item_writes::put(connection, rows, &times).await
}

async fn put_tool_calls(connection: &mut PgConnection, held: &[&RunWrite]) -> Result<()> {
    // Keyed, because a write may hold a call twice, begun and ended: the later one counts.
    let calls: BTreeMap<(Uuid, u32), &ToolCallRecord> = held
        .iter()
        .flat_map(|write| &write.tool_calls)
        .map(|call| ((call.run_id.as_uuid(), call.position), call))
        .collect();
    let calls: Vec<&ToolCallRecord> = calls.into_values().collect();
    if calls.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO tool_call (
            run_id, position, turn, item_id, call_id, name, arguments, state, output
        )
        SELECT
            given.run_id,
            given.position,
            given.turn,
            given.item_id,
            given.call_id,
            given.name,
            given.arguments,
            given.state,
            given.output
        FROM unnest(
            $1::uuid[], $2::bigint[], $3::bigint[], $4::uuid[],
            $5::text[], $6::text[], $7::text[], $8::text[], $9::text[]
        ) AS given (run_id, position, turn, item_id, call_id, name, arguments, state, output)
        ON CONFLICT (run_id, position) DO UPDATE
        SET turn = excluded.turn,
            item_id = excluded.item_id,
            call_id = excluded.call_id,
            name = excluded.name,
            arguments = excluded.arguments,
            state = excluded.state,
            output = excluded.output",
    )
    .bind(call_column(&calls, |call| call.run_id.as_uuid()))
    .bind(call_column(&calls, |call| i64::from(call.position)))
    .bind(call_column(&calls, |call| i64::from(call.turn)))
    .bind(call_column(&calls, |call| call.item_id.as_uuid()))
    .bind(call_column(&calls, |call| encode::text(call.call_id.as_str())))
    .bind(call_column(&calls, |call| encode::text(call.name.as_str())))
    .bind(call_column(&calls, |call| encode::text(call.arguments.as_str())))
    .bind(call_column(&calls, |call| call.state.as_str()))
    .bind(call_column(&calls, |call| encode::optional_text(call.output.clone())))
    .execute(connection)
    .await?;
    Ok(())
}

/// One column of many writes, for `unnest`.
fn column<T>(writes: &[Placed<'_>], value: impl Fn(&RunWrite) -> T) -> Vec<T> {
    writes.iter().map(|(_, write)| value(write)).collect()
}

/// One column of many tool calls, for `unnest`.
fn call_column<T>(calls: &[&ToolCallRecord], value: impl Fn(&ToolCallRecord) -> T) -> Vec<T> {
    calls.iter().map(|call| value(call)).collect()
}
