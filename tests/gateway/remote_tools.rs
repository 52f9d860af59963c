//! The gateway's tools in the hands of an agent behind an address.

use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    confirmation::{CANCEL, RUN, press, tool_server, widgets},
    remote_agent::{SECRET, answers, done, example, file, path},
    support::{
        TestServer,
        agent_service::{AgentService, Asked, Play},
        answer_text,
        events::kinds,
    },
};

async fn gateway(service: &AgentService, tools: &str) -> TestServer {
    let file = file(&service.url) + tools;
    TestServer::start_with(&[("gateway.toml", &file), ("AGENT_SECRET", SECRET)]).await
}

fn wants(calls: &[(&str, &str, Value)]) -> Play {
    let calls: Vec<Value> = calls
        .iter()
        .map(|(id, name, arguments)| json!({ "call_id": id, "name": name, "arguments": arguments }))
        .collect();
    Play::Events(vec![json!({ "type": "tool_calls", "calls": calls })])
}

fn outputs(asked: &Asked) -> Vec<(String, String)> {
    let calls = asked.json()["tool_calls"].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    calls.iter().map(|call| (text(&call["status"]), text(&call["output"]))).collect()
}

#[tokio::test]
async fn a_remote_agent_may_call_the_gateways_tools_and_is_told_what_they_gave() {
    let milk = json!({ "title": "milk" });
    // As models write arguments, and as people do.
    let calls = [("1", "add_task", milk.clone()), ("2", "add_task", json!(milk.to_string()))];
    let service = AgentService::start([wants(&calls), answers("Done."), answers("Yes.")]).await;
    let server = gateway(&service, "tools = [\"add_*\"]\n").await;
    let alice = server.alice();

    let mut stream = alice.say("add milk twice").await;
    let events = stream.rest().await;
    alice.say_in(&stream.thread_id, "really?").await.rest().await;

    let shown: Vec<String> = kinds(&events).into_iter().skip(3).take(6).collect();
    assert_eq!(
        shown,
        [
            "thread.item.added workflow",
            "thread.item.updated workflow.task.added",
            "progress_update",
            "thread.item.updated workflow.task.updated",
            "thread.item.done workflow",
            "thread.item.added assistant_message",
        ]
    );
    assert_eq!(answer_text(&events), "Done.");
    let tasks = alice.get("/api/alice/tasks").await.body;
    assert_eq!(tasks["data"].as_array().unwrap().len(), 2);
    let asked = service.asked();
    let (first, second) = (asked[0].json(), asked[1].json());
    assert_eq!((&first["turn"], &second["turn"]), (&json!(0), &json!(1)));
    assert_eq!(first["run_id"], second["run_id"]);
    let tools = first["tools"].as_array().unwrap();
    assert_eq!(tools.len(), 1, "what it was given and nothing else: {tools:?}");
    assert_eq!(
        (&tools[0]["name"], &tools[0]["parameters"]["type"]),
        (&json!("add_task"), &json!("object"))
    );
    assert_eq!(first["tool_calls"], json!([]));
    let workflow = second["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&workflow["type"], &workflow["id"]),
        (&json!("workflow"), &second["tool_calls"][1]["item_id"])
    );
    for (status, output) in outputs(&asked[1]) {
        assert_eq!(status, "completed");
        assert!(output.contains("milk"), "{output}");
    }
    // They stay with the thread.
    assert_eq!(asked[2].json()["tool_calls"], second["tool_calls"]);
    server.stop().await;
}

#[tokio::test]
#[ignore = "needs TEST_NODE"]
async fn the_example_in_node_calls_a_tool_of_the_gateway() {
    let node = std::env::var("TEST_NODE").unwrap();
    let (_agent, url) = example(Command::new(node).arg(path("node/agent.mjs"))).await;
    let file = file(&url) + "tools = [\"add_task\"]\n";
    let vars = [("gateway.toml", file.as_str()), ("AGENT_SECRET", SECRET)];
    let server = TestServer::start_with(&vars).await;
    let alice = server.alice();

    let events = alice.say("remember milk").await.rest().await;

    assert_eq!(answer_text(&events), "That is kept: completed.");
    assert_eq!(alice.get("/api/alice/tasks").await.body["data"][0]["title"], "milk");
    server.stop().await;
}

/// What an agent is sent in a conversation with calls of tools.
pub(crate) async fn turns_with_calls() -> Vec<Asked> {
    let call = wants(&[("1", "add_task", json!({ "title": "milk" }))]);
    let service = AgentService::start([call, answers("Done.")]).await;
    let server = gateway(&service, "tools = [\"*\"]\n").await;
    server.alice().say("add milk").await.rest().await;
    server.stop().await;
    service.asked()
}

