//! Writing what admitted runs begin with: their threads where those are new, their items, their keys
//! and themselves, each kind of row in one statement for all of them.

use std::collections::HashSet;

use serde::Serialize;
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::{
    super::{
        given::given,
        item_writes::{self, NewRow, NewRows, Placement, Times},
        items, waiting_calls,
    },
    admit::Admitted,
};
use crate::{
    protocol::ThreadId,
    store::{
        Result,
        encode::{self, MessageRow},
        record::{IdempotencyKey, NewRun, NewThread, RunThread, ThreadRecord},
    },
};

/// Answers the threads as they are then, in the order of the runs.
pub(super) async fn start(
    connection: &mut SqliteConnection,
    admitted: Vec<Admitted<'_>>,
) -> Result<Vec<ThreadRecord>> {
    let mut beginnings = Beginnings::default();
    let mut added = place_in_existing(connection, &admitted).await?;
    beginnings.items.append(&mut added.new_rows);
    let mut threads = Vec::with_capacity(admitted.len());
    for Admitted { run, thread } in admitted {
        let thread = match (thread, &run.thread) {
            (None, RunThread::New(new)) => beginnings.add_thread(run, new),
            (Some(thread), _) => changed(thread, run, &added),
            (None, RunThread::Existing(_)) => unreachable!("a thread is admitted as it was found"),
        };
        beginnings.add_run(run);
        threads.push(thread);
    }
    beginnings.insert(connection).await?;
    Ok(threads)
}

/// Finds places for the items of threads that are there, and gives up what their users do not wait
/// for any more.
async fn place_in_existing(
    connection: &mut SqliteConnection,
    admitted: &[Admitted<'_>],
) -> Result<Placement> {
    let runs: Vec<&NewRun> =
        admitted.iter().filter(|one| one.thread.is_some()).map(|one| one.run).collect();
    let times: Times = runs.iter().map(|run| (run.thread.id().as_uuid(), run.now)).collect();
    let mut rows: Vec<MessageRow> = runs.iter().flat_map(|run| rows_of(run)).collect();
    let left: Vec<ThreadId> =
        runs.iter().filter(|run| run.abandon_calls).map(|run| run.thread.id()).collect();
    if !left.is_empty() {
        let mut asking = items::pending_calls(connection, &left).await?;
        asking.extend(waiting_calls::give_up(connection, &left).await?);
        let replaced: HashSet<Uuid> = rows.iter().map(|row| row.id).collect();
        let given_up = encode::given_up(asking).into_iter();
        rows.extend(given_up.filter(|row| !replaced.contains(&row.id)));
    }
    item_writes::place(connection, rows, &times).await
}

fn rows_of(run: &NewRun) -> Vec<MessageRow> {
    encode::complete_items(run.thread.id(), &run.items, Some(run.id.as_uuid()))
}

/// A thread that was there, as its run has left it.
fn changed(thread: ThreadRecord, run: &NewRun, added: &Placement) -> ThreadRecord {
    let change = added.changes.get(&thread.id.as_uuid());
    let visible = change.map_or(0, |change| change.visible);
    ThreadRecord {
        updated_at: change.map_or(thread.updated_at, |_| run.now),
        message_count: thread.message_count.saturating_add_signed(visible),
        active_run_id: Some(run.id),
        ..thread
    }
}

/// A thread, for `json_each`.
#[derive(Serialize)]
struct GivenThread<'r> {
    id: Uuid,
    user_id: &'r str,
    title: Option<String>,
    now: i64,
    message_count: u64,
    last_seq: i64,
}

/// A run, for `json_each`.
#[derive(Serialize)]
struct GivenRun<'r> {
    id: Uuid,
    conversation_id: Uuid,
    user_id: &'r str,
    owner: &'r str,
    token: i64,
    ttl: i64,
    now: i64,
}

/// A key, for `json_each`.
#[derive(Serialize)]
struct GivenKey<'r> {
    user_id: &'r str,
    route: String,
    key: String,
    /// Hexadecimal.
    fingerprint: String,
    run_id: Uuid,
    conversation_id: Uuid,
    now: i64,
}

