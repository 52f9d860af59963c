//! What a run writes while it is under way, and its end.

use chatkit_gateway::{
    protocol::ThreadItem,
    store::{
        Store,
        record::{
            EventChunk, ItemRecord, ItemStatus, RunEnd, RunError, RunStatus, RunWrite, ThreadPatch,
            ToolCallRecord, ToolCallState, Usage, WriteOutcome,
        },
    },
};

use crate::harness::{
    alice, answer, at, begin, begin_new, chunk, complete, end, ended, heartbeat, hidden, lease,
    new_thread, put_messages, run_in, streaming, texts, thread, workflow, write,
};

pub(crate) async fn a_checkpoint_keeps_events_items_and_calls(store: &dyn Store) {
    let run = begin_new(store).await;
    let item = workflow(run.1);
    let mut call = ToolCallRecord {
        run_id: run.0,
        position: 0,
        turn: 0,
        item_id: item.id,
        call_id: "call_1".to_owned(),
        name: "add_task".to_owned(),
        arguments: "{}".to_owned(),
        state: ToolCallState::Started,
        output: None,
    };
    let checkpoint = RunWrite {
        events: Some(chunk(1, 3, "abc")),
        items: vec![streaming(item.clone())],
        tool_calls: vec![call.clone()],
        now: at(42),
        ..heartbeat(run)
    };
    assert_eq!(write(store, checkpoint).await, WriteOutcome::Written);
    call.state = ToolCallState::Failed;
    call.output = Some("no such tool".to_owned());
    let outcome = RunWrite { tool_calls: vec![call.clone()], ..heartbeat(run) };
    assert_eq!(write(store, outcome).await, WriteOutcome::Written);

    let history = store.load_history(run.1, 10).await.unwrap();

    let expected = ItemRecord { item, status: ItemStatus::Streaming, run_id: Some(run.0) };
    assert_eq!(history.items, [expected]);
    assert_eq!(history.tool_calls, [call]);
    let chunk = EventChunk { first_seq: 1, last_seq: 3, payload: "abc".to_owned() };
    assert_eq!(store.list_run_events(run.0, 0, 10).await.unwrap(), [chunk]);
    let thread = thread(store, run.1).await;
    assert_eq!((thread.message_count, thread.updated_at), (1, at(42)));
}

pub(crate) async fn the_first_write_sets_a_run_running(store: &dyn Store) {
    let run = begin_new(store).await;

    write(store, heartbeat(run)).await;

    let found = store.find_run(&alice(), run.0).await.unwrap().unwrap();
    assert_eq!(found.status, RunStatus::Running);
    assert_eq!(thread(store, run.1).await.updated_at, at(10), "a heartbeat is no change");
}

pub(crate) async fn an_end_keeps_status_usage_error_and_time(store: &dyn Store) {
    let run = begin_new(store).await;
    let usage = Usage { input_tokens: 10, cached_tokens: 4, output_tokens: 7, reasoning_tokens: 0 };
    let error = RunError { code: "upstream".to_owned(), message: "It broke.".to_owned() };
    let end = RunEnd { status: RunStatus::Failed, error: Some(error.clone()), usage: Some(usage) };

    write(store, RunWrite { end: Some(end), now: at(33), ..heartbeat(run) }).await;

    let found = store.find_run(&alice(), run.0).await.unwrap().unwrap();
    assert_eq!(found.status, RunStatus::Failed);
    assert_eq!((found.error, found.usage), (Some(error), Some(usage)));
    assert_eq!(found.ended_at, Some(at(33)));
    assert_eq!(thread(store, run.1).await.active_run_id, None);
}

pub(crate) async fn an_ended_run_takes_no_write(store: &dyn Store) {
    let run = begin_new(store).await;
    end(store, run).await;

    let late = RunWrite {
        items: vec![complete(answer(run.1, "late"))],
        events: Some(chunk(9, 9, "late")),
        ..heartbeat(run)
    };
    assert_eq!(write(store, late).await, WriteOutcome::LeaseLost);
    let other_end = RunWrite { end: Some(ended(RunStatus::Failed)), ..heartbeat(run) };
    assert_eq!(write(store, other_end).await, WriteOutcome::LeaseLost);

    assert!(texts(store, run.1).await.is_empty());
    assert_eq!(store.list_run_events(run.0, 0, 10).await.unwrap(), []);
    let found = store.find_run(&alice(), run.0).await.unwrap().unwrap();
    assert_eq!(found.status, RunStatus::Completed);
}

pub(crate) async fn an_end_sent_again_counts_as_written(store: &dyn Store) {
    let run = begin_new(store).await;
    let end = RunWrite {
        items: vec![complete(answer(run.1, "the answer"))],
        end: Some(ended(RunStatus::Completed)),
        ..heartbeat(run)
    };

    assert_eq!(write(store, end.clone()).await, WriteOutcome::Written);
    assert_eq!(write(store, end.clone()).await, WriteOutcome::Written);

    assert_eq!(texts(store, run.1).await, ["the answer"]);
    let stale = RunWrite { lease: lease(0), ..end };
    assert_eq!(write(store, stale).await, WriteOutcome::LeaseLost);
}