#[tokio::test]
async fn a_tool_that_a_remote_agent_was_not_given_is_not_called() {
    let calls = [("1", "delete_task", json!({ "task_id": 1 })), ("2", "add_task", json!([1]))];
    let service = AgentService::start([wants(&calls), answers("Well.")]).await;
    let server = gateway(&service, "tools = [\"add_task\"]\n").await;

    let events = server.alice().say("delete it").await.rest().await;

    assert_eq!(answer_text(&events), "Well.");
    let outputs = outputs(&service.asked()[1]);
    assert_eq!((outputs[0].0.as_str(), outputs[1].0.as_str()), ("failed", "failed"));
    assert!(outputs[0].1.contains("there is no tool delete_task"), "{outputs:?}");
    server.stop().await;
}

#[tokio::test]
async fn calls_that_cannot_be_told_apart_or_were_not_offered_end_the_run_and_none_is_made() {
    let add =
        |id: &str| json!({ "call_id": id, "name": "add_task", "arguments": { "title": "x" } });
    let calls = |calls: Value| Play::Events(vec![json!({ "type": "tool_calls", "calls": calls })]);
    for (tools, play) in [
        ("", calls(json!([add("1")]))),
        ("tools = [\"*\"]\n", calls(json!([add("1"), add("1")]))),
        ("tools = [\"*\"]\n", calls(json!([add("")]))),
        ("tools = [\"*\"]\n", calls(json!([{ "name": "add_task" }]))),
        (
            "tools = [\"*\"]\n",
            Play::Cut(vec![json!({ "type": "tool_calls", "calls": [add("1")] })]),
        ),
    ] {
        let service = AgentService::start([play, answers("never")]).await;
        let server = gateway(&service, tools).await;
        let alice = server.alice();

        let mut stream = alice.say("go").await;
        stream.rest().await;

        assert_eq!(alice.run(&stream.run_id).await["status"], "failed");
        assert_eq!(alice.get("/api/alice/tasks").await.body["data"], json!([]));
        assert_eq!(service.asked().len(), 1);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_remote_agent_that_calls_for_ever_is_stopped_after_16_turns() {
    let plays = (0..20).map(|turn| wants(&[(&turn.to_string(), "list_tasks", json!({}))]));
    let service = AgentService::start(plays.collect::<Vec<_>>()).await;
    let server = gateway(&service, "tools = [\"*\"]\n").await;
    let alice = server.alice();

    let mut stream = alice.say("go").await;
    stream.rest().await;

    assert_eq!(service.asked().len(), 16);
    assert_eq!(alice.run(&stream.run_id).await["status"], "failed");
    server.stop().await;
}

#[tokio::test]
async fn the_user_is_asked_before_a_remote_agent_calls_a_tool_that_needs_it() {
    for (button, calls_made, output) in [(RUN, 1, "path"), (CANCEL, 0, "declined")] {
        let tools = tool_server().await;
        let call = wants(&[("1", "srv__write", json!({ "path": "a" }))]);
        let service = AgentService::start([call, answers("Done.")]).await;
        let url = &tools.url;
        let file = file(&service.url)
            + &format!(
                "tools = [\"srv__*\"]\n[[mcp.servers]]\nname = \"srv\"\nurl = \"{url}\"\nconfirm = true\n"
            );
        let vars = [("gateway.toml", file.as_str()), ("AGENT_SECRET", SECRET)];
        let server = TestServer::start_with_tool_servers(&vars).await;
        let alice = server.alice();

        let asked = widgets(&alice.say("write it").await.rest().await).remove(0);
        assert_eq!((service.asked().len(), tools.came("tools/call").len()), (1, 0));
        let events = press(&alice, &asked, button).await.rest().await;

        assert_eq!(answer_text(&events), "Done.");
        assert_eq!(tools.came("tools/call").len(), calls_made);
        let turn = service.asked()[1].json();
        assert_eq!(turn["turn"], 1, "the bound on turns is one of both runs");
        assert_eq!(
            (&turn["input"]["type"], &turn["input"]["id"]),
            (&json!("widget"), &json!(asked.id))
        );
        assert_eq!(turn["tool_calls"][0]["call_id"], "1");
        let told = turn["tool_calls"][0]["output"].as_str().unwrap();
        assert!(told.contains(output), "{told}");
        server.stop().await;
    }
}

#[tokio::test]
async fn what_a_remote_agent_says_that_it_used_is_the_runs_usage() {
    let usage = json!({ "type": "usage", "input_tokens": 7, "output_tokens": 3 });
    let service =
        AgentService::start([Play::Events(vec![usage.clone(), usage, done("a", "ok")])]).await;
    let server = gateway(&service, "").await;
    let alice = server.alice();

    let mut stream = alice.say("hi").await;
    stream.rest().await;

    let run = alice.run(&stream.run_id).await;
    assert_eq!(
        (&run["usage"]["input_tokens"], &run["usage"]["output_tokens"]),
        (&json!(14), &json!(6))
    );
    server.stop().await;
}
