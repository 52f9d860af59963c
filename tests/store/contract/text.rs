//! Text that is hard to keep.

use chatkit_gateway::{
    protocol::{
        ItemKind,
        item::{UserMessage, WidgetItem},
    },
    store::{
        Store,
        record::{NewTask, RunWrite, TaskPatch, ThreadPatch, ToolCallRecord, ToolCallState},
    },
};
use serde_json::json;

use crate::harness::{
    alice, answer, at, begin_new, chunk, complete, heartbeat, item, new_thread, put_messages,
    texts, workflow, write,
};

pub(crate) async fn nul_becomes_the_replacement_character_everywhere(store: &dyn Store) {
    let run = begin_new(store).await;
    let shown = answer(run.1, "a\0b");
    let steps = workflow(run.1);
    let widget = WidgetItem { widget: json!({"a\0": "\0"}), copy_text: Some("\0".to_owned()) };
    let call = ToolCallRecord {
        run_id: run.0,
        position: 0,
        turn: 0,
        item_id: steps.id,
        call_id: "c\0".to_owned(),
        name: "n\0".to_owned(),
        arguments: "{\"a\": \"\\u0000\"}\0".to_owned(),
        state: ToolCallState::Completed,
        output: Some("binary\0output".to_owned()),
    };
    let checkpoint = RunWrite {
        events: Some(chunk(1, 1, "e\0")),
        items: vec![
            complete(shown),
            complete(item(run.1, ItemKind::Widget(widget))),
            complete(steps),
        ],
        tool_calls: vec![call],
        thread: ThreadPatch { title: Some(Some("t\0".to_owned())), ..ThreadPatch::default() },
        ..heartbeat(run)
    };

    write(store, checkpoint).await;

    let history = store.load_history(run.1, 10).await.unwrap();
    assert_eq!(history.items[0].item.kind.plain_text(), "a\u{fffd}b");
    let ItemKind::Widget(widget) = &history.items[1].item.kind else { panic!("{history:?}") };
    assert_eq!(widget.widget, json!({"a\u{fffd}": "\u{fffd}"}));
    assert_eq!(history.tool_calls[0].output.as_deref(), Some("binary\u{fffd}output"));
    assert_eq!(history.tool_calls[0].arguments, "{\"a\": \"\\u0000\"}\u{fffd}");
    assert_eq!(store.list_run_events(run.0, 0, 1).await.unwrap()[0].payload, "e\u{fffd}");
    let task = NewTask { title: "\0".to_owned(), description: Some("\0".to_owned()) };
    let task = store.insert_task(&alice(), task, at(0)).await.unwrap();
    assert_eq!((task.title.as_str(), task.description.as_deref()), ("\u{fffd}", Some("\u{fffd}")));
    let patch = TaskPatch { title: Some("\0\0".to_owned()), ..TaskPatch::default() };
    let task = store.update_task(&alice(), task.id, patch, at(1)).await.unwrap().unwrap();
    assert_eq!(task.title, "\u{fffd}\u{fffd}");
    assert_eq!(store.find_session("\0").await.unwrap(), None);
}

pub(crate) async fn text_of_every_script_comes_back(store: &dyn Store) {
    let hard = "Zoë 你好 שלום 👩‍👩‍👧 \u{202e}x\u{1}\u{7f}\r\n\t\"\\ %s '' $1 ?1 {}";
    let thread_id = new_thread(store).await;

    let given = put_messages(store, thread_id, &[hard]).await.remove(0);

    assert_eq!(texts(store, thread_id).await, [hard]);
    let read = store.find_item(&alice(), thread_id, given.id).await.unwrap().unwrap();
    assert_eq!(read.item.kind, ItemKind::UserMessage(UserMessage::from_text(hard)));
}

pub(crate) async fn text_that_looks_like_json_stays_text(store: &dyn Store) {
    let run = begin_new(store).await;
    let given = ["1.0", "007", "null", "true", "{\"a\": 1}", "[]", "\\u0000", "\"", ""];

    let items = given.iter().map(|text| complete(answer(run.1, text))).collect();
    let events = Some(chunk(1, 1, "1.0"));
    write(store, RunWrite { items, events, ..heartbeat(run) }).await;

    assert_eq!(texts(store, run.1).await, given);
    assert_eq!(store.list_run_events(run.0, 0, 1).await.unwrap()[0].payload, "1.0");
}