impl<'r> GivenKey<'r> {
    fn new(run: &'r NewRun, key: &IdempotencyKey) -> Self {
        Self {
            user_id: run.user_id.as_str(),
            route: encode::text(key.route.as_str()),
            key: encode::text(key.key.as_str()),
            fingerprint: encode::hex(&key.fingerprint),
            run_id: run.id.as_uuid(),
            conversation_id: run.thread.id().as_uuid(),
            now: run.now.as_micros(),
        }
    }
}

/// The rows that runs begin with.
#[derive(Default)]
struct Beginnings<'r> {
    threads: Vec<GivenThread<'r>>,
    runs: Vec<GivenRun<'r>>,
    keys: Vec<GivenKey<'r>>,
    items: Vec<NewRow>,
}

impl<'r> Beginnings<'r> {
    /// The thread as it will be.
    fn add_thread(&mut self, run: &NewRun, thread: &'r NewThread) -> ThreadRecord {
        let rows = rows_of(run);
        let visible = rows.iter().filter(|row| row.is_visible).count();
        let record = encode::begun_thread(thread, visible, run.id);
        let given = GivenThread {
            id: thread.id.as_uuid(),
            user_id: thread.user_id.as_str(),
            title: record.title.clone(),
            now: thread.now.as_micros(),
            message_count: record.message_count,
            last_seq: i64::try_from(rows.len()).unwrap_or(i64::MAX),
        };
        self.threads.push(given);
        self.items.extend(rows.into_iter().zip(1..).map(|(row, seq)| NewRow { row, seq }));
        record
    }

    fn add_run(&mut self, run: &'r NewRun) {
        self.runs.push(GivenRun {
            id: run.id.as_uuid(),
            conversation_id: run.thread.id().as_uuid(),
            user_id: run.user_id.as_str(),
            owner: run.lease.owner.as_str(),
            token: run.lease.token,
            ttl: encode::micros(run.lease.ttl),
            now: run.now.as_micros(),
        });
        self.keys.extend(run.idempotency.as_ref().map(|key| GivenKey::new(run, key)));
    }

    /// One query for all of it: each is two changes of thread, to the database's and back.
    async fn insert(self, connection: &mut SqliteConnection) -> Result<()> {
        let items = NewRows::new(&self.items);
        // The parameters are numbered on from statement to statement, as long as they have no
        // numbers of their own.
        sqlx::query(concat!(
            given!(),
            "INSERT INTO conversation (
                id, user_id, title, created_at, updated_at, message_count, last_seq
            )
            SELECT
                given.value ->> 'id',
                given.value ->> 'user_id',
                given.value ->> 'title',
                given.value ->> 'now',
                given.value ->> 'now',
                given.value ->> 'message_count',
                given.value ->> 'last_seq'
            FROM given;",
            given!(),
            "INSERT INTO run (
                id, conversation_id, user_id, status, lease_owner, lease_token, lease_until,
                created_at
            )
            SELECT
                given.value ->> 'id',
                given.value ->> 'conversation_id',
                given.value ->> 'user_id',
                'running',
                given.value ->> 'owner',
                given.value ->> 'token',
                CAST(unixepoch('subsec') * 1000000 AS INTEGER) + (given.value ->> 'ttl'),
                given.value ->> 'now'
            FROM given;",
            given!(),
            "INSERT INTO idempotency_key (
                user_id, route, key, fingerprint, run_id, conversation_id, created_at
            )
            SELECT
                given.value ->> 'user_id',
                given.value ->> 'route',
                given.value ->> 'key',
                unhex(given.value ->> 'fingerprint'),
                given.value ->> 'run_id',
                given.value ->> 'conversation_id',
                given.value ->> 'now'
            FROM given
            WHERE true
            ON CONFLICT (user_id, route, key) DO UPDATE
            SET fingerprint = excluded.fingerprint,
                run_id = excluded.run_id,
                conversation_id = excluded.conversation_id,
                created_at = excluded.created_at;",
            item_writes::insert_messages!()
        ))
        .bind(encode::json(&self.threads))
        .bind(encode::json(&self.runs))
        .bind(encode::json(&self.keys))
        .bind(items.rows)
        .bind(items.texts)
        .execute(connection)
        .await?;
        Ok(())
    }
}
