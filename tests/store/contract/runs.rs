//! Accepting, finding and stopping runs.

use std::time::Duration;

use chatkit_gateway::{
    protocol::{
        ItemKind, RunId, ThreadId, ThreadItem,
        item::{ClientToolCall, ClientToolStatus},
    },
    store::{
        Store, StoreError,
        record::{
            Begun, ExpectedItem, IdempotencyKey, NewRun, RunRecord, RunStatus, RunWrite,
            StopRequest,
        },
    },
};
use futures_util::future::join_all;
use serde_json::Map;

use crate::harness::{
    alice, all, at, begin, begin_new, bob, end, heartbeat, item, key, lease, new_thread,
    new_thread_of, put_messages, run_in, run_in_new_thread, texts, thread, user_message,
};

pub(crate) async fn a_run_in_a_new_thread_makes_the_thread(store: &dyn Store) {
    let mut run = run_in_new_thread();
    let thread_id = run.thread.id();
    run.items = vec![user_message(thread_id, "Hello")];
    let run_id = run.id;

    let begun = store.begin_run(run).await.unwrap();

    let Begun::Started(record) = begun else { panic!("{begun:?}") };
    assert_eq!(record.active_run_id, Some(run_id));
    assert_eq!(record.message_count, 1);
    assert_eq!(*record, thread(store, thread_id).await);
    assert_eq!(texts(store, thread_id).await, ["Hello"]);
}

pub(crate) async fn a_run_in_anothers_thread_finds_nothing(store: &dyn Store) {
    let bobs = new_thread_of(store, bob(), at(0)).await;

    for thread_id in [bobs, ThreadId::new(), ThreadId::UNKNOWN] {
        let mut run = run_in(thread_id);
        run.items = vec![user_message(thread_id, "Hello")];
        assert_eq!(store.begin_run(run).await.unwrap(), Begun::NotFound);
    }

    let untouched = store.find_thread(&bob(), bobs).await.unwrap().unwrap();
    assert_eq!((untouched.message_count, untouched.active_run_id), (0, None));
}

pub(crate) async fn a_thread_has_one_run_at_a_time(store: &dyn Store) {
    let (run_id, thread_id) = begin_new(store).await;
    let mut second = run_in(thread_id);
    second.items = vec![user_message(thread_id, "Too early")];

    assert_eq!(store.begin_run(second).await.unwrap(), Begun::Busy(run_id));

    assert!(texts(store, thread_id).await.is_empty());
}

pub(crate) async fn of_many_runs_at_once_one_starts(store: &dyn Store) {
    let thread_id = new_thread(store).await;
    let runs: Vec<NewRun> = (0..16)
        .map(|_| NewRun { items: vec![user_message(thread_id, "me")], ..run_in(thread_id) })
        .collect();
    let ids: Vec<RunId> = runs.iter().map(|run| run.id).collect();

    let begun = join_all(runs.into_iter().map(|run| store.begin_run(run))).await;

    let begun: Vec<Begun> = begun.into_iter().map(Result::unwrap).collect();
    let active = thread(store, thread_id).await.active_run_id.unwrap();
    for (id, begun) in ids.iter().zip(&begun) {
        match begun {
            Begun::Started(_) => assert_eq!(*id, active),
            Begun::Busy(other) => assert_eq!(*other, active),
            other => panic!("{other:?}"),
        }
    }
    assert!(ids.contains(&active));
    assert_eq!(texts(store, thread_id).await, ["me"]);
}

pub(crate) async fn a_thread_takes_a_run_after_the_last_one_ended(store: &dyn Store) {
    let (run_id, thread_id) = begin_new(store).await;
    end(store, (run_id, thread_id)).await;
    assert_eq!(thread(store, thread_id).await.active_run_id, None);

    let (second, _) = begin(store, run_in(thread_id)).await;

    assert_eq!(thread(store, thread_id).await.active_run_id, Some(second));
}

pub(crate) async fn a_refused_run_leaves_nothing_behind(store: &dyn Store) {
    let elsewhere = new_thread(store).await;
    let foreign = put_messages(store, elsewhere, &["elsewhere"]).await.remove(0);
    let mut run = run_in_new_thread();
    let (run_id, thread_id) = (run.id, run.thread.id());
    run.items = vec![ThreadItem { id: foreign.id, ..user_message(thread_id, "stolen") }];
    run.idempotency = Some(key("k", 1));

    let refusal = store.begin_run(run).await.unwrap_err();

    assert!(matches!(refusal, StoreError::Conflict { .. }), "{refusal:?}");
    assert_eq!(store.find_thread(&alice(), thread_id).await.unwrap(), None);
    assert_eq!(store.find_run(&alice(), run_id).await.unwrap(), None);
    assert_eq!(texts(store, elsewhere).await, ["elsewhere"]);
    begin(store, NewRun { idempotency: Some(key("k", 1)), ..run_in_new_thread() }).await;
}

