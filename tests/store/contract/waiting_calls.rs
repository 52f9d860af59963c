//! Calls of tools that wait for the user.

use chatkit_gateway::{
    protocol::{
        ItemKind, RunId, ThreadId, ThreadItem,
        item::{StructuredInputItem, StructuredInputStatus},
    },
    store::{
        Store,
        record::{
            Begun, GIVEN_UP, ItemStatus, ItemWrite, NewRun, RunWrite, ToolCallRecord,
            ToolCallState, WriteOutcome,
        },
    },
};
use futures_util::future::join_all;

use crate::harness::{
    alice, all, at, begin, begin_new, bob, end, heartbeat, item, lease, new_thread, run_in,
    user_message, write,
};

fn call(run_id: RunId, position: u32, item: &ThreadItem) -> ToolCallRecord {
    ToolCallRecord {
        run_id,
        position,
        turn: 0,
        item_id: item.id,
        call_id: format!("call_{position}"),
        name: "files__write".to_owned(),
        arguments: "{ \"n\": 1.0 }".to_owned(),
        state: ToolCallState::Waiting,
        output: None,
    }
}

/// A run that has ended with a question; its thread, the question and its call.
async fn asked(store: &dyn Store) -> (ThreadId, ThreadItem, ToolCallRecord) {
    let run = begin_new(store).await;
    let questions =
        StructuredInputItem { status: StructuredInputStatus::Pending, inputs: Vec::new() };
    let item = item(run.1, ItemKind::StructuredInput(questions));
    let waiting = call(run.0, 0, &item);
    let items = vec![ItemWrite { item: item.clone(), status: ItemStatus::Complete }];
    let tool_calls = vec![waiting.clone()];
    let asking = RunWrite { items, tool_calls, ..heartbeat(run) };
    assert_eq!(write(store, asking).await, WriteOutcome::Written);
    end(store, run).await;
    (run.1, item, waiting)
}

fn decided(call: &ToolCallRecord) -> ToolCallRecord {
    ToolCallRecord { state: ToolCallState::Started, ..call.clone() }
}

pub(crate) async fn a_call_that_waits_is_found_with_its_item_by_its_user(store: &dyn Store) {
    let (thread_id, item, waiting) = asked(store).await;
    let elsewhere = new_thread(store).await;

    let found = store.list_item_calls(&alice(), thread_id, item.id).await.unwrap();

    assert_eq!(found, [waiting]);
    assert_eq!(store.list_item_calls(&bob(), thread_id, item.id).await.unwrap(), []);
    assert_eq!(store.list_item_calls(&alice(), elsewhere, item.id).await.unwrap(), []);
}

pub(crate) async fn of_many_decisions_about_a_call_one_counts(store: &dyn Store) {
    let (thread_id, item, waiting) = asked(store).await;

    let runs = (0..8).map(|_| {
        let decided_calls = vec![decided(&waiting)];
        store.begin_run(NewRun { decided_calls, ..run_in(thread_id) })
    });
    let begun: Vec<Begun> = join_all(runs).await.into_iter().map(Result::unwrap).collect();

    let started = begun.iter().filter(|begun| matches!(begun, Begun::Started(_))).count();
    assert_eq!(started, 1, "{begun:?}");
    let found = store.list_item_calls(&alice(), thread_id, item.id).await.unwrap();
    assert_eq!(found, [decided(&waiting)]);
}

pub(crate) async fn a_call_that_waits_no_more_is_not_decided(store: &dyn Store) {
    let (thread_id, item, waiting) = asked(store).await;
    let decided_calls = vec![decided(&waiting)];
    let first = begin(store, NewRun { decided_calls, ..run_in(thread_id) }).await;
    end(store, first).await;
    let mut again = run_in(thread_id);
    again.decided_calls =
        vec![ToolCallRecord { state: ToolCallState::Failed, ..decided(&waiting) }];
    again.items = vec![user_message(thread_id, "not kept")];

    assert_eq!(store.begin_run(again).await.unwrap(), Begun::Changed);

    let found = store.list_item_calls(&alice(), thread_id, item.id).await.unwrap();
    assert_eq!(found, [decided(&waiting)]);
    let page = store.list_items(&alice(), thread_id, all()).await.unwrap().unwrap();
    assert_eq!(page.data.len(), 1);
}

pub(crate) async fn the_run_that_decided_writes_what_the_call_gave(store: &dyn Store) {
    let (thread_id, item, waiting) = asked(store).await;
    let decided_calls = vec![decided(&waiting)];
    let run = begin(store, NewRun { decided_calls, ..run_in(thread_id) }).await;
    let output = Some("done".to_owned());
    let ended = ToolCallRecord { state: ToolCallState::Completed, output, ..waiting };
    let mut own = call(run.0, 0, &item);
    own.state = ToolCallState::Started;
    let tool_calls = vec![ended.clone(), own.clone()];

    let written = RunWrite { tool_calls: tool_calls.clone(), ..heartbeat(run) };
    assert_eq!(write(store, written).await, WriteOutcome::Written);
    let stale = RunWrite {
        tool_calls: vec![ToolCallRecord { output: None, ..ended }],
        lease: lease(0),
        ..heartbeat(run)
    };
    assert_eq!(write(store, stale).await, WriteOutcome::LeaseLost);

    let mut found = store.list_item_calls(&alice(), thread_id, item.id).await.unwrap();
    found.sort_by_key(|call| call.run_id);
    assert_eq!(found, tool_calls);
}

pub(crate) async fn a_new_message_gives_up_the_calls_of_its_thread_that_wait(store: &dyn Store) {
    let (thread_id, item, waiting) = asked(store).await;
    let (other_thread, other_item, other) = asked(store).await;
    let message = user_message(thread_id, "something else");
    let items = vec![message.clone()];

    begin(store, NewRun { abandon_calls: true, items, now: at(30), ..run_in(thread_id) }).await;

    let found = store.list_item_calls(&alice(), thread_id, item.id).await.unwrap();
    let (state, output) = (ToolCallState::Failed, Some(GIVEN_UP.to_owned()));
    assert_eq!(found, [ToolCallRecord { state, output, ..waiting }]);
    let mut skipped = item;
    let ItemKind::StructuredInput(questions) = &mut skipped.kind else { unreachable!() };
    questions.skip();
    let page = store.list_items(&alice(), thread_id, all()).await.unwrap().unwrap();
    let stored: Vec<ThreadItem> = page.data.into_iter().map(|record| record.item).collect();
    assert_eq!(stored, [skipped, message]);
    let found = store.list_item_calls(&alice(), other_thread, other_item.id).await.unwrap();
    assert_eq!(found, [other]);
}
