//! Ends the runs that a dead process left, and tells this process's runs of a Stop that another
//! one took.
//!
//! What was stored of an answer is kept, nothing is run again: a model call costs money, and a tool
//! may have acted.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    live::{Entry, Signal},
    protocol::{Order, RunId, ThreadEvent, Timestamp},
    store::{
        PageQuery, Store, StoreError,
        record::{
            EventChunk, ItemRecord, ItemStatus, ItemWrite, RunEnd, RunRecord, RunStatus, RunWrite,
            StopRequest,
        },
    },
};

use super::{
    LEASE, Runs, chunk, closing, feeder, fold::OpenItems, log::SEQ_GAP, outcome::Failure, relay,
    resume, segment::Segment, supersede::ANSWER_WITHIN,
};

/// How often dead processes' runs are looked for. A lease, this, and up to a second of jitter leave
/// a second of the 20 s that a crash may keep a thread busy. With 1,000 live runs a look goes through
/// as many rows of the index `run_one_active`, 0.4 ms, however many runs have ended.
const SWEEP_EVERY: Duration = Duration::from_secs(3);
/// A database that does not answer for so long may have kept the living from renewing their leases.
const AWAY_AFTER: Duration = Duration::from_secs(5);
/// When it answers again they have renewed them after this time: each writes at least every 5 s.
const RENEWED_WITHIN: Duration = Duration::from_secs(6);
/// How long an answer of the database proves, by its clock, that it did not stand still. With
/// [`AWAY_AFTER`] this leaves a lease of 15 s, renewed each 5 s, two seconds more.
const PROOF: Duration = Duration::from_secs(3);
/// How often other processes' Stops are looked for: one reaches the model within a second, also on a
/// machine that has more to do than it can (0.6 s at most there, of 100). With 1,000 live runs a look
/// goes through as many rows of `run_one_active`, as that for the dead does: 1.4 ms.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How many runs are taken over at a time.
const AT_ONCE: usize = 64;
/// How many of a thread's newest items are looked through for such as a run may have gone on with.
const NEWEST: usize = 50;

/// Sweeps until the process ends.
pub(super) async fn watch(runs: Runs) {
    let closing = runs.inner.closing.clone();
    let sweeping = async {
        let (mut owed, mut was_away) = (Vec::new(), false);
        loop {
            sweep(&runs, &mut owed, &mut was_away).await;
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

/// Waits until leases tell the dead from the living: not while the database is away, nor right
/// behind that. Answers the time by the database's clock.
async fn until_leases_count(runs: &Runs, was_away: &mut bool) -> Timestamp {
    loop {
        let asked = Instant::now();
        let checked = runs.inner.store.check().await.ok();
        let Some(now) = checked.filter(|_| asked.elapsed() <= AWAY_AFTER) else {
            *was_away = true;
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        };
        if !std::mem::take(was_away) {
            return now;
        }
        tokio::time::sleep(RENEWED_WITHIN).await;
    }
}

/// Ends every run that a dead process left. Those that are claimed and could not be ended are
/// `owed`: they are this process's now, and found by no later claim of it.
async fn sweep(runs: &Runs, owed: &mut Vec<RunRecord>, was_away: &mut bool) {
    until_leases_count(runs, was_away).await;
    take_own(runs, owed).await;
    end_all(runs, std::mem::take(owed), owed).await;
    loop {
        // Right before it: the database may stop at any time, and go on when every lease is over.
        let not_after = until_leases_count(runs, was_away).await.plus(PROOF);
        let asked = Instant::now();
        let (store, owner) = (&runs.inner.store, &runs.inner.owner);
        let claimed = store.claim_abandoned_runs(owner, LEASE, not_after, AT_ONCE).await;
        *was_away = claimed.is_err() || asked.elapsed() > AWAY_AFTER;
        let abandoned = match claimed {
            Ok(abandoned) => abandoned,
            Err(error) => {
                tracing::warn!(error = %error, "cannot look for abandoned runs");
                return;
            }
        };
        let count = abandoned.len();
        end_all(runs, abandoned, owed).await;
        if count < AT_ONCE {
            return;
        }
    }
}

/// Adds the runs that this process began or drove, and could not end. By its own token: another
/// process that has taken one over since is not disturbed.
async fn take_own(runs: &Runs, owed: &mut Vec<RunRecord>) {
    let own = std::mem::take(&mut *runs.not_ended());
    for run in own {
        match runs.inner.store.find_run(&run.user, run.id).await {
            Ok(Some(found)) if !found.status.is_terminal() => {
                owed.push(RunRecord { lease_token: run.token, ..found });
            }
            // Its commit may still be on its way.
            Ok(None) if run.since.elapsed() < LEASE => runs.not_ended().push(run),
            // Ended after all, never begun, or gone with its thread.
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(run.id = %run.id, error = %error, "cannot look for a run");
                runs.not_ended().push(run);
            }
        }
    }
}

async fn end_all(runs: &Runs, abandoned: Vec<RunRecord>, owed: &mut Vec<RunRecord>) {
    for run in abandoned {
        let id = run.id;
        match end(runs, &run).await {
            Ok(()) => {}
            Err(error) => {
                tracing::error!(run.id = %id, error = %error, "cannot end a run");
                owed.push(run);
            }
        }
    }
}

/// Goes on with a run where that can be, and otherwise ends it.
async fn end(runs: &Runs, run: &RunRecord) -> Result<(), StoreError> {
    if resume::go_on(runs, run).await? {
        tracing::warn!(run.id = %run.id, "going on with a run that a dead process left");
        return Ok(());
    }
    interrupt(runs, run).await?;
    tracing::warn!(run.id = %run.id, "ended a run that a dead process left");
    Ok(())
}

async fn interrupt(runs: &Runs, run: &RunRecord) -> Result<(), StoreError> {
    let store = &*runs.inner.store;
    let segments = relay::read_all(store, run.id).await?;
    let failure = Failure::interrupted();
    let seq = segments.last().map_or(0, Segment::last_seq) + SEQ_GAP;
    let mut write = RunWrite::new(run.id, run.thread_id, runs.lease(run.lease_token));
    write.events = Some(error_chunk(seq, &ThreadEvent::Error(failure.event)));
    write.items = closing::kept(OpenItems::of(&segments).into_vec(), ItemStatus::Interrupted);
    write.items.extend(left_streaming(store, run, &write.items).await?);
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

/// Stops this process's runs for which another process took a Stop or a new message, or whose thread
/// is gone.
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
        match runs.inner.store.list_stop_requests(&live, ANSWER_WITHIN).await {
            Ok(asked) => {
                for (run, request) in asked {
                    runs.hear(&match request {
                        StopRequest::Cancel => Signal::Cancel(run),
                        StopRequest::Supersede => Signal::Supersede(run),
                    });
                }
            }
            Err(error) => tracing::warn!(error = %error, "cannot look for cancelled runs"),
        }
    }
}
