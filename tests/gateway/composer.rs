//! What a user chooses for one message: a model, and a tool.

use chatkit_gateway::{demo::scripted_model::Step, protocol::ThreadEvent};
use serde_json::{Value, json};

use crate::support::{Client, Received, TestServer, events::done_text};

const FILE: &str = r#"
    [agent]
    models = ["large", { id = "fast", model = "nano" }]

    [[composer_tools]]
    id = "tasks"
    tools = ["add_task", "list_*"]

    [[composer_tools]]
    id = "selection"
    tools = ["get_selection"]
    only_when_chosen = true

    [[client_tools]]
    name = "get_selection"
    description = "What the user has selected."
"#;
const DIALECTS: [&str; 2] = ["responses", "chat_completions"];

async fn start(api: &str) -> TestServer {
    TestServer::start_with(&[("gateway.toml", FILE), ("OPENAI_API", api)]).await
}

/// A message of a page, with what was chosen for it.
fn message(options: &Value) -> Value {
    let content = json!([{ "type": "input_text", "text": "go" }]);
    json!({ "input": { "content": content, "attachments": [], "inference_options": options } })
}

async fn say(client: &Client, options: Value) -> Vec<Received> {
    client.chatkit_stream("threads.create", &message(&options)).await.rest().await
}

/// The functions that the model was offered.
fn offered(body: &Value) -> Vec<&str> {
    let tools = body["tools"].as_array().unwrap().iter();
    tools.map(|tool| tool["name"].as_str().or(tool["function"]["name"].as_str()).unwrap()).collect()
}

