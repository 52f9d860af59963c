//! Ends the runs that a dead process left, and tells this process's runs of a Stop that another
//! one took.
//!
//! What was stored of an answer is kept, nothing is run again: a model call costs money, and a tool
//! may have acted.

use std::time::Duration;

use crate::{
    live::Entry,
    protocol::{Order, RunId, ThreadEvent, Timestamp},
    store::{
        PageQuery, Store, StoreError,
        record::{
            EventChunk, ItemRecord, ItemStatus, ItemWrite, RunEnd, RunRecord, RunStatus, RunWrite,
        },
    },
};

use super::{
    LEASE, Runs, StopReason, chunk, closing, feeder, fold::OpenItems, outcome::Failure, relay,
    segment::Segment,
};

/// How often dead processes' runs are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// How often other processes' Stops are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How many runs are taken over at a time.
const AT_ONCE: usize = 64;
/// How many of a thread's newest items are looked through for such as a run may have gone on with.
const NEWEST: usize = 50;
/// Readers may have seen events that the dead process had not stored yet. What is told of the end
/// gets numbers that lie behind any of those.
const SEQ_GAP: u64 = 1_000_000;

/// Sweeps until the process ends.
pub(super) async fn watch(runs: Runs) {
    let closing = runs.inner.closing.clone();
    let sweeping = async {
        loop {
            sweep(&runs).await;
            let jitter = Duration::from_millis(fastrand::u64(0..1_000));
            tokio::time::sleep(SWEEP_EVERY + jitter).await;
        }
    };
    tokio::select! {
        () = closing.cancelled() => {}
        () = sweeping => {}
        () = take_stops(&runs) => {}
    }
}

/// Ends every run that a dead process left.
async fn sweep(runs: &Runs) {
    loop {
        let claimed =
            runs.inner.store.claim_abandoned_runs(&runs.inner.owner, LEASE, AT_ONCE).await;
        let abandoned = match claimed {
            Ok(abandoned) => abandoned,
            Err(error) => {
                tracing::warn!(error = %error, "cannot look for abandoned runs");
                return;
            }
        };
        let count = abandoned.len();
        for run in abandoned {
            let id = run.id;
            match interrupt(runs, run).await {
                Ok(()) => tracing::warn!(run.id = %id, "ended a run that a dead process left"),
                Err(error) => tracing::error!(run.id = %id, error = %error, "cannot end a run"),
            }
        }
        if count < AT_ONCE {
            return;
        }
    }
}

async fn interrupt(runs: &Runs, run: RunRecord) -> Result<(), StoreError> {
    let store = &*runs.inner.store;
    let segments = relay::read_all(store, run.id).await?;
    let failure = Failure::interrupted();
    let seq = segments.last().map_or(0, Segment::last_seq) + SEQ_GAP;
    let mut write = RunWrite::new(run.id, run.thread_id, runs.lease(run.lease_token));
    write.events = Some(error_chunk(seq, &ThreadEvent::Error(failure.event)));
    write.items = closing::kept(OpenItems::of(&segments).into_vec(), ItemStatus::Interrupted);
    write.items.extend(left_streaming(store, &run, &write.items).await?);
    write.end = Some(RunEnd {
        status: RunStatus::Interrupted,
        error: Some(failure.error),
        usage: run.usage,
    });
    write.now = Timestamp::now();
    // Another process may have been quicker: then there is nothing to do.
    store.write_runs(vec![write]).await?;
    // Who follows looks at once, and the dead process, should it live, is not listened to any more.
    let end = Entry::end(feeder::token_of(run.lease_token));
    if let Err(error) = runs.inner.live.publish(run.id, &end, true).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "an end was not published");
    }
    Ok(())
}

/// What the run went on with from an earlier one and left as streaming: its events do not hold it.
async fn left_streaming(
    store: &dyn Store,
    run: &RunRecord,
    known: &[ItemWrite],
) -> Result<Vec<ItemWrite>, StoreError> {
    let query = PageQuery { limit: NEWEST, order: Order::Desc, after: None };
    let Some(page) = store.list_items(&run.user_id, run.thread_id, query).await? else {
        return Ok(Vec::new());
    };
    let is_left = |record: &ItemRecord| {
        record.status == ItemStatus::Streaming
            && known.iter().all(|known| known.item.id != record.item.id)
    };
    let left = page.data.into_iter().filter(is_left).map(|record| record.item);
    Ok(left.map(|item| ItemWrite { item, status: ItemStatus::Interrupted }).collect())
}

fn error_chunk(seq: u64, event: &ThreadEvent) -> EventChunk {
    let segment = Segment::event(seq, event);
    EventChunk { first_seq: seq, last_seq: seq, payload: chunk::encode(&[segment], seq - 1) }
}

/// Stops this process's runs for which another process took a Stop, or whose thread is gone.
async fn take_stops(runs: &Runs) {
    if runs.inner.store.kind() == "sqlite" {
        // There is no other process.
        return std::future::pending().await;
    }
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let live: Vec<RunId> = runs.live().keys().copied().collect();
        if live.is_empty() {
            continue;
        }
        match runs.inner.store.list_cancel_requests(&live).await {
            Ok(stopped) => {
                for run in stopped.into_iter().filter_map(|id| runs.find_live(id)) {
                    run.stop(StopReason::Cancelled);
                }
            }
            Err(error) => tracing::warn!(error = %error, "cannot look for cancelled runs"),
        }
    }
}
