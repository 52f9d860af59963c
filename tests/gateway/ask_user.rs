//! The model asks the user.

use chatkit_gateway::{
    demo::scripted_model::Step,
    protocol::{ItemKind, ThreadEvent, ThreadItem, item::StructuredInputStatus},
};
use serde_json::{Value, json};

use crate::{
    support::{Received, TestServer, events::done_text},
    tool_servers::outputs,
};

const FILE: &str = "[tools]\nask_user = true\n";

/// The questions that are done.
pub(crate) fn forms(events: &[Received]) -> Vec<ThreadItem> {
    let done = events.iter().filter_map(|received| match &received.event {
        ThreadEvent::ItemDone { item } => Some((**item).clone()),
        _ => None,
    });
    done.filter(|item| matches!(item.kind, ItemKind::StructuredInput(_))).collect()
}

fn question() -> Step {
    let questions = json!([
        { "question": "Which colour?", "options": ["red", "blue"] },
        { "question": "Why?" },
    ]);
    Step::call("ask_user", &json!({ "questions": questions }))
}

/// The user has said something to which the model asks back.
async fn asked(server: &TestServer) -> ThreadItem {
    server.model.will_play([question()]);
    let events = server.alice().say("paint it").await.rest().await;
    forms(&events).pop().unwrap()
}

fn answer(form: &ThreadItem, input: &Value) -> Value {
    json!({ "thread_id": form.thread_id, "item_id": form.id, "input": input })
}

#[tokio::test]
async fn the_answers_of_the_user_are_what_the_call_gives() {
    let server = TestServer::start_with(&[("gateway.toml", FILE)]).await;
    let form = asked(&server).await;
    let answers =
        json!({ "question_1": { "values": ["blue"] }, "question_2": { "skipped": true } });

    let body = answer(&form, &json!({ "status": "answered", "answers": answers }));
    let mut stream = server.alice().chatkit_stream("threads.add_structured_input", &body).await;
    let events = stream.rest().await;

    assert_eq!(done_text(&events).unwrap(), "Hello there.");
    let told = server.model.call(2).await;
    let told: Value = serde_json::from_str(outputs(&told.body)[0]).unwrap();
    assert_eq!(
        told["answers"],
        json!([
            { "question": "Which colour?", "answer": ["blue"] },
            { "question": "Why?", "skipped": true },
        ])
    );
    let again = server.alice().chatkit("threads.add_structured_input", &body).await;
    assert_eq!((again.status.as_u16(), again.code()), (409, "not_pending"));
    server.stop().await;
}

#[tokio::test]
async fn a_user_who_writes_something_else_has_skipped_the_questions() {
    let server = TestServer::start_with(&[("gateway.toml", FILE)]).await;
    let alice = server.alice();
    let form = asked(&server).await;

    alice.say_in(&form.thread_id.to_string(), "never mind").await.rest().await;

    let told = server.model.call(2).await;
    assert!(outputs(&told.body)[0].contains("went on without answering"));
    let page = json!({ "thread_id": form.thread_id, "order": "asc" });
    let items = alice.chatkit("items.list", &page).await.body["data"].clone();
    let items: Vec<ThreadItem> = serde_json::from_value(items).unwrap();
    let kept = items.into_iter().find(|item| item.id == form.id).unwrap();
    let ItemKind::StructuredInput(kept) = kept.kind else { unreachable!() };
    assert_eq!(kept.status, StructuredInputStatus::Skipped);
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_asked_is_told_to_the_model() {
    let server = TestServer::start_with(&[("gateway.toml", FILE)]).await;
    server.model.will_play([Step::call("ask_user", &json!({ "questions": [] }))]);

    let events = server.alice().say("paint it").await.rest().await;

    assert!(forms(&events).is_empty());
    assert!(outputs(&server.model.call(2).await.body)[0].starts_with("wrong arguments"));
    server.stop().await;
}

#[tokio::test]
async fn nobody_is_asked_unless_the_operator_wants_it() {
    let server = TestServer::start().await;

    server.alice().talk("hi").await;

    let offered = &server.model.call(1).await.tools;
    assert!(offered.iter().all(|tool| tool.name != "ask_user"));
    server.stop().await;
}
