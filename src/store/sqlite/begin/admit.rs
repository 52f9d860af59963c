//! Whether a run may begin: its key is new, and its thread is the user's and has no run.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::{Row, SqliteConnection};

use super::super::{SqliteStore, threads};
use crate::{
    protocol::{ThreadId, UserId},
    store::{
        Result, decode, encode,
        record::{Begun, IdempotencyKey, NewRun, RunThread, ThreadRecord},
    },
};

/// A run that may begin.
pub(super) struct Admitted<'r> {
    pub(super) run: &'r NewRun,
    /// The thread as it is; absent when it is made with the run.
    pub(super) thread: Option<ThreadRecord>,
}

/// Admits runs or refuses them, each in its place. A key that was used comes before everything
/// else: whoever repeats a request is to find its run, not that the thread is busy with it.
pub(super) async fn admit<'r>(
    connection: &mut SqliteConnection,
    runs: &[&'r NewRun],
) -> Result<Vec<Result<Admitted<'r>, Begun>>> {
    let mut used = find_used_keys(connection, runs).await?;
    let mut found = find_threads(connection, runs).await?;
    let admission = |(place, run): (usize, &&'r NewRun)| {
        if let Some(begun) = used.remove(&place) {
            return Err(begun);
        }
        let id = match &run.thread {
            RunThread::New(_) => return Ok(Admitted { run, thread: None }),
            RunThread::Existing(id) => id,
        };
        match found.remove(id).filter(|thread| thread.user_id == run.user_id) {
            None => Err(Begun::NotFound),
            Some(ThreadRecord { active_run_id: Some(active), .. }) => Err(Begun::Busy(active)),
            thread => Ok(Admitted { run, thread }),
        }
    };
    Ok(runs.iter().enumerate().map(admission).collect())
}

/// A key, for `json_each`.
#[derive(Serialize)]
struct GivenKey<'r> {
    place: usize,
    user_id: &'r str,
    route: String,
    key: String,
    not_before: i64,
}

/// What the runs' keys were used for, by the runs' places.
async fn find_used_keys(
    connection: &mut SqliteConnection,
    runs: &[&NewRun],
) -> Result<HashMap<usize, Begun>> {
    let keys: HashMap<usize, &IdempotencyKey> = runs
        .iter()
        .enumerate()
        .filter_map(|(place, run)| Some((place, run.idempotency.as_ref()?)))
        .collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let given: Vec<_> = keys
        .iter()
        .map(|(&place, key)| GivenKey {
            place,
            user_id: runs[place].user_id.as_str(),
            route: encode::text(key.route.as_str()),
            key: encode::text(key.key.as_str()),
            not_before: key.not_before.as_micros(),
        })
        .collect();
    let rows = sqlx::query(
        "SELECT given.value ->> 'place' AS place, used.fingerprint, used.run_id, used.conversation_id
        FROM json_each(?) AS given
        CROSS JOIN idempotency_key AS used
            ON used.user_id = (given.value ->> 'user_id')
            AND used.route = (given.value ->> 'route')
            AND used.key = (given.value ->> 'key')
        WHERE used.created_at >= (given.value ->> 'not_before')",
    )
    .bind(encode::json(&given))
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let place = usize::try_from(row.try_get::<i64, _>("place")?).unwrap_or(usize::MAX);
            Ok((place, decode::used_key(row)?.answer(keys[&place])))
        })
        .collect()
}

async fn find_threads(
    connection: &mut SqliteConnection,
    runs: &[&NewRun],
) -> Result<HashMap<ThreadId, ThreadRecord>> {
    let existing = |run: &&NewRun| match run.thread {
        RunThread::New(_) => None,
        RunThread::Existing(id) => Some(id),
    };
    let ids: Vec<ThreadId> = runs.iter().filter_map(existing).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let threads = threads::find_all(connection, ids).await?;
    Ok(threads.into_iter().map(|thread| (thread.id, thread)).collect())
}

/// What a key that is still good was used for.
pub(in crate::store::sqlite) async fn find_keyed_run(
    store: &SqliteStore,
    user: &UserId,
    key: &IdempotencyKey,
) -> Result<Option<Begun>> {
    let row = sqlx::query(
        "SELECT fingerprint, run_id, conversation_id
        FROM idempotency_key
        WHERE user_id = ?1
            AND route = ?2
            AND key = ?3
            AND created_at >= ?4",
    )
    .bind(user.as_str())
    .bind(encode::text(key.route.as_str()))
    .bind(encode::text(key.key.as_str()))
    .bind(key.not_before.as_micros())
    .fetch_optional(&store.readers)
    .await?;
    row.map(|row| Ok(decode::used_key(&row)?.answer(key))).transpose()
}
