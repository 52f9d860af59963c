//! Runs that begin at the same time, which may share a transaction.

use chatkit_gateway::{
    protocol::ThreadId,
    store::{
        Result, Store, StoreError,
        record::{Begun, NewRun, NewThread, RunThread},
    },
};
use futures_util::future::join_all;

use crate::harness::{
    alice, answer, at, begin_new, bob, key, new_thread, new_thread_of, put_messages, run_in,
    run_in_new_thread, texts, thread, user_message,
};

async fn begin_all(store: &dyn Store, runs: &[NewRun]) -> Vec<Result<Begun>> {
    join_all(runs.iter().map(|run| store.begin_run(run.clone()))).await
}

fn saying(run: NewRun, words: &[&str]) -> NewRun {
    let items = words.iter().map(|text| user_message(run.thread.id(), text)).collect();
    NewRun { items, ..run }
}

pub(crate) async fn runs_that_begin_at_once_begin_each_with_its_own(store: &dyn Store) {
    let old = new_thread(store).await;
    put_messages(store, old, &["before", "and before"]).await;
    let long = "so long a text, \"quoted\" \\ and \u{1f600} ".repeat(1_000);
    let mut runs: Vec<NewRun> = (0..20)
        .map(|number| saying(run_in_new_thread(), &[&format!("first of {number}"), "second"]))
        .collect();
    runs.push(saying(run_in(old), &["after", &long, ""]));
    runs.push(run_in_new_thread());

    let begun = begin_all(store, &runs).await;

    for (run, begun) in runs.iter().zip(begun) {
        let Begun::Started(told) = begun.unwrap() else { panic!("{run:?} did not start") };
        assert_eq!(*told, thread(store, run.thread.id()).await);
        assert_eq!(told.active_run_id, Some(run.id));
        let stored = store.find_run(&alice(), run.id).await.unwrap().unwrap();
        assert_eq!((stored.thread_id, stored.created_at), (run.thread.id(), run.now));
    }
    for (number, run) in runs[..20].iter().enumerate() {
        let said = texts(store, run.thread.id()).await;
        assert_eq!(said, [format!("first of {number}"), "second".to_owned()]);
    }
    assert_eq!(texts(store, old).await, ["before", "and before", "after", &long, ""]);
    assert_eq!(thread(store, old).await.updated_at, at(10));
}

pub(crate) async fn of_runs_at_once_those_that_may_not_begin_hold_up_no_other(store: &dyn Store) {
    let (busy_run, busy) = begin_new(store).await;
    let foreign = new_thread_of(store, bob(), at(0)).await;
    let wanted = new_thread(store).await;
    let taken = put_messages(store, new_thread(store).await, &["taken"]).await.remove(0);
    let mut thief = run_in_new_thread();
    thief.items = vec![answer(thief.thread.id(), "mine")];
    thief.items[0].id = taken.id;
    let runs = [
        saying(run_in(busy), &["too early"]),
        saying(run_in(foreign), &["not yours"]),
        run_in(ThreadId::new()),
        thief,
        saying(run_in(wanted), &["first"]),
        saying(run_in(wanted), &["second"]),
        saying(run_in_new_thread(), &["new"]),
    ];

    let begun = begin_all(store, &runs).await;

    assert!(matches!(begun[0], Ok(Begun::Busy(active)) if active == busy_run), "{begun:?}");
    assert!(matches!(begun[1], Ok(Begun::NotFound)), "{begun:?}");
    assert!(matches!(begun[2], Ok(Begun::NotFound)), "{begun:?}");
    assert!(matches!(begun[3], Err(StoreError::Conflict { .. })), "{begun:?}");
    let RunThread::New(stolen) = &runs[3].thread else { panic!("it is new") };
    assert_eq!(store.find_thread(&alice(), stolen.id).await.unwrap(), None);
    let starts = |run: &Result<Begun>| matches!(run, Ok(Begun::Started(_)));
    assert_eq!(begun[4..6].iter().filter(|run| starts(run)).count(), 1, "{begun:?}");
    let winner = usize::from(starts(&begun[5]));
    let loser = &begun[5 - winner];
    assert!(
        matches!(loser, Ok(Begun::Busy(active)) if *active == runs[4 + winner].id),
        "{begun:?}"
    );
    assert_eq!(texts(store, wanted).await, [["first", "second"][winner]]);
    assert!(starts(&begun[6]), "{begun:?}");
    assert_eq!(texts(store, runs[6].thread.id()).await, ["new"]);
    assert_eq!(store.find_thread(&bob(), foreign).await.unwrap().unwrap().message_count, 0);
}

pub(crate) async fn of_runs_at_once_with_one_key_one_begins(store: &dyn Store) {
    let keyed = |fingerprint| NewRun {
        idempotency: Some(key("once", fingerprint)),
        ..saying(run_in_new_thread(), &["hello"])
    };
    let thread = NewThread { id: ThreadId::new(), user_id: bob(), title: None, now: at(10) };
    let another = NewRun { user_id: bob(), thread: RunThread::New(thread), ..keyed(1) };
    let another = saying(another, &["hello, too"]);
    let runs = [keyed(1), keyed(1), keyed(2), keyed(1), another];

    let begun = begin_all(store, &runs).await;
    let again = store.begin_run(keyed(1)).await;

    let first = (0..4).find(|place| matches!(begun[*place], Ok(Begun::Started(_)))).unwrap();
    let is_same = |place: usize| (place == 2) == (first == 2);
    for place in (0..4).filter(|place| *place != first) {
        match &begun[place] {
            Ok(Begun::Replay(run, thread)) if is_same(place) => {
                assert_eq!((*run, *thread), (runs[first].id, runs[first].thread.id()));
            }
            Ok(Begun::KeyReused) if !is_same(place) => {}
            begun => panic!("{place}: {begun:?}"),
        }
        assert_eq!(store.find_thread(&alice(), runs[place].thread.id()).await.unwrap(), None);
    }
    assert!(matches!(begun[4], Ok(Begun::Started(_))), "{begun:?}");
    assert!(matches!(again, Ok(Begun::Replay(..) | Begun::KeyReused)), "{again:?}");
}
