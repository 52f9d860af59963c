//! Tools of other MCP servers in a conversation.

use chatkit_gateway::{demo::scripted_model::Step, protocol::ThreadEvent};
use serde_json::{Value, json};

use crate::{
    support::{TestServer, events::done_text},
    tool_server::{Era, ToolServer},
};

/// A gateway with this server's tools.
pub(crate) async fn gateway(server: &ToolServer, more: &str) -> TestServer {
    let url = &server.url;
    let file = format!("[[mcp.servers]]\nname = \"srv\"\nurl = \"{url}\"\n{more}\n");
    let vars = [("gateway.toml", file.as_str()), ("TOKEN", "of-the-operator")];
    TestServer::start_with_tool_servers(&vars).await
}

/// What the model was told that its calls gave.
pub(crate) fn outputs(body: &Value) -> Vec<&str> {
    let items = body["input"].as_array().unwrap().iter();
    let outputs = items.filter(|item| item["type"] == "function_call_output");
    outputs.map(|item| item["output"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_model_is_offered_a_servers_tools_behind_the_gateways_own_and_calls_them() {
    let tools = ToolServer::start(Era::Modern, &["echo"]).await;
    let headers = "headers = { Authorization = \"Bearer ${TOKEN}\" }";
    let server = gateway(&tools, headers).await;
    server.model.will_play([Step::call("srv__echo", &json!({ "a": 1 }))]);

    let events = server.alice().say("call it").await.rest().await;

    assert_eq!(done_text(&events).unwrap(), "Hello there.");
    let asked = server.model.call(1).await;
    let names: Vec<&str> = asked.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!((names[0], names[5]), ("add_task", "srv__echo"));
    assert_eq!(outputs(&server.model.call(2).await.body), ["{\"a\":1}"]);
    let call = tools.came("tools/call").remove(0);
    assert_eq!(call.header("authorization"), Some("Bearer of-the-operator"));
    let token = server.token("alice");
    let told = format!("{:?} {}", call.headers, call.body);
    assert!(!told.contains(&token) && !told.contains("alice"), "nothing of the caller goes out");
    server.stop().await;
}

#[tokio::test]
async fn progress_of_a_tool_is_progress_of_the_answer() {
    let tools = ToolServer::start(Era::Legacy, &["tell"]).await;
    let server = gateway(&tools, "").await;
    server.model.will_play([Step::call("srv__tell", &json!({}))]);

    let mut stream = server.alice().say("call it").await;
    let is_it = |event: &ThreadEvent| matches!(event, ThreadEvent::ProgressUpdate { text, .. } if text == "tell: Looking around");
    stream.until(is_it).await;
    tools.go_on();
    stream.rest().await;

    assert_eq!(outputs(&server.model.call(2).await.body), ["told"]);
    server.stop().await;
}

#[tokio::test]
async fn stop_is_passed_on_to_the_tool_server() {
    let tools = ToolServer::start(Era::Legacy, &["hang"]).await;
    let server = gateway(&tools, "").await;
    let alice = server.alice();
    server.model.will_play([Step::call("srv__hang", &json!({}))]);
    let mut stream = alice.say("call it").await;
    let call = tools.until(|came| came.method() == "tools/call").await;

    alice.cancel(&stream.run_id).await;

    let cancelled = tools.until(|came| came.method() == "notifications/cancelled").await;
    assert_eq!(cancelled.body["params"]["requestId"], call.body["id"]);
    stream.rest().await;
    assert_eq!(alice.run(&stream.run_id).await["status"], "cancelled");
    server.stop().await;
}

#[tokio::test]
async fn the_model_sees_an_image_that_a_tool_gives_in_both_dialects() {
    for api in ["responses", "chat_completions"] {
        let tools = ToolServer::start(Era::Modern, &["picture"]).await;
        let file = format!("[[mcp.servers]]\nname = \"srv\"\nurl = \"{}\"\n", tools.url);
        let server =
            TestServer::start_with_tool_servers(&[("gateway.toml", &file), ("OPENAI_API", api)])
                .await;
        server.model.will_play([Step::call("srv__picture", &json!({}))]);

        server.alice().talk("look").await;

        let told = server.model.call(2).await.body.to_string();
        assert!(told.contains("data:image/png;base64,aGk="), "{told}");
        assert!(told.contains("Image 1 that the tool srv__picture gave:"), "{told}");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_list_that_changes_is_what_the_next_turn_of_the_model_is_offered() {
    let tools = ToolServer::start(Era::Legacy, &["one"]).await;
    let server = gateway(&tools, "").await;
    let alice = server.alice();
    tools.until_heard().await;
    tools.change(&["one", "two"]);

    // Nothing tells outside when the new list is there: ask until it is.
    let mut turn = 0;
    let names = loop {
        alice.talk("what is there?").await;
        turn += 1;
        let asked = server.model.call(turn).await;
        let names: Vec<String> = asked.tools.iter().map(|tool| tool.name.clone()).collect();
        if names.len() > 6 {
            break names;
        }
    };

    assert_eq!(names[5..], ["srv__one", "srv__two"]);
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_is_away_costs_the_answer_nothing_but_its_tools() {
    let file = "[[mcp.servers]]\nname = \"srv\"\nurl = \"http://127.0.0.1:9/mcp\"\n";
    let server = TestServer::start_with(&[("gateway.toml", file)]).await;
    server.model.will_play([Step::call("srv__echo", &json!({}))]);

    let events = server.alice().say("call it").await.rest().await;

    assert_eq!(done_text(&events).unwrap(), "Hello there.");
    let outputs_of = server.model.call(2).await;
    assert!(outputs(&outputs_of.body)[0].contains("there is no tool srv__echo"));
    server.stop().await;
}