pub(crate) async fn a_run_deletes_what_comes_after_an_item(store: &dyn Store) {
    let thread_id = new_thread(store).await;
    let items = put_messages(store, thread_id, &["1", "2", "3", "4"]).await;
    let mut run = run_in(thread_id);
    run.delete_after = Some(items[1].id);
    run.items = vec![user_message(thread_id, "new")];

    begin(store, run).await;

    assert_eq!(texts(store, thread_id).await, ["1", "2", "new"]);
    assert_eq!(thread(store, thread_id).await.message_count, 3);
}

pub(crate) async fn a_run_is_refused_when_the_item_to_delete_after_is_elsewhere(store: &dyn Store) {
    let thread_id = new_thread(store).await;
    put_messages(store, thread_id, &["1"]).await;
    let elsewhere = new_thread(store).await;
    let foreign = put_messages(store, elsewhere, &["a", "b"]).await;
    let mut run = run_in(thread_id);
    run.delete_after = Some(foreign[0].id);

    assert_eq!(store.begin_run(run).await.unwrap(), Begun::NotFound);

    assert_eq!(texts(store, thread_id).await, ["1"]);
    assert_eq!(texts(store, elsewhere).await, ["a", "b"]);
    assert_eq!(thread(store, thread_id).await.active_run_id, None);
}

pub(crate) async fn a_run_deletes_items_of_its_thread_only(store: &dyn Store) {
    let thread_id = new_thread(store).await;
    let items = put_messages(store, thread_id, &["1", "2", "3"]).await;
    let elsewhere = new_thread(store).await;
    let foreign = put_messages(store, elsewhere, &["elsewhere"]).await;
    let mut run = run_in(thread_id);
    run.delete_items = vec![items[0].id, foreign[0].id, items[2].id];

    begin(store, run).await;

    assert_eq!(texts(store, thread_id).await, ["2"]);
    assert_eq!(thread(store, thread_id).await.message_count, 1);
    assert_eq!(texts(store, elsewhere).await, ["elsewhere"]);
}

pub(crate) async fn a_run_replaces_items_in_place(store: &dyn Store) {
    let thread_id = new_thread(store).await;
    let items = put_messages(store, thread_id, &["1", "2"]).await;
    let mut run = run_in(thread_id);
    run.items = vec![ThreadItem { id: items[0].id, ..user_message(thread_id, "one") }];

    begin(store, run).await;

    assert_eq!(texts(store, thread_id).await, ["one", "2"]);
}

pub(crate) async fn a_run_is_refused_when_what_it_expects_has_changed(store: &dyn Store) {
    let thread_id = new_thread(store).await;
    let items = put_messages(store, thread_id, &["1", "2"]).await;
    let elsewhere = new_thread(store).await;
    let foreign = put_messages(store, elsewhere, &["a"]).await;
    let mut changed = items[0].clone();
    changed.kind = user_message(thread_id, "as it was before").kind;

    for item in [changed, foreign[0].clone(), user_message(thread_id, "never stored")] {
        let mut run = run_in(thread_id);
        run.expected = Some(ExpectedItem { item, is_newest: false });
        run.items = vec![user_message(thread_id, "new")];
        assert_eq!(store.begin_run(run).await.unwrap(), Begun::Changed);
    }

    assert_eq!(texts(store, thread_id).await, ["1", "2"]);
    let mut run = run_in(thread_id);
    run.expected = Some(ExpectedItem { item: items[0].clone(), is_newest: false });
    begin(store, run).await;
}

pub(crate) async fn a_run_is_refused_when_what_it_expects_newest_is_not(store: &dyn Store) {
    let thread_id = new_thread(store).await;
    let items = put_messages(store, thread_id, &["1", "2"]).await;
    let expecting = |item: &ThreadItem| {
        let expected = ExpectedItem { item: item.clone(), is_newest: true };
        NewRun { expected: Some(expected), ..run_in(thread_id) }
    };

    assert_eq!(store.begin_run(expecting(&items[0])).await.unwrap(), Begun::Changed);

    begin(store, expecting(&items[1])).await;
}

