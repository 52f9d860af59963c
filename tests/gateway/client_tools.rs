//! Tools that run in the user's page.

use chatkit_gateway::{
    demo::scripted_model::Step,
    protocol::{
        ItemKind, ThreadEvent,
        item::{ClientToolCall, ClientToolStatus},
    },
};
use serde_json::{Value, json};

use crate::support::{Received, TestServer, events::kinds};

const FILE: &str = r#"
    [[client_tools]]
    name = "get_selection"
    description = "What the user has selected."
    parameters = { type = "object", properties = { scope = { type = "string" } } }

    [[client_tools]]
    name = "scroll"
    description = "Scrolls the page."
"#;

async fn start() -> TestServer {
    TestServer::start_with(&[("gateway.toml", FILE)]).await
}

fn last_call(events: &[Received]) -> &ClientToolCall {
    let last = events.last().unwrap();
    match &last.event {
        ThreadEvent::ItemDone { item } => match &item.kind {
            ItemKind::ClientToolCall(call) => call,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// What the model got of calls and their outputs.
fn calls_in(body: &Value) -> Vec<String> {
    let items = body["input"].as_array().unwrap().iter();
    let calls = items.filter(|item| item["type"].as_str().unwrap().starts_with("function_call"));
    calls
        .map(|item| match &item["name"] {
            Value::String(name) => format!("call {name}"),
            _ => format!("output {}", item["output"].as_str().unwrap()),
        })
        .collect()
}

#[tokio::test]
async fn a_call_of_the_pages_tool_ends_the_run_and_waits() {
    let server = start().await;
    server.model.will_play([
        Step::text("Let me look."),
        Step::call("get_selection", &json!({"scope": "page"})),
    ]);

    let mut stream = server.alice().say("what is this?").await;
    let events = stream.rest().await;

    let offered = &server.model.call(1).await.body["tools"];
    let offered: Vec<&str> =
        offered.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert!(offered.ends_with(&["get_selection", "scroll"]), "{offered:?}");
    let call = last_call(&events);
    assert_eq!((call.status, call.name.as_str()), (ClientToolStatus::Pending, "get_selection"));
    assert_eq!(Value::from(call.arguments.clone()), json!({"scope": "page"}));
    assert_eq!(server.model.calls(), 1);
    assert_eq!(server.alice().run(&stream.run_id).await["status"], "completed");
    server.stop().await;
}

#[tokio::test]
async fn the_gateways_tools_of_the_same_answer_run_first_and_are_remembered() {
    let server = start().await;
    let alice = server.alice();
    server.model.will_play([
        Step::call("scroll", &json!({})),
        Step::call("add_task", &json!({"title": "milk"})),
        Step::call("get_selection", &json!({})),
    ]);

    let mut stream = alice.say("do it all").await;
    let events = stream.rest().await;
    // Instead of the page's answer, the user goes on.
    alice.say_in(&stream.thread_id, "never mind").await.rest().await;

    let shown: Vec<String> = kinds(&events).into_iter().skip(3).collect();
    assert_eq!(
        shown,
        [
            "thread.item.added workflow",
            "thread.item.updated workflow.task.added",
            "progress_update",
            "thread.item.updated workflow.task.updated",
            "thread.item.done client_tool_call",
        ]
    );
    assert_eq!(last_call(&events).name, "scroll");
    let told = calls_in(&server.model.call(2).await.body);
    let expected =
        ["call add_task", "milk", "call scroll", "output", "call get_selection", "was not made"];
    assert_eq!(told.len(), expected.len(), "{told:?}");
    assert!(told.iter().zip(expected).all(|(told, part)| told.contains(part)), "{told:?}");
    server.stop().await;
}

#[tokio::test]
async fn the_open_workflow_is_stored_before_the_call_and_without_an_end() {
    let server = start().await;
    let alice = server.alice();
    server
        .model
        .will_play([Step::Reasoning("Hm.".to_owned()), Step::call("get_selection", &json!({}))]);

    let mut stream = alice.say("what is this?").await;
    let events = stream.rest().await;

    assert!(!kinds(&events).contains(&"thread.item.done workflow".to_owned()));
    let page = json!({ "thread_id": stream.thread_id, "order": "asc" });
    let items = alice.chatkit("items.list", &page).await.body["data"].clone();
    let stored: Vec<&str> =
        items.as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(stored, ["user_message", "workflow", "client_tool_call"]);
    assert_eq!(items[1]["workflow"]["summary"], Value::Null);
    server.stop().await;
}

#[tokio::test]
async fn broken_arguments_are_told_to_the_model_which_may_try_again() {
    let server = start().await;
    server
        .model
        .will_play([Step::Call { name: "get_selection".to_owned(), arguments: "[1]".to_owned() }]);
    server.model.will_play([Step::call("get_selection", &json!({}))]);

    let events = server.alice().say("what is this?").await.rest().await;

    assert_eq!(last_call(&events).status, ClientToolStatus::Pending);
    let told = calls_in(&server.model.call(2).await.body);
    assert!(told[1].contains("not a JSON object"), "{told:?}");
    server.stop().await;
}

#[tokio::test]
async fn the_pages_answer_goes_on_with_the_open_workflow() {
    let server = start().await;
    let alice = server.alice();
    let think = || Step::Reasoning("Hm.".to_owned());
    server.model.will_play([think(), Step::call("get_selection", &json!({}))]);
    let mut stream = alice.say("what is this?").await;
    stream.rest().await;
    let add = Step::call("add_task", &json!({"title": "milk"}));
    server.model.will_play([think(), add]);

    let answer = json!({ "thread_id": stream.thread_id, "result": "a bottle" });
    let events = alice.chatkit_stream("threads.add_client_tool_output", &answer).await.rest().await;

    let shown: Vec<String> = kinds(&events).into_iter().skip(1).take(6).collect();
    assert_eq!(
        shown,
        [
            // A thought, …
            "thread.item.updated workflow.task.added",
            "thread.item.updated workflow.task.updated",
            // … the call, …
            "thread.item.updated workflow.task.added",
            "progress_update",
            "thread.item.updated workflow.task.updated",
            // … and the message, which ends the workflow.
            "thread.item.done workflow",
        ]
    );
    let told = calls_in(&server.model.call(3).await.body);
    assert_eq!(told[..3], ["call get_selection", "output \"a bottle\"", "call add_task"]);
    alice.say_in(&stream.thread_id, "thanks").await.rest().await;
    let told_later = calls_in(&server.model.call(4).await.body);
    assert_eq!(told_later, told);
    server.stop().await;
}

#[tokio::test]
async fn an_open_workflow_does_not_look_as_if_it_streamed_when_its_run_has_ended() {
    let server = start().await;
    let alice = server.alice();
    let think = || Step::Reasoning("Hm.".to_owned());
    server.model.will_play([think(), Step::call("get_selection", &json!({}))]);
    let mut stream = alice.say("what is this?").await;
    stream.rest().await;
    let workflow_status = async || {
        let messages = alice.thread(&stream.thread_id).await["messages"].clone();
        let is_workflow = |message: &&Value| message["item"]["type"] == "workflow";
        let found = messages.as_array().unwrap().iter().find(is_workflow).unwrap().clone();
        found["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(workflow_status().await, "complete");

    // The run that goes on with it makes a call and is stopped behind it.
    server.model.will_play([think(), Step::call("add_task", &json!({"title": "milk"}))]);
    server.model.will_play([Step::Hang]);
    let answer = json!({ "thread_id": stream.thread_id, "result": "a bottle" });
    let mut resumed = alice.chatkit_stream("threads.add_client_tool_output", &answer).await;
    server.model.call(3).await;
    assert_eq!(workflow_status().await, "streaming");
    alice.cancel(&resumed.run_id).await;
    resumed.rest().await;

    assert_eq!(workflow_status().await, "cancelled");
    server.stop().await;
}
