//! Who may write for a run.

use std::time::Duration;

use chatkit_gateway::{
    protocol::{RunId, ThreadId, Timestamp},
    store::{
        Store,
        record::{Lease, RunStatus, RunWrite, ThreadPatch, WriteOutcome},
    },
};

use crate::harness::{
    OWNER, alice, answer, begin_new, chunk, complete, end, ended, heartbeat, lease, new_thread,
    texts, thread, write,
};

/// Takes runs over as another process would after this one's death: on PostgreSQL their leases
/// have run out, on SQLite the other process is the only one.
async fn claim(store: &dyn Store, limit: usize) -> Vec<RunId> {
    let soon = store.check().await.unwrap().plus(Duration::from_secs(15));
    claim_until(store, soon, limit).await
}

async fn claim_until(store: &dyn Store, not_after: Timestamp, limit: usize) -> Vec<RunId> {
    let lease = Duration::from_secs(15);
    let claimed = store.claim_abandoned_runs("instance-2", lease, not_after, limit).await;
    claimed.unwrap().iter().map(|run| run.id).collect()
}

/// Begins a run whose process dies at once.
async fn abandon(store: &dyn Store) -> (RunId, ThreadId) {
    let run = begin_new(store).await;
    let expired = Lease { owner: OWNER.to_owned(), token: 1, ttl: Duration::ZERO };
    let last = RunWrite { lease: expired, ..heartbeat(run) };
    assert_eq!(write(store, last).await, WriteOutcome::Written);
    run
}

pub(crate) async fn a_stale_token_writes_nothing(store: &dyn Store) {
    let run = begin_new(store).await;
    let before = thread(store, run.1).await;
    let write_with = |token| RunWrite {
        lease: lease(token),
        events: Some(chunk(1, 1, "zombie")),
        items: vec![complete(answer(run.1, "zombie"))],
        thread: ThreadPatch { title: Some(Some("zombie".to_owned())), ..ThreadPatch::default() },
        end: Some(ended(RunStatus::Completed)),
        ..heartbeat(run)
    };

    for token in [0, 2] {
        assert_eq!(write(store, write_with(token)).await, WriteOutcome::LeaseLost);
    }

    assert_eq!(thread(store, run.1).await, before);
    assert!(texts(store, run.1).await.is_empty());
    assert_eq!(store.list_run_events(run.0, 0, 10).await.unwrap(), []);
    let found = store.find_run(&alice(), run.0).await.unwrap().unwrap();
    assert_eq!(found.status, RunStatus::Running);
}

pub(crate) async fn a_claim_takes_the_right_to_write(store: &dyn Store) {
    let run = abandon(store).await;

    assert_eq!(claim(store, 10).await, [run.0]);
    assert!(claim(store, 10).await.is_empty(), "it is owned again");

    assert_eq!(write(store, heartbeat(run)).await, WriteOutcome::LeaseLost);
    let owner = "instance-2".to_owned();
    let lease = Lease { owner, token: 2, ttl: Duration::from_secs(15) };
    let closing = RunWrite { lease, end: Some(ended(RunStatus::Interrupted)), ..heartbeat(run) };
    assert_eq!(write(store, closing).await, WriteOutcome::Written);
    let found = store.find_run(&alice(), run.0).await.unwrap().unwrap();
    assert_eq!((found.status, found.lease_token), (RunStatus::Interrupted, 2));
}

pub(crate) async fn an_ended_run_is_not_claimed(store: &dyn Store) {
    let run = abandon(store).await;
    end(store, run).await;

    assert!(claim(store, 10).await.is_empty());
}

pub(crate) async fn no_more_runs_are_claimed_than_asked_for(store: &dyn Store) {
    let mut abandoned = Vec::new();
    for _ in 0..3 {
        abandoned.push(abandon(store).await.0);
    }

    let mut claimed = claim(store, 2).await;
    assert_eq!(claimed.len(), 2);
    claimed.extend(claim(store, 2).await);

    claimed.sort_unstable();
    assert_eq!(claimed, abandoned);
}

pub(crate) async fn a_claim_that_comes_too_late_by_the_databases_clock_takes_nothing(
    store: &dyn Store,
) {
    let run = abandon(store).await;
    let now = store.check().await.unwrap();

    let late = claim_until(store, now.minus(Duration::from_secs(1)), 10).await;

    assert!(late.is_empty());
    assert_eq!(claim(store, 10).await, [run.0]);
}

pub(crate) async fn a_write_for_another_thread_than_the_runs_is_lost(store: &dyn Store) {
    let run = begin_new(store).await;
    let elsewhere = new_thread(store).await;
    let items = vec![complete(answer(elsewhere, "misplaced"))];

    let outcome = write(store, RunWrite { items, ..heartbeat((run.0, elsewhere)) }).await;

    assert_eq!(outcome, WriteOutcome::LeaseLost);
    assert!(texts(store, elsewhere).await.is_empty());
}
