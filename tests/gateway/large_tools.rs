//! Tools that give too much, too late, are too many, or have odd names: what the user sees, and that
//! the answer comes to its end. `scripts/large-tools` measures the same with a process.

use chatkit_gateway::demo::scripted_model::Step;
use serde_json::{Value, json};

use crate::{
    support::{TestServer, events::done_text},
    tool_server::{Era, ToolServer, tool},
    tool_servers::{gateway, outputs},
};

/// Calls the tool, and answers the tasks that the user saw and what the model was told. The answer
/// has come to its end, and the thread takes the next message.
async fn call(server: &TestServer, name: &str) -> (Vec<Value>, String) {
    server.model.will_play([Step::call(name, &json!({ "a": 1 }))]);
    let alice = server.alice();

    let mut stream = alice.say("call it").await;
    let events = stream.rest().await;

    assert_eq!(done_text(&events).unwrap(), "Hello there.");
    assert_eq!(alice.run(&stream.run_id).await["status"], "completed");
    alice.say_in(&stream.thread_id, "thank you").await.rest().await;
    let page = json!({ "thread_id": stream.thread_id, "order": "asc" });
    let items = alice.chatkit("items.list", &page).await.body["data"].clone();
    let tasks = items[1]["workflow"]["tasks"].as_array().unwrap().clone();
    let told = outputs(&server.model.call(2).await.body)[0].to_owned();
    (tasks, told)
}

#[tokio::test]
async fn a_result_of_50_megabytes_fails_its_call_and_the_answer_goes_on() {
    for era in [Era::Legacy, Era::Modern] {
        let tools = ToolServer::start(era, &["flood"]).await;
        let server = gateway(&tools, "").await;

        let (tasks, told) = call(&server, "srv__flood").await;

        assert!(told.contains("too long") && told.len() < 1_000, "{told}");
        assert_eq!((tasks.len(), &tasks[0]["status_indicator"]), (1, &json!("complete")));
        server.stop().await;
    }
}

#[tokio::test]
async fn a_silent_tool_is_given_up_after_its_time_and_the_answer_goes_on() {
    let tools = ToolServer::start(Era::Modern, &["hang"]).await;
    let server = gateway(&tools, "timeout_s = 1").await;

    let (tasks, told) = call(&server, "srv__hang").await;

    assert!(told.contains("stopped after 1s"), "{told}");
    assert_eq!(tasks[0]["status_indicator"], "complete");
    server.stop().await;
}

#[tokio::test]
async fn of_ten_thousand_tools_the_model_is_offered_as_many_as_it_takes() {
    let many: Vec<Value> = (0..10_000).map(|number| tool(&format!("tool_{number}"))).collect();
    let tools = ToolServer::start_with(Era::Modern, many, 1_000).await;
    let server = gateway(&tools, "").await;

    let (_, told) = call(&server, "srv__tool_7").await;

    assert_eq!(told, "{\"a\":1}");
    assert_eq!(server.model.call(1).await.tools.len(), 128);
    server.stop().await;
}

#[tokio::test]
async fn a_name_with_line_breaks_is_made_one_line_for_the_model_and_the_user() {
    let tools = ToolServer::start(Era::Modern, &["two\nlines\r\n: data"]).await;
    let server = gateway(&tools, "").await;
    server.alice().talk("what is there?").await;
    let offered = server.model.call(1).await.tools.last().unwrap().name.clone();

    server.model.will_play([Step::call(&offered, &json!({ "a": 1 }))]);
    let mut stream = server.alice().say("call it").await;
    let events = stream.rest().await;

    assert!(offered.starts_with("srv__two_lines"), "{offered}");
    assert_eq!(done_text(&events).unwrap(), "Hello there.");
    assert_eq!(outputs(&server.model.call(3).await.body), ["{\"a\":1}"]);
    assert_eq!(tools.came("tools/call")[0].body["params"]["name"], "two\nlines\r\n: data");
    let page = json!({ "thread_id": stream.thread_id, "order": "asc" });
    let items = server.alice().chatkit("items.list", &page).await.body["data"].clone();
    let title = items[1]["workflow"]["tasks"][0]["title"].as_str().unwrap().to_owned();
    assert!(!title.contains(['\n', '\r']), "{title:?}");
    server.stop().await;
}
