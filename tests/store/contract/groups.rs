//! Writing for many runs at once.

use chatkit_gateway::{
    protocol::{RunId, ThreadId, ThreadItem},
    store::{
        Store,
        record::{
            RunStatus, RunWrite,
            WriteOutcome::{LeaseLost, Refused, Written},
        },
    },
};
use futures_util::future::join_all;

use crate::harness::{
    alice, answer, at, begin_new, chunk, complete, ended, heartbeat, lease, new_thread_of,
    put_messages, streaming, texts, thread,
};

fn says(run: (RunId, ThreadId), text: &str) -> RunWrite {
    RunWrite {
        events: Some(chunk(1, 1, text)),
        items: vec![complete(answer(run.1, text))],
        ..heartbeat(run)
    }
}

pub(crate) async fn a_group_answers_each_write_in_its_place(store: &dyn Store) {
    let (first, second, third) =
        (begin_new(store).await, begin_new(store).await, begin_new(store).await);
    let unknown = (RunId::new(), first.1);
    let stale = RunWrite { lease: lease(7), ..says(second, "stale") };

    let group = vec![says(first, "one"), stale, heartbeat(unknown), says(third, "three")];
    let outcomes = store.write_runs(group).await.unwrap();

    assert_eq!(outcomes, [Written, LeaseLost, LeaseLost, Written]);
    assert_eq!(texts(store, first.1).await, ["one"]);
    assert!(texts(store, second.1).await.is_empty());
    assert_eq!(texts(store, third.1).await, ["three"]);
}

pub(crate) async fn one_bad_write_does_not_harm_the_others(store: &dyn Store) {
    let elsewhere = new_thread_of(store, alice(), at(0)).await;
    let foreign = put_messages(store, elsewhere, &["elsewhere"]).await.remove(0);
    let (first, bad, last) =
        (begin_new(store).await, begin_new(store).await, begin_new(store).await);
    let stolen = ThreadItem { id: foreign.id, ..answer(bad.1, "stolen") };
    let bad_write = RunWrite { items: vec![complete(stolen)], ..says(bad, "bad") };

    let group = vec![says(first, "one"), bad_write, says(last, "three")];
    let outcomes = store.write_runs(group).await.unwrap();

    assert_eq!(outcomes, [Written, Refused, Written]);
    assert_eq!(texts(store, first.1).await, ["one"]);
    assert_eq!(texts(store, last.1).await, ["three"]);
    assert!(texts(store, bad.1).await.is_empty());
    assert_eq!(store.list_run_events(bad.0, 0, 10).await.unwrap(), []);
    let untouched = store.find_item(&alice(), elsewhere, foreign.id).await.unwrap().unwrap();
    assert_eq!(untouched.item, foreign);
}

pub(crate) async fn several_writes_of_one_run_are_made_in_order(store: &dyn Store) {
    let run = begin_new(store).await;
    let other = begin_new(store).await;
    let item = answer(run.1, "begun");
    let grown = ThreadItem { id: item.id, ..answer(run.1, "begun, grown, done") };
    let begun =
        RunWrite { events: Some(chunk(1, 1, "a")), items: vec![streaming(item)], ..heartbeat(run) };
    let done = RunWrite {
        events: Some(chunk(2, 2, "b")),
        items: vec![complete(grown)],
        end: Some(ended(RunStatus::Completed)),
        ..heartbeat(run)
    };
    let late = RunWrite { events: Some(chunk(3, 3, "c")), ..heartbeat(run) };

    let group = vec![begun, done, says(other, "meanwhile"), late];
    let outcomes = store.write_runs(group).await.unwrap();

    assert_eq!(outcomes, [Written, Written, Written, LeaseLost]);
    assert_eq!(texts(store, run.1).await, ["begun, grown, done"]);
    assert_eq!(store.list_run_events(run.0, 0, 10).await.unwrap().len(), 2);
}

pub(crate) async fn a_group_of_nothing_answers_nothing(store: &dyn Store) {
    assert_eq!(store.write_runs(Vec::new()).await.unwrap(), []);
}

pub(crate) async fn a_large_group_is_written_whole(store: &dyn Store) {
    let runs = join_all((0..200).map(|_| begin_new(store))).await;

    let group = runs.iter().map(|run| says(*run, "hello")).collect();
    let outcomes = store.write_runs(group).await.unwrap();

    assert_eq!(outcomes, vec![Written; 200]);
    for run in runs {
        assert_eq!(thread(store, run.1).await.message_count, 1);
    }
}
