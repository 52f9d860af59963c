//! An agent behind an address.

use std::process::Stdio;

use aws_lc_rs::hmac;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::login::login_with;
use crate::support::{
    Client, TestServer,
    agent_service::{AgentService, Asked, Play},
    answer_text,
    events::{done_text, kinds},
};

pub(crate) const SECRET: &str = "a-secret-of-the-remote-agent-for-tests";

/// The configuration of the agent at this address; more of `[agent]` may be put behind it.
pub(crate) fn file(url: &str) -> String {
    format!("[agent]\nkind = \"remote\"\nurl = \"{url}\"\nsecret_env = \"AGENT_SECRET\"\n")
}

pub(crate) async fn gateway(url: &str) -> TestServer {
    TestServer::start_with(&[("gateway.toml", &file(url)), ("AGENT_SECRET", SECRET)]).await
}

fn item(id: &str, text: &str) -> Value {
    let content = json!([{ "type": "output_text", "text": text, "annotations": [] }]);
    json!({ "id": id, "type": "assistant_message", "content": content })
}

fn added(id: &str) -> Value {
    let item = json!({ "id": id, "type": "assistant_message", "content": [] });
    json!({ "type": "thread.item.added", "item": item })
}

fn delta(id: &str, delta: &str) -> Value {
    let update = json!({
        "type": "assistant_message.content_part.text_delta", "content_index": 0, "delta": delta,
    });
    json!({ "type": "thread.item.updated", "item_id": id, "update": update })
}

pub(crate) fn done(id: &str, text: &str) -> Value {
    json!({ "type": "thread.item.done", "item": item(id, text) })
}

pub(crate) fn answers(text: &str) -> Play {
    Play::Events(vec![added("a"), delta("a", text), done("a", text)])
}

