//! Accepting runs: everything that is promised once the client has its first event, in one
//! transaction. Runs that come while one is under way share the next (see `group`).

mod admit;
mod group;
mod start;

use std::collections::HashMap;

use sqlx::SqliteConnection;

use super::{SqliteStore, attachments, item_writes, items, threads, waiting_calls, writer::Writer};
use crate::store::{
    Result,
    record::{Begun, NewRun},
};

pub(super) use admit::find_keyed_run;
pub(super) use group::Beginner;

pub(super) async fn begin_run(store: &SqliteStore, run: NewRun) -> Result<Begun> {
    if only_adds(&run) {
        store.begin_queue.begin(run).await
    } else {
        begin_alone(&store.writer, run).await
    }
}

/// Whether a run changes nothing that is in its thread already, but for what its own items replace.
fn only_adds(run: &NewRun) -> bool {
    run.expected.is_none()
        && run.decided_calls.is_empty()
        && run.attachments.is_empty()
        && run.delete_after.is_none()
        && run.delete_items.is_empty()
}

async fn begin_alone(writer: &Writer, run: NewRun) -> Result<Begun> {
    writer
        .write_if(
            move |connection| Box::pin(async move { begin_one(connection, &run).await }),
            |begun| matches!(begun, Begun::Started(_)),
        )
        .await
}

/// Only [`Begun::Started`] is committed, so that a step may write before a later one refuses.
async fn begin_one(connection: &mut SqliteConnection, run: &NewRun) -> Result<Begun> {
    let mut admissions = admit::admit(connection, &[run]).await?;
    let admitted = match admissions.pop().expect("there is one for each run") {
        Ok(admitted) => admitted,
        Err(refusal) => return Ok(refusal),
    };
    let thread_id = run.thread.id();
    if let Some(expected) = &run.expected
        && !items::is_unchanged(connection, thread_id, expected).await?
    {
        return Ok(Begun::Changed);
    }
    if !waiting_calls::decide(connection, &run.decided_calls).await? {
        return Ok(Begun::Changed);
    }
    let times = HashMap::from([(thread_id.as_uuid(), run.now)]);
    if let Some(item_id) = run.delete_after
        && !item_writes::remove_after(connection, thread_id, item_id, &times).await?
    {
        return Ok(Begun::NotFound);
    }
    let removed: Vec<_> = run.delete_items.iter().map(|id| (thread_id, *id)).collect();
    item_writes::remove(connection, &removed, &times).await?;
    start::start(connection, vec![admitted]).await?;
    if !attachments::bind(connection, &run.user_id, thread_id, &run.attachments).await? {
        return Ok(Begun::NotFound);
    }
    // What was removed has changed it since it was admitted.
    let thread = threads::expect(connection, thread_id).await?;
    Ok(Begun::Started(Box::new(thread)))
}