pub(crate) async fn a_checkpoint_sent_again_changes_nothing(store: &dyn Store) {
    let run = begin_new(store).await;
    let checkpoint = RunWrite {
        events: Some(chunk(1, 2, "ab")),
        items: vec![streaming(answer(run.1, "so far"))],
        ..heartbeat(run)
    };

    write(store, checkpoint.clone()).await;
    write(store, checkpoint).await;

    assert_eq!(texts(store, run.1).await, ["so far"]);
    assert_eq!(thread(store, run.1).await.message_count, 1);
    assert_eq!(store.list_run_events(run.0, 0, 10).await.unwrap().len(), 1);
}

pub(crate) async fn events_are_listed_after_a_number(store: &dyn Store) {
    let run = begin_new(store).await;
    for (first, last) in [(1, 3), (4, 4), (5, 9)] {
        write(store, RunWrite { events: Some(chunk(first, last, "x")), ..heartbeat(run) }).await;
    }

    for (after, limit, expected) in [
        (0, 10, vec![1, 4, 5]),
        (2, 10, vec![1, 4, 5]),
        (3, 10, vec![4, 5]),
        (4, 10, vec![5]),
        (9, 10, vec![]),
        (u64::MAX, 10, vec![]),
        (0, 2, vec![1, 4]),
    ] {
        let chunks = store.list_run_events(run.0, after, limit).await.unwrap();
        let firsts: Vec<u64> = chunks.iter().map(|chunk| chunk.first_seq).collect();
        assert_eq!(firsts, expected, "after {after}, at most {limit}");
    }
}

pub(crate) async fn an_item_written_again_keeps_its_place_and_its_run(store: &dyn Store) {
    let thread_id = new_thread(store).await;
    let first = begin(store, run_in(thread_id)).await;
    let (one, two) = (answer(thread_id, "one"), answer(thread_id, "two"));
    let items = vec![streaming(one.clone()), streaming(two)];
    write(store, RunWrite { items, ..heartbeat(first) }).await;
    end(store, first).await;
    let second = begin(store, run_in(thread_id)).await;

    let grown = ThreadItem { id: one.id, ..answer(thread_id, "one, whole") };
    let items = vec![complete(answer(thread_id, "three")), complete(grown)];
    write(store, RunWrite { items, ..heartbeat(second) }).await;

    assert_eq!(texts(store, thread_id).await, ["one, whole", "two", "three"]);
    let read = store.find_item(&alice(), thread_id, one.id).await.unwrap().unwrap();
    assert_eq!((read.status, read.run_id), (ItemStatus::Complete, Some(first.0)));
    assert_eq!(thread(store, thread_id).await.message_count, 3);
}

pub(crate) async fn a_removed_item_is_gone_and_not_counted(store: &dyn Store) {
    let thread_id = new_thread(store).await;
    let elsewhere = new_thread(store).await;
    let foreign = put_messages(store, elsewhere, &["elsewhere"]).await.remove(0);
    let run = begin(store, run_in(thread_id)).await;
    let (seen, unseen) = (answer(thread_id, "seen"), hidden(thread_id));
    let items = vec![complete(seen.clone()), complete(unseen.clone())];
    write(store, RunWrite { items, ..heartbeat(run) }).await;

    let removed = vec![seen.id, unseen.id, foreign.id];
    write(store, RunWrite { removed, now: at(50), ..heartbeat(run) }).await;

    assert!(texts(store, thread_id).await.is_empty());
    let record = thread(store, thread_id).await;
    assert_eq!((record.message_count, record.updated_at), (0, at(50)));
    assert_eq!(texts(store, elsewhere).await, ["elsewhere"]);
}

pub(crate) async fn an_item_written_and_removed_at_once_is_not_kept(store: &dyn Store) {
    let run = begin_new(store).await;
    let (kept, gone) = (answer(run.1, "kept"), answer(run.1, "gone"));

    let removed = vec![gone.id];
    let items = vec![complete(gone), complete(kept)];
    write(store, RunWrite { items, removed, ..heartbeat(run) }).await;

    assert_eq!(texts(store, run.1).await, ["kept"]);
    assert_eq!(thread(store, run.1).await.message_count, 1);
}

pub(crate) async fn a_run_changes_its_threads_title(store: &dyn Store) {
    let run = begin_new(store).await;
    let patch = ThreadPatch { title: Some(Some("A title".to_owned())), ..ThreadPatch::default() };

    write(store, RunWrite { thread: patch, ..heartbeat(run) }).await;

    assert_eq!(thread(store, run.1).await.title.as_deref(), Some("A title"));
}

pub(crate) async fn a_run_of_a_deleted_thread_has_lost_its_lease(store: &dyn Store) {
    let run = begin_new(store).await;
    store.delete_thread(&alice(), run.1).await.unwrap().unwrap();
    let checkpoint = RunWrite {
        events: Some(chunk(1, 1, "x")),
        items: vec![streaming(answer(run.1, "to nobody"))],
        ..heartbeat(run)
    };

    assert_eq!(write(store, checkpoint).await, WriteOutcome::LeaseLost);
}
