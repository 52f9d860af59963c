//! Remote agents and the official SDK; and what it makes of a thread in which much is asked.

use chatkit_gateway::demo::scripted_model::Step;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    ask_user::forms,
    confirmation::{RUN, press, widgets},
    remote_agent::{SECRET, a_message_and_an_action, example, file, gateway, path},
    remote_tools::turns_with_calls,
    support::{EventStream, Received, TestServer, answer_text, events::done_text},
    tool_server::{Era, ToolServer},
};

#[tokio::test]
#[ignore = "needs TEST_SDK_PYTHON"]
async fn what_the_agent_is_sent_is_what_its_schema_says() {
    let check = "import json, sys, jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
for turn in sys.argv[2:]:
    jsonschema.validate(json.loads(turn), schema, jsonschema.Draft202012Validator)";
    let schema = format!("{}/docs/remote-agent.schema.json", env!("CARGO_MANIFEST_DIR"));
    let turns = a_message_and_an_action().await.into_iter().chain(turns_with_calls().await);
    let turns = turns.map(|asked| asked.json().to_string());

    let mut python = Command::new(std::env::var("TEST_SDK_PYTHON").unwrap());
    let checked = python.args(["-c", check, &schema]).args(turns).output().await.unwrap();

    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[tokio::test]
#[ignore = "needs TEST_SDK_PYTHON"]
async fn an_existing_chatkit_python_server_answers_behind_the_gateway() {
    let python = std::env::var("TEST_SDK_PYTHON").unwrap();
    // The model of the agent's own, which this gateway never asks.
    let model = TestServer::start().await;
    model.model.will_play([Step::text("Tea "), Step::text("it is.")]);
    let (_agent, url) = example(
        Command::new(python)
            .arg(path("python/agent.py"))
            .env("OPENAI_API_KEY", "none")
            .env("OPENAI_BASE_URL", model.model.running.base_url()),
    )
    .await;
    let server = gateway(&url).await;
    let alice = server.alice();

    let mut stream = alice.say("tea or coffee?").await;
    let events = stream.rest().await;

    assert_eq!(answer_text(&events), "Tea it is.");
    assert_eq!(done_text(&events).as_deref(), Some("Tea it is."));
    let thread = alice.thread(&stream.thread_id).await;
    assert_eq!(thread["messages"][1]["content"], "Tea it is.");
    let input = model.model.call(1).await.body["input"].to_string();
    assert!(input.contains("tea or coffee?"), "{input}");
    server.stop().await;
    model.stop().await;
}

#[tokio::test]
#[ignore = "needs TEST_SDK_PYTHON"]
async fn an_agent_of_the_agents_sdk_calls_a_tool_of_the_gateway() {
    let python = std::env::var("TEST_SDK_PYTHON").unwrap();
    let model = TestServer::start().await;
    model.model.will_play([
        Step::call("add_task", &json!({ "title": "milk" })),
        Step::call("add_task", &json!({ "title": "tea" })),
    ]);
    model.model.will_play([Step::text("Both are "), Step::text("there.")]);
    let (_agent, url) = example(
        Command::new(python)
            .arg(path("python/agent.py"))
            .env("OPENAI_API_KEY", "none")
            .env("OPENAI_BASE_URL", model.model.running.base_url()),
    )
    .await;
    let file = file(&url) + "tools = [\"add_*\"]\n";
    let server = TestServer::start_with(&[("gateway.toml", &file), ("AGENT_SECRET", SECRET)]).await;
    let alice = server.alice();

    let events = alice.say("add milk and tea").await.rest().await;

    assert_eq!(answer_text(&events), "Both are there.");
    let tasks = alice.get("/api/alice/tasks").await.body;
    assert_eq!(tasks["data"].as_array().unwrap().len(), 2, "{tasks}");
    let input = model.model.call(2).await.body["input"].clone();
    let outputs: Vec<_> = input
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["type"] == "function_call_output")
        .map(|item| item["output"].as_str().unwrap())
        .collect();
    assert_eq!(outputs.len(), 2, "{input}");
    assert!(outputs[0].contains("milk") && outputs[1].contains("tea"), "{outputs:?}");
    server.stop().await;
    model.stop().await;
}

