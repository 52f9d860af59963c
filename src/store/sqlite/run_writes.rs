//! Writing for runs: checkpoints, boundaries and ends, many in one transaction and each kind of
//! row in one statement, so that a thousand live runs cost a handful of statements.

use std::collections::HashSet;

use serde::Serialize;
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::{
    Key, SqliteStore,
    given::{Span, Texts, given, text_at},
    item_writes, threads, token_use,
};
use crate::store::{
    Result, decode, encode,
    group::{Placed, Slice, waves, write_group},
    record::{RunWrite, ToolCallRecord, WriteOutcome},
};

pub(super) async fn write(store: &SqliteStore, writes: Vec<RunWrite>) -> Result<Vec<WriteOutcome>> {
    write_group(writes, |slice| write_slice(store, slice)).await
}

async fn write_slice(store: &SqliteStore, slice: Slice) -> Result<Vec<WriteOutcome>> {
    store
        .writer
        .write(move |connection| {
            Box::pin(async move {
                let writes = slice.writes();
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
    connection: &mut SqliteConnection,
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

/// A lease and the status after the write, for `json_each`.
#[derive(Serialize)]
struct Renewal {
    id: Uuid,
    conversation_id: Uuid,
    token: i64,
    ttl: i64,
    status: &'static str,
    error: Option<String>,
    usage: Option<String>,
    ended_at: Option<i64>,
    resume_point: Option<String>,
}

impl Renewal {
    fn new(write: &RunWrite) -> Self {
        let end = write.end.as_ref();
        Self {
            id: write.run_id.as_uuid(),
            conversation_id: write.thread_id.as_uuid(),
            token: write.lease.token,
            ttl: encode::micros(write.lease.ttl),
            status: encode::status_after(end),
            error: end.and_then(|end| encode::optional_json(end.error.as_ref())),
            usage: end.and_then(|end| encode::optional_json(end.usage.as_ref())),
            ended_at: end.map(|_| write.now.as_micros()),
            resume_point: encode::optional_text(write.resume_point.clone()),
        }
    }
}

/// Renews the leases and moves the statuses of the runs whose lease is still the writer's; answers
/// which those are.
async fn renew(connection: &mut SqliteConnection, wave: &[Placed<'_>]) -> Result<HashSet<Uuid>> {
    let given: Vec<_> = wave.iter().map(|(_, write)| Renewal::new(write)).collect();
    let rows = sqlx::query(concat!(
        given!(),
        "UPDATE run
        SET lease_until = CAST(unixepoch('subsec') * 1000000 AS INTEGER) + (given.value ->> 'ttl'),
            status = given.value ->> 'status',
            error = given.value ->> 'error',
            usage = given.value ->> 'usage',
            ended_at = given.value ->> 'ended_at',
            resume_point = CASE
                WHEN given.value ->> 'ended_at' IS NULL
                THEN coalesce(given.value ->> 'resume_point', run.resume_point)
            END
        FROM given
        WHERE run.id = (given.value ->> 'id')
            AND run.conversation_id = (given.value ->> 'conversation_id')
            AND run.lease_token = (given.value ->> 'token')
            AND run.status IN ('queued', 'running')
        RETURNING run.id"
    ))
    .bind(encode::json(&given))
    .fetch_all(connection)
    .await?;
    rows.iter().map(decode::run_id).collect()
}

/// Whose very end is stored already. A writer whose commit was answered by a broken connection
/// writes again, and must not take its own success for a lost lease.
async fn find_repeated_ends(
    connection: &mut SqliteConnection,
    lost: &[Placed<'_>],
) -> Result<HashSet<Uuid>> {
    let ends: Vec<_> = lost
        .iter()
        .filter(|(_, write)| write.end.is_some())
        .map(|(_, write)| Renewal::new(write))
        .collect();
    if ends.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = sqlx::query(
        "SELECT run.id
        FROM json_each(?1) AS given
        JOIN run ON run.id = (given.value ->> 'id')
        WHERE run.lease_token = (given.value ->> 'token')
            AND run.status = (given.value ->> 'status')
            AND run.ended_at = (given.value ->> 'ended_at')",
    )
    .bind(encode::json(&ends))
    .fetch_all(connection)
    .await?;
    rows.iter().map(decode::run_id).collect()
}

/// A stretch of events, for `json_each`; its text is beside it.
#[derive(Serialize)]
struct GivenChunk {
    run_id: Uuid,
    first_seq: i64,
    last_seq: i64,
    payload: Span,
}

async fn insert_events(connection: &mut SqliteConnection, held: &[&RunWrite]) -> Result<()> {
    let mut texts = Texts::default();
    let chunks: Vec<_> = held
        .iter()
        .filter_map(|write| Some((write.run_id.as_uuid(), write.events.as_ref()?)))
        .map(|(run_id, chunk)| GivenChunk {
            run_id,
            first_seq: encode::integer(chunk.first_seq),
            last_seq: encode::integer(chunk.last_seq),
            payload: texts.add(&encode::text(chunk.payload.as_str())),
        })
        .collect();
    if chunks.is_empty() {
        return Ok(());
    }
    // `WHERE true` tells the parser that ON CONFLICT is no join condition.
    sqlx::query(concat!(
        given!(),
        "INSERT INTO run_event (run_id, first_seq, last_seq, payload)
        SELECT
            given.value ->> 'run_id',
            given.value ->> 'first_seq',
            given.value ->> 'last_seq',
            ",
        text_at!("payload"),
        "
        FROM given
        CROSS JOIN (SELECT ? AS bytes) AS texts
        WHERE true
        ON CONFLICT (run_id, last_seq) DO UPDATE
        SET first_seq = excluded.first_seq,
            payload = excluded.payload"
    ))
    .bind(encode::json(&chunks))
    .bind(texts.into_bytes())
    .execute(connection)
    .await?;
    Ok(())
}

async fn write_items(connection: &mut SqliteConnection, held: &[&RunWrite]) -> Result<()> {
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

/// A statement for each call: calls are rare beside deltas.
async fn put_tool_calls(connection: &mut SqliteConnection, held: &[&RunWrite]) -> Result<()> {
    for write in held {
        for call in &write.tool_calls {
            put_tool_call(connection, call).await?;
        }
    }
    Ok(())
}

async fn put_tool_call(connection: &mut SqliteConnection, call: &ToolCallRecord) -> Result<()> {
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
    .bind(call.run_id.key())
    .bind(i64::from(call.position))
    .bind(i64::from(call.turn))
    .bind(call.item_id.key())
    .bind(encode::text(call.call_id.as_str()))
    .bind(encode::text(call.name.as_str()))
    .bind(encode::text(call.arguments.as_str()))
    .bind(call.state.as_str())
    .bind(encode::optional_text(call.output.clone()))
    .execute(connection)
    .await?;
    Ok(())
}
