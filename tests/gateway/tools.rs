//! Tool calls: made, shown, kept.

use chatkit_gateway::demo::scripted_model::Step;
use serde_json::{Value, json};

use crate::support::{
    TestServer,
    events::{done_text, kinds},
};

#[tokio::test]
async fn a_tool_call_is_shown_as_a_task_of_a_workflow() {
    let server = TestServer::start().await;
    server.model.will_play([Step::call("add_task", &json!({"title": "milk"}))]);

    let mut stream = server.alice().say("add milk").await;
    let events = stream.rest().await;

    let shown: Vec<String> = kinds(&events).into_iter().skip(3).take(5).collect();
    assert_eq!(
        shown,
        [
            "thread.item.added workflow",
            "thread.item.updated workflow.task.added",
            "progress_update",
            "thread.item.updated workflow.task.updated",
            "thread.item.done workflow",
        ]
    );
    assert_eq!(done_text(&events).unwrap(), "Hello there.");
    server.stop().await;
}

#[tokio::test]
async fn several_calls_of_one_turn_are_all_made_and_their_results_go_to_the_model() {
    let server = TestServer::start().await;
    let alice = server.alice();
    server.model.will_play([
        Step::call("add_task", &json!({"title": "milk"})),
        Step::call("add_task", &json!({"title": "bread"})),
    ]);

    alice.talk("add milk and bread").await;

    let tasks = alice.get("/api/alice/tasks").await.body;
    let titles: Vec<&Value> =
        tasks["data"].as_array().unwrap().iter().map(|t| &t["title"]).collect();
    assert_eq!(titles.len(), 2, "{tasks}");
    let outputs = outputs_of(&server.model.call(2).await.body);
    assert_eq!(outputs.len(), 2);
    assert!(outputs[0].contains("milk") && outputs[1].contains("bread"), "{outputs:?}");
    server.stop().await;
}

#[tokio::test]
async fn tool_calls_and_their_results_stay_in_the_history() {
    let server = TestServer::start().await;
    let alice = server.alice();
    server.model.will_play([Step::call("add_task", &json!({"title": "milk"}))]);
    let thread = alice.talk("add milk").await;

    alice.say_in(&thread, "and now?").await.rest().await;

    let body = &server.model.call(3).await.body;
    let kinds: Vec<&str> = body["input"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["type"].as_str().filter(|kind| *kind != "message").unwrap_or("message"))
        .collect();
    assert_eq!(kinds, ["message", "function_call", "function_call_output", "message", "message"]);
    server.stop().await;
}

#[tokio::test]
async fn a_bad_call_is_an_error_for_the_model_and_the_run_goes_on() {
    let server = TestServer::start().await;
    let calls = [
        Step::Call { name: "no_such_tool".into(), arguments: "{}".into() },
        Step::Call { name: "add_task".into(), arguments: "[1]".into() },
        Step::Call { name: "add_task".into(), arguments: "{\"title\":".into() },
        Step::Call { name: "complete_task".into(), arguments: "{\"task_id\":99}".into() },
    ];

    for (turn, call) in calls.into_iter().enumerate() {
        server.model.will_play([call]);
        let events = server.alice().say("do it").await.rest().await;
        assert_eq!(done_text(&events).unwrap(), "Hello there.");
        let outputs = outputs_of(&server.model.call(2 * turn as u64 + 2).await.body);
        assert_eq!(outputs.len(), 1, "{outputs:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_model_that_calls_for_ever_is_stopped_after_16_turns() {
    let server = TestServer::start().await;
    for _ in 0..20 {
        server.model.will_play([Step::call("list_tasks", &json!({}))]);
    }

    let mut stream = server.alice().say("go").await;
    stream.rest().await;

    assert_eq!(server.model.calls(), 16);
    assert_eq!(server.alice().run(&stream.run_id).await["status"], "failed");
    server.stop().await;
}

#[tokio::test]
async fn tools_work_on_the_callers_tasks_only() {
    let server = TestServer::start().await;
    server.model.will_play([Step::call("add_task", &json!({"title": "secret"}))]);
    server.alice().talk("add it").await;
    server.model.will_play([Step::call("list_tasks", &json!({}))]);

    server.bob().talk("list").await;

    let outputs = outputs_of(&server.model.call(4).await.body);
    assert!(!outputs[0].contains("secret"), "{outputs:?}");
    server.stop().await;
}

fn outputs_of(body: &Value) -> Vec<String> {
    body["input"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["type"] == "function_call_output")
        .map(|item| item["output"].as_str().unwrap().to_owned())
        .collect()
}
