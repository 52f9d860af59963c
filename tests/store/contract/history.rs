//! What the model is given of a thread.

use chatkit_gateway::store::{
    Store,
    record::{RunWrite, ToolCallRecord, ToolCallState},
};

use crate::harness::{
    alice, at, begin, complete, end, heartbeat, hidden, new_thread, put_messages, run_in,
    user_message, workflow, write,
};

pub(crate) async fn a_history_holds_the_newest_items_oldest_first(store: &dyn Store) {
    let thread_id = new_thread(store).await;
    put_messages(store, thread_id, &["1", "2", "3"]).await;
    store.upsert_items(&alice(), thread_id, &[hidden(thread_id)], at(3)).await.unwrap();

    let history = store.load_history(thread_id, 3).await.unwrap();

    let texts: Vec<String> =
        history.items.iter().map(|record| record.item.kind.plain_text()).collect();
    assert_eq!(texts, ["2", "3", "for the model"]);
    assert_eq!(history.tool_calls, []);
}

pub(crate) async fn a_history_holds_the_tool_calls_of_its_items(store: &dyn Store) {
    let thread_id = new_thread(store).await;
    let mut calls = Vec::new();
    for turn in 0..2_u32 {
        let mut run = run_in(thread_id);
        run.now = at(10 + i64::from(turn));
        let run = begin(store, run).await;
        let item = workflow(thread_id);
        let made: Vec<ToolCallRecord> = (0..2)
            .map(|position| ToolCallRecord {
                run_id: run.0,
                position,
                turn,
                item_id: item.id,
                call_id: format!("call_{turn}_{position}"),
                name: "list_tasks".to_owned(),
                arguments: "{ \"filter\": 1.0 }".to_owned(),
                state: ToolCallState::Completed,
                output: Some("[]".to_owned()),
            })
            .collect();
        let reversed = made.iter().rev().cloned().collect();
        let items = vec![complete(item)];
        write(store, RunWrite { items, tool_calls: reversed, ..heartbeat(run) }).await;
        end(store, run).await;
        calls.extend(made);
    }

    let whole = store.load_history(thread_id, 10).await.unwrap();
    let last = store.load_history(thread_id, 1).await.unwrap();

    assert_eq!(whole.tool_calls, calls);
    assert_eq!(last.tool_calls, calls[2..]);
    store
        .upsert_items(&alice(), thread_id, &[user_message(thread_id, "more")], at(30))
        .await
        .unwrap();
    assert_eq!(store.load_history(thread_id, 1).await.unwrap().tool_calls, []);
}