#[tokio::test]
async fn the_chosen_model_answers_under_the_name_that_its_server_knows() {
    for api in DIALECTS {
        let server = start(api).await;
        let alice = server.alice();

        for options in [json!({}), json!({ "model": "large" }), json!({ "model": "fast" })] {
            say(&alice, options).await;
        }

        for (number, model) in [(1, "test-model"), (2, "large"), (3, "nano")] {
            assert_eq!(server.model.call(number).await.body["model"], model);
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn what_is_not_offered_is_refused_before_anything_is_stored_or_asked() {
    let server = start("responses").await;
    let alice = server.alice();

    for (options, named) in [
        (json!({ "model": "nano" }), "\"nano\""),
        (json!({ "tool_choice": { "id": "add_task" } }), "\"add_task\""),
    ] {
        let refused = alice.chatkit("threads.create", &message(&options)).await;

        assert_eq!((refused.status.as_u16(), refused.code()), (400, "invalid_request"));
        let text = refused.body["error"]["message"].as_str().unwrap();
        assert!(text.contains(named) && text.contains("cannot be chosen"), "{text}");
    }
    let body = json!({ "content": "go", "model": "huge" });
    assert_eq!(alice.post("/api/chatkit/messages", &body).await.status.as_u16(), 400);
    assert_eq!(alice.get("/api/chatkit/threads").await.body["data"], json!([]));
    assert_eq!(server.model.calls(), 0);
    server.stop().await;
}

#[tokio::test]
async fn without_a_configuration_the_models_own_name_is_all_that_may_be_chosen() {
    let server = TestServer::start().await;
    let alice = server.alice();

    let own = say(&alice, json!({ "model": "test-model" })).await;
    let other = alice.chatkit("threads.create", &message(&json!({ "model": "large" }))).await;

    assert_eq!(done_text(&own).unwrap(), "Hello there.");
    assert_eq!(other.status.as_u16(), 400);
    server.stop().await;
}

#[tokio::test]
async fn a_chosen_tool_is_what_the_model_has_to_begin_with_and_nothing_else() {
    for api in DIALECTS {
        let server = start(api).await;
        server.model.will_play([Step::call("list_tasks", &json!({}))]);

        let events = say(&server.alice(), json!({ "tool_choice": { "id": "tasks" } })).await;

        let first = server.model.call(1).await.body.clone();
        assert_eq!(first["tool_choice"], "required", "{api}");
        assert_eq!(offered(&first), ["add_task", "list_tasks"]);
        let second = server.model.call(2).await.body.clone();
        assert_eq!(second.get("tool_choice"), None);
        assert!(offered(&second).len() > 2);
        assert_eq!(done_text(&events).unwrap(), "Hello there.");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_tool_that_is_kept_back_can_neither_be_seen_nor_called_unless_it_is_chosen() {
    let server = start("responses").await;
    server.model.will_play([Step::call("get_selection", &json!({}))]);

    let events = say(&server.alice(), json!({})).await;

    assert!(!offered(&server.model.call(1).await.body).contains(&"get_selection"));
    // The page was not asked: the model is told that there is no such tool.
    let told = &server.model.call(2).await.body["input"];
    let told = told.as_array().unwrap().last().unwrap()["output"].as_str().unwrap();
    assert!(told.starts_with("there is no tool get_selection; there are: add_task"), "{told}");
    assert_eq!(done_text(&events).unwrap(), "Hello there.");
    server.stop().await;
}

#[tokio::test]
async fn the_pages_answer_goes_on_with_the_choice_without_having_to_call_again() {
    let server = start("responses").await;
    let alice = server.alice();
    server.model.will_play([Step::call("get_selection", &json!({}))]);
    let options = json!({ "model": "fast", "tool_choice": { "id": "selection" } });
    let mut stream = alice.chatkit_stream("threads.create", &message(&options)).await;
    stream.rest().await;

    let answer = json!({ "thread_id": stream.thread_id, "result": "some words" });
    let events = alice.chatkit_stream("threads.add_client_tool_output", &answer).await.rest().await;

    let first = server.model.call(1).await.body.clone();
    assert_eq!(
        (&first["tool_choice"], offered(&first)),
        (&json!("required"), vec!["get_selection"])
    );
    let second = server.model.call(2).await.body.clone();
    assert_eq!((second.get("tool_choice"), &second["model"]), (None, &json!("nano")));
    assert!(offered(&second).contains(&"get_selection"));
    assert_eq!(done_text(&events).unwrap(), "Hello there.");
    server.stop().await;
}

#[tokio::test]
async fn a_chosen_tool_whose_server_is_away_is_said_to_the_user_and_nothing_is_asked() {
    let file = r#"
        [[composer_tools]]
        id = "search"
        tools = ["away__*"]

        [[mcp.servers]]
        name = "away"
        command = "/bin/false"
    "#;
    let server = TestServer::start_with(&[("gateway.toml", file)]).await;

    let events = say(&server.alice(), json!({ "tool_choice": { "id": "search" } })).await;

    let Some(ThreadEvent::Error(error)) = events.last().map(|last| &last.event) else {
        panic!("the run went well: {events:?}");
    };
    assert_eq!(error.message.as_deref(), Some("\"search\" cannot be used at the moment."));
    assert!(error.allow_retry);
    assert_eq!(server.model.calls(), 0);
    server.stop().await;
}

#[tokio::test]
async fn a_remote_agent_decides_itself_unless_choices_are_configured() {
    let file = |models: &str| {
        format!("[agent]\nkind = \"remote\"\nurl = \"http://127.0.0.1:9/agent\"\n{models}")
    };
    let options = json!({ "model": "any" });

    let open = TestServer::start_with(&[("gateway.toml", &file(""))]).await;
    let events = say(&open.alice(), options.clone()).await;
    assert!(matches!(events.last().unwrap().event, ThreadEvent::Error(_)), "it was asked, in vain");
    open.stop().await;

    let closed = TestServer::start_with(&[("gateway.toml", &file("models = [\"a\"]"))]).await;
    let refused = closed.alice().chatkit("threads.create", &message(&options)).await;
    assert_eq!(refused.status.as_u16(), 400);
    closed.stop().await;
}