#[tokio::test]
async fn the_turn_is_posted_signed_and_its_answer_is_streamed_and_kept() {
    let service = AgentService::start([answers("Hello."), answers("Again.")]).await;
    let server = gateway(&service.url).await;
    let alice = server.alice();

    let mut first = alice.say("hi").await;
    let events = first.rest().await;
    alice.say_in(&first.thread_id, "and now?").await.rest().await;

    assert_eq!(answer_text(&events), "Hello.");
    assert_eq!(done_text(&events).as_deref(), Some("Hello."));
    let thread = alice.thread(&first.thread_id).await;
    assert_eq!(thread["messages"][1]["content"], "Hello.");
    assert_eq!(thread["messages"][3]["content"], "Again.");
    let asked = service.asked();
    let turn = asked[0].json();
    assert_eq!((&turn["version"], &turn["type"]), (&json!(1), &json!("respond")));
    assert_eq!((&turn["user_id"], &turn["run_id"]), (&json!("alice"), &json!(first.run_id)));
    assert_eq!(turn["thread"]["id"], first.thread_id.as_str());
    assert_eq!(turn["input"]["content"][0]["text"], "hi");
    // What the agent is told of its own words has the identifier that readers know.
    let told = asked[1].json()["items"][1].clone();
    assert_eq!(told, thread["messages"][1]["item"]);
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    for request in &asked {
        let header = |name: &str| request.headers[name].to_str().unwrap().to_owned();
        let mut signed = format!("{}.", header("chatkit-gateway-timestamp")).into_bytes();
        signed.extend_from_slice(&request.body);
        let signature = header("chatkit-gateway-signature");
        let hex = signature.strip_prefix("v1=").unwrap();
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let digest: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        hmac::verify(&key, &signed, &digest).unwrap();
        assert!(!request.headers.contains_key("authorization"), "the caller's token stays here");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_agent_is_told_the_claims_that_the_operator_names_and_no_others() {
    let service = AgentService::start([answers("a"), answers("b"), answers("c")]).await;
    let file = file(&service.url) + "claims = [\"email\", \"roles\", \"phone\"]\n";
    let server = TestServer::start_with(&[("gateway.toml", &file), ("AGENT_SECRET", SECRET)]).await;
    let claims = json!({ "email": "a@example.com", "roles": ["admin"], "name": "Alice" });
    let by_login = server.nobody().with_token(&login_with("alice", 900, &claims));

    let session = by_login.post("/api/chatkit/session", &Value::Null).await.body;
    let token = session["client_secret"].as_str().unwrap();
    by_login.with_token(token).say("hi").await.rest().await;
    // A refreshed session knows them still, and the login itself says them.
    let body = json!({ "client_secret": token });
    let fresh = server.nobody().post("/api/chatkit/refresh", &body).await.body;
    by_login.with_token(fresh["client_secret"].as_str().unwrap()).say("hi").await.rest().await;
    by_login.post("/api/alice/chat", &json!({ "message": "hi" })).await;

    let told = json!({ "email": "a@example.com", "roles": ["admin"] });
    let asked: Vec<Value> =
        service.asked().iter().map(|asked| asked.json()["claims"].clone()).collect();
    assert_eq!(asked, [told.clone(), told.clone(), told]);
    server.stop().await;
}

#[tokio::test]
async fn claims_that_are_too_large_for_every_request_are_refused_at_the_login() {
    let service = AgentService::start([answers("a")]).await;
    let file = file(&service.url) + "claims = [\"about\"]\n";
    let server = TestServer::start_with(&[("gateway.toml", &file), ("AGENT_SECRET", SECRET)]).await;
    let session = |about: usize| {
        let claims = json!({ "about": "x".repeat(about) });
        let by_login = server.nobody().with_token(&login_with("alice", 900, &claims));
        async move { by_login.post("/api/chatkit/session", &Value::Null).await }
    };

    assert_eq!(session(4096).await.status, StatusCode::UNAUTHORIZED);
    let session = session(4000).await;
    let alice = server.nobody().with_token(session.body["client_secret"].as_str().unwrap());

    alice.say("hi").await.rest().await;
    assert_eq!(service.asked()[0].json()["claims"]["about"].as_str().unwrap().len(), 4000);
    server.stop().await;
}

#[tokio::test]
async fn the_same_name_in_two_answers_is_two_items() {
    let service = AgentService::start([answers("one"), answers("two")]).await;
    let server = gateway(&service.url).await;
    let alice = server.alice();

    let mut first = alice.say("hi").await;
    first.rest().await;
    alice.say_in(&first.thread_id, "again").await.rest().await;

    let thread = alice.thread(&first.thread_id).await;
    assert_eq!(thread["messages"].as_array().unwrap().len(), 4);
    server.stop().await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_kept_as_far_as_it_came_and_not_asked_again() {
    let said = vec![added("a"), delta("a", "half")];
    for play in [Play::Cut(said.clone()), Play::Events(said)] {
        let service = AgentService::start([play, answers("never")]).await;
        let server = gateway(&service.url).await;
        let alice = server.alice();

        let mut stream = alice.say("hi").await;
        let events = stream.rest().await;

        assert_eq!(kinds(&events).last().unwrap(), "error");
        assert_eq!(alice.run(&stream.run_id).await["status"], "failed");
        let thread = alice.thread(&stream.thread_id).await;
        assert_eq!(thread["messages"][1]["content"], "half");
        assert_eq!(thread["messages"][1]["status"], "failed");
        assert_eq!(service.asked().len(), 1);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_service_that_fails_is_asked_once() {
    for status in [429, 500, 503, 404] {
        let service = AgentService::start([Play::Status(status), answers("never")]).await;
        let server = gateway(&service.url).await;
        let alice = server.alice();

        let mut stream = alice.say("hi").await;
        stream.rest().await;

        assert_eq!(alice.run(&stream.run_id).await["status"], "failed", "{status}");
        assert_eq!(service.asked().len(), 1, "{status}");
        server.stop().await;
    }
}

#[tokio::test]
async fn what_cannot_be_read_ends_the_run_and_nothing_else() {
    for raw in [
        "data: {\n\n",
        "data: {\"type\":\"thread.item.done\",\"item\":{\"type\":\"assistant_message\"}}\n\n",
        "data: {\"type\":\"thread.item.done\",\"item\":{\"id\":\"a\",\"type\":\"poem\"}}\n\n",
        "data: {\"type\":\"unheard.of\"}\n\n",
        "data: {\"type\":\"thread.updated\",\"thread\":7}\n\n",
    ] {
        let service = AgentService::start([Play::Raw(raw), answers("Hello.")]).await;
        let server = gateway(&service.url).await;
        let alice = server.alice();

        let mut stream = alice.say("hi").await;
        stream.rest().await;
        assert_eq!(alice.run(&stream.run_id).await["status"], "failed", "{raw}");
        let events = alice.say_in(&stream.thread_id, "again").await.rest().await;

        assert_eq!(answer_text(&events), "Hello.");
        server.stop().await;
    }
}

#[tokio::test]
async fn an_error_of_the_agent_is_told_in_its_own_words() {
    let error = json!({ "type": "error", "code": "custom", "message": "Out of tea.",
        "allow_retry": false });
    let service = AgentService::start([Play::Events(vec![error])]).await;
    let server = gateway(&service.url).await;

    let events = server.alice().say("hi").await.rest().await;

    let last = serde_json::to_value(&events.last().unwrap().event).unwrap();
    assert_eq!((&last["message"], &last["allow_retry"]), (&json!("Out of tea."), &json!(false)));
    server.stop().await;
}

#[tokio::test]
async fn stop_closes_the_agents_connection() {
    let said = vec![added("a"), delta("a", "so far")];
    let service = AgentService::start([Play::Hang(said)]).await;
    let server = gateway(&service.url).await;
    let alice = server.alice();
    let mut stream = alice.say("hi").await;
    stream.until_text().await;

    alice.cancel(&stream.run_id).await;

    service.closed().await;
    stream.rest().await;
    let thread = alice.thread(&stream.thread_id).await;
    assert_eq!(thread["messages"][1]["content"], "so far");
    server.stop().await;
}

#[tokio::test]
async fn the_agent_may_name_the_thread_and_keep_something_in_it() {
    let thread = json!({ "id": "t", "title": "Tea", "metadata": { "step": 2 } });
    let updated = json!({ "type": "thread.updated", "thread": thread });
    let service =
        AgentService::start([Play::Events(vec![updated, done("a", "ok")]), answers("ok")]).await;
    let server = gateway(&service.url).await;
    let alice = server.alice();

    let mut stream = alice.say("hi").await;
    stream.rest().await;
    alice.say_in(&stream.thread_id, "again").await.rest().await;

    assert_eq!(alice.thread(&stream.thread_id).await["title"], "Tea");
    assert_eq!(service.asked()[1].json()["thread"]["metadata"], json!({ "step": 2 }));
    server.stop().await;
}

const WIDGET: &str = r#"{"type":"Card","children":[]}"#;

/// What the agent is sent of a message and of what is done with the widget that it showed.
pub(crate) async fn a_message_and_an_action() -> Vec<Asked> {
    let widget: Value = serde_json::from_str(WIDGET).unwrap();
    let shown = json!({ "type": "thread.item.done",
        "item": { "id": "w", "type": "widget", "widget": widget } });
    let service = AgentService::start([Play::Events(vec![shown]), answers("Pressed.")]).await;
    let server = gateway(&service.url).await;
    let alice = server.alice();
    let mut stream = alice.say("hi").await;
    stream.rest().await;
    let params = json!({ "thread_id": stream.thread_id });
    let page = alice.chatkit("items.list", &params).await.body;
    let item = page["data"].as_array().unwrap().iter().find(|item| item["type"] == "widget");
    let params = json!({ "thread_id": stream.thread_id, "item_id": item.unwrap()["id"],
        "action": { "type": "press", "payload": { "times": 2 } } });

    let events = alice.chatkit_stream("threads.custom_action", &params).await.rest().await;

    assert_eq!(answer_text(&events), "Pressed.");
    server.stop().await;
    service.asked()
}

#[tokio::test]
async fn what_is_done_with_a_widget_is_asked_with_the_widget() {
    let asked = a_message_and_an_action().await[1].json();

    assert_eq!((&asked["type"], &asked["input"]), (&json!("action"), &json!(null)));
    assert_eq!(asked["action"]["type"], "press");
    assert_eq!(asked["action"]["payload"], json!({ "times": 2 }));
    assert_eq!(asked["action"]["sender"]["widget"].to_string(), WIDGET);
}

/// A program of `examples/remote_agent`, which says its port.
pub(crate) async fn example(program: &mut Command) -> (Child, String) {
    let mut child = program
        .env("AGENT_SECRET", SECRET)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
    let url = format!("http://127.0.0.1:{}/", line.trim());
    (child, url)
}

pub(crate) fn path(of: &str) -> String {
    format!("{}/examples/remote_agent/{of}", env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test]
#[ignore = "needs TEST_NODE"]
async fn the_example_in_node_answers() {
    let node = std::env::var("TEST_NODE").unwrap();
    let (_agent, url) = example(Command::new(node).arg(path("node/agent.mjs"))).await;
    let server = gateway(&url).await;

    let events = server.alice().say("grüß dich").await.rest().await;

    assert_eq!(answer_text(&events), "You said: grüß dich");
    assert_eq!(done_text(&events).as_deref(), Some("You said: grüß dich"));
    // Nobody else is answered.
    let stranger = Client::new(&url, None).post("", &json!({})).await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
    server.stop().await;
}

#[tokio::test]
async fn a_remote_agent_needs_an_address_and_a_secret_that_is_one() {
    let problems = |file: &'static str, secret: Option<&'static str>| {
        let lookup = move |name: &str| match name {
            "BETTER_AUTH_SECRET" => Some("a-secret-of-the-login-for-tests-only".to_owned()),
            "AGENT_SECRET" => secret.map(str::to_owned),
            _ => None,
        };
        let read = |_: &std::path::Path| Ok(file.to_owned());
        let config = chatkit_gateway::config::Config::from_vars(lookup, read);
        config.err().map(|error| error.to_string()).unwrap_or_default()
    };

    assert!(problems("[agent]\nkind = \"remote\"\n", None).contains("url"));
    let named =
        "[agent]\nkind = \"remote\"\nurl = \"http://a.example\"\nsecret_env = \"AGENT_SECRET\"\n";
    assert!(problems(named, None).contains("AGENT_SECRET"));
    assert!(problems(named, Some("short")).contains("AGENT_SECRET"));
    assert_eq!(problems(named, Some(SECRET)), "");
    let of_a_model = "[agent]\ntools = [\"*\"]\n";
    assert!(problems(of_a_model, None).contains("agent.tools"));
    let of_a_model = "[agent]\nclaims = [\"email\"]\n";
    assert!(problems(of_a_model, None).contains("agent.claims"));
}