pub(crate) async fn a_run_gives_up_client_tool_calls_that_wait(store: &dyn Store) {
    let thread_id = new_thread(store).await;
    let elsewhere = new_thread(store).await;
    let call = |thread_id, status, output| {
        item(
            thread_id,
            ItemKind::ClientToolCall(ClientToolCall {
                status,
                call_id: "call_1".to_owned(),
                name: "get_selection".to_owned(),
                arguments: Map::new(),
                output,
            }),
        )
    };
    let answered = call(thread_id, ClientToolStatus::Completed, Some("before".into()));
    let waiting = call(thread_id, ClientToolStatus::Pending, None);
    let foreign = call(elsewhere, ClientToolStatus::Pending, None);
    let items = [answered.clone(), waiting.clone()];
    store.upsert_items(&alice(), thread_id, &items, at(2)).await.unwrap();
    store.upsert_items(&alice(), elsewhere, std::slice::from_ref(&foreign), at(2)).await.unwrap();
    let message = user_message(thread_id, "something else");
    let items = vec![message.clone()];

    begin(store, NewRun { abandon_calls: true, items, ..run_in(thread_id) }).await;

    let stored = |thread_id| async move {
        let page = store.list_items(&alice(), thread_id, all()).await.unwrap().unwrap();
        page.data.into_iter().map(|record| record.item).collect::<Vec<_>>()
    };
    let mut given_up = waiting;
    let ItemKind::ClientToolCall(call) = &mut given_up.kind else { unreachable!() };
    call.abandon();
    assert_eq!(call.status, ClientToolStatus::Completed);
    assert_eq!(stored(thread_id).await, [answered, given_up, message]);
    assert_eq!(stored(elsewhere).await, [foreign]);
}

pub(crate) async fn a_key_used_again_names_the_first_run(store: &dyn Store) {
    let run = NewRun { idempotency: Some(key("k", 1)), ..run_in_new_thread() };
    let (run_id, thread_id) = begin(store, run).await;

    let again = NewRun { idempotency: Some(key("k", 1)), ..run_in_new_thread() };
    let second_thread = again.thread.id();

    assert_eq!(store.begin_run(again).await.unwrap(), Begun::Replay(run_id, thread_id));
    assert_eq!(store.find_thread(&alice(), second_thread).await.unwrap(), None);
    end(store, (run_id, thread_id)).await;
    let again = NewRun { idempotency: Some(key("k", 1)), ..run_in_new_thread() };
    assert_eq!(store.begin_run(again).await.unwrap(), Begun::Replay(run_id, thread_id));
}

pub(crate) async fn a_key_used_for_another_request_is_refused(store: &dyn Store) {
    begin(store, NewRun { idempotency: Some(key("k", 1)), ..run_in_new_thread() }).await;

    let other = NewRun { idempotency: Some(key("k", 2)), ..run_in_new_thread() };

    assert_eq!(store.begin_run(other).await.unwrap(), Begun::KeyReused);
}

pub(crate) async fn a_key_counts_for_its_user_and_route_only(store: &dyn Store) {
    begin(store, NewRun { idempotency: Some(key("k", 1)), ..run_in_new_thread() }).await;
    let other_route = IdempotencyKey { route: "/chatkit".to_owned(), ..key("k", 2) };
    begin(store, NewRun { idempotency: Some(other_route), ..run_in_new_thread() }).await;
    let bobs = new_thread_of(store, bob(), at(0)).await;
    let of_bob = NewRun { user_id: bob(), idempotency: Some(key("k", 2)), ..run_in(bobs) };

    begin(store, of_bob).await;
}

pub(crate) async fn a_key_too_old_is_as_good_as_new(store: &dyn Store) {
    begin(store, NewRun { idempotency: Some(key("k", 1)), ..run_in_new_thread() }).await;
    let mut later = key("k", 2);
    later.not_before = at(11);
    let second = NewRun { idempotency: Some(later), now: at(20), ..run_in_new_thread() };
    let (run_id, thread_id) = begin(store, second).await;

    let again = NewRun { idempotency: Some(key("k", 2)), ..run_in_new_thread() };

    assert_eq!(store.begin_run(again).await.unwrap(), Begun::Replay(run_id, thread_id));
}

pub(crate) async fn a_key_outlives_its_thread(store: &dyn Store) {
    let run = NewRun { idempotency: Some(key("k", 1)), ..run_in_new_thread() };
    let (run_id, thread_id) = begin(store, run).await;
    store.delete_thread(&alice(), thread_id).await.unwrap().unwrap();

    let again = NewRun { idempotency: Some(key("k", 1)), ..run_in_new_thread() };

    assert_eq!(store.begin_run(again).await.unwrap(), Begun::Replay(run_id, thread_id));
}

pub(crate) async fn a_refused_run_leaves_its_key_unused(store: &dyn Store) {
    let (run_id, thread_id) = begin_new(store).await;
    let early = NewRun { idempotency: Some(key("k", 1)), ..run_in(thread_id) };
    assert_eq!(store.begin_run(early).await.unwrap(), Begun::Busy(run_id));
    end(store, (run_id, thread_id)).await;

    begin(store, NewRun { idempotency: Some(key("k", 1)), ..run_in(thread_id) }).await;
}