/// A confirmation, a widget with an action, a tool of the page and a question to the user in one
/// thread: all that is sent and kept is what the SDK's types say.
#[tokio::test]
#[ignore = "needs TEST_SDK_PYTHON"]
async fn a_thread_with_all_kinds_of_questions_is_read_by_the_sdks_types() {
    let tools = ToolServer::start(Era::Modern, &["show", "book"]).await;
    let url = &tools.url;
    let file = format!(
        "[tools]\nask_user = true\n
        [[client_tools]]\nname = \"get_selection\"\ndescription = \"The selection.\"\n
        [[mcp.servers]]\nname = \"srv\"\nurl = \"{url}\"\nconfirm = true\nshow = true\n"
    );
    let server = TestServer::start_with_tool_servers(&[("gateway.toml", &file)]).await;
    let alice = server.alice();
    let mut said = Vec::new();
    let book = json!({ "type": "tool:book", "payload": { "table": 7 } });
    let button = json!({ "type": "Button", "label": "Book", "onClickAction": book });
    let show = json!({ "show": {
        "widget": { "type": "Card", "children": [button] },
        "notice": { "level": "info", "message": "Almost full" },
    } });
    let questions =
        json!([{ "question": "When?", "options": ["noon", "night"] }, { "question": "Why?" }]);

    // The model wants to show something, which the user allows, then asks the page, then the user.
    server.model.will_play([Step::call("srv__show", &show)]);
    server.model.will_play([Step::call("get_selection", &json!({}))]);
    server.model.will_play([Step::call("ask_user", &json!({ "questions": questions }))]);
    let mut stream = alice.say("book a table").await;
    let asked = widgets(&keep(&mut stream, &mut said).await).remove(0);
    let mut stream = press(&alice, &asked, RUN).await;
    let shown = widgets(&keep(&mut stream, &mut said).await).remove(0);
    let thread = asked.thread_id;
    let body = json!({ "thread_id": thread, "result": { "text": "table 7" } });
    let mut stream = alice.chatkit_stream("threads.add_client_tool_output", &body).await;
    let form = forms(&keep(&mut stream, &mut said).await).remove(0);
    let input = json!({ "answers": { "question_1": { "values": ["noon"] } } });
    let body = json!({ "thread_id": thread, "item_id": form.id, "input": input });
    let mut stream = alice.chatkit_stream("threads.add_structured_input", &body).await;
    let events = keep(&mut stream, &mut said).await;
    assert_eq!(done_text(&events).unwrap(), "Hello there.");
    // Later the user presses the button that was shown, and is asked about that, too.
    let action = json!({ "type": "tool:srv__book", "payload": { "table": 7 } });
    let body = json!({ "thread_id": thread, "item_id": shown.id, "action": action });
    let mut stream = alice.chatkit_stream("threads.custom_action", &body).await;
    let asked = widgets(&keep(&mut stream, &mut said).await).remove(0);
    keep(&mut press(&alice, &asked, RUN).await, &mut said).await;

    let params = json!({ "thread_id": thread, "order": "asc", "limit": 100 });
    let body = json!({ "type": "items.list", "params": params });
    let kept = alice.request(reqwest::Method::POST, "/chatkit").json(&body).send().await.unwrap();
    said.push(("page_of_items", kept.text().await.unwrap()));
    assert_eq!(tools.came("tools/call").len(), 2);
    let seen = read_by_sdk(&said).await;
    for class in [
        "WidgetItem",
        "ClientToolCallItem",
        "StructuredInputItem",
        "AssistantMessageItem",
        "ThreadItemReplacedEvent",
        "NoticeEvent",
    ] {
        assert!(seen[class].as_u64() > Some(0), "{class}: {seen}");
    }
    server.stop().await;
}

/// The rest of a stream; its events are kept as they were sent.
async fn keep(stream: &mut EventStream, said: &mut Vec<(&'static str, String)>) -> Vec<Received> {
    let events = stream.rest().await;
    let raw = std::str::from_utf8(&stream.raw).unwrap();
    let sent = raw.lines().filter_map(|line| line.strip_prefix("data: "));
    said.extend(sent.map(|event| ("event", event.to_owned())));
    events
}

/// Lets the SDK read it; answers how often each class was in it.
async fn read_by_sdk(said: &[(&str, String)]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sent");
    let lines = said.iter().map(|(kind, json)| {
        format!("{}\n", json!({ "from": "the thread", "kind": kind, "json": json }))
    });
    std::fs::write(&path, lines.collect::<String>()).unwrap();
    let read = Command::new(std::env::var("TEST_SDK_PYTHON").unwrap())
        .arg(format!("{}/tests/conformance/sdk/parse.py", env!("CARGO_MANIFEST_DIR")))
        .stdin(std::fs::File::open(&path).unwrap())
        .output()
        .await
        .unwrap();
    let report: Value = serde_json::from_slice(&read.stdout).unwrap();
    assert_eq!(report["problems"], json!([]));
    assert_eq!(report["parsed"], said.len());
    report["seen"].clone()
}