pub(crate) async fn of_many_requests_with_a_key_one_starts_and_the_others_replay(
    store: &dyn Store,
) {
    let runs: Vec<NewRun> =
        (0..16).map(|_| NewRun { idempotency: Some(key("k", 1)), ..run_in_new_thread() }).collect();

    let begun = join_all(runs.into_iter().map(|run| store.begin_run(run))).await;

    let begun: Vec<Begun> = begun.into_iter().map(Result::unwrap).collect();
    let started: Vec<_> = begun
        .iter()
        .filter_map(|begun| match begun {
            Begun::Started(thread) => Some((thread.active_run_id.unwrap(), thread.id)),
            _ => None,
        })
        .collect();
    let [(run_id, thread_id)] = started[..] else { panic!("{begun:?}") };
    let replays = begun.iter().filter(|begun| **begun == Begun::Replay(run_id, thread_id));
    assert_eq!(replays.count(), 15);
}

pub(crate) async fn a_run_is_found_by_its_user_only(store: &dyn Store) {
    let (run_id, thread_id) = begin_new(store).await;

    let found = store.find_run(&alice(), run_id).await.unwrap();

    let expected = RunRecord {
        id: run_id,
        thread_id,
        user_id: alice(),
        status: RunStatus::Running,
        lease_token: lease(1).token,
        error: None,
        usage: None,
        created_at: at(10),
        ended_at: None,
        resume_point: None,
    };
    assert_eq!(found, Some(expected));
    assert_eq!(store.find_run(&bob(), run_id).await.unwrap(), None);
    assert_eq!(store.find_run(&alice(), RunId::new()).await.unwrap(), None);
}

pub(crate) async fn the_point_to_go_on_from_is_the_last_one_and_goes_with_the_runs_end(
    store: &dyn Store,
) {
    let ids = begin_new(store).await;
    let point = async || {
        let run = store.find_run(&alice(), ids.0).await.unwrap().unwrap();
        run.resume_point
    };
    let at = |point: &str| RunWrite { resume_point: Some(point.to_owned()), ..heartbeat(ids) };

    store.write_runs(vec![at("first")]).await.unwrap();
    store.write_runs(vec![at("second")]).await.unwrap();
    store.write_runs(vec![heartbeat(ids)]).await.unwrap();
    assert_eq!(point().await.as_deref(), Some("second"));
    end(store, ids).await;

    assert_eq!(point().await, None);
}

pub(crate) async fn a_stop_is_asked_for_by_the_user_of_a_live_run(store: &dyn Store) {
    for request in [StopRequest::Cancel, StopRequest::Supersede] {
        let (run_id, thread_id) = begin_new(store).await;
        let ask = async |user, run| store.request_stop(&user, run, request).await.unwrap();

        assert!(!ask(bob(), run_id).await);
        assert!(!ask(alice(), RunId::new()).await);
        assert_eq!(stop_requests(store, &[run_id]).await, []);
        assert!(ask(alice(), run_id).await);
        assert!(ask(alice(), run_id).await);
        assert_eq!(stop_requests(store, &[run_id]).await, [(run_id, request)]);
        end(store, (run_id, thread_id)).await;
        assert!(!ask(alice(), run_id).await);
    }
}

pub(crate) async fn runs_to_stop_are_those_asked_for_and_those_not_under_way(store: &dyn Store) {
    let (kept, _) = begin_new(store).await;
    let (asked, _) = begin_new(store).await;
    let (superseded, _) = begin_new(store).await;
    let (both, _) = begin_new(store).await;
    let (gone, its_thread) = begin_new(store).await;
    let ended = begin_new(store).await;
    end(store, ended).await;
    for (run, request) in [
        (asked, StopRequest::Cancel),
        (superseded, StopRequest::Supersede),
        (both, StopRequest::Cancel),
        (both, StopRequest::Supersede),
    ] {
        store.request_stop(&alice(), run, request).await.unwrap();
    }
    store.delete_thread(&alice(), its_thread).await.unwrap().unwrap();

    let found = stop_requests(store, &[kept, asked, superseded, both, gone, ended.0]).await;

    let cancelled = |run| (run, StopRequest::Cancel);
    assert_eq!(
        found,
        [
            cancelled(asked),
            (superseded, StopRequest::Supersede),
            cancelled(both),
            cancelled(gone),
            cancelled(ended.0),
        ]
    );
    assert_eq!(stop_requests(store, &[]).await, []);
    // It counts for a while only.
    let now = store.list_stop_requests(&[superseded], Duration::ZERO).await.unwrap();
    assert_eq!(now, []);
}

async fn stop_requests(store: &dyn Store, runs: &[RunId]) -> Vec<(RunId, StopRequest)> {
    let mut found = store.list_stop_requests(runs, Duration::from_mins(1)).await.unwrap();
    found.sort_unstable();
    found
}
