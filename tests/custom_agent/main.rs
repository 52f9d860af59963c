//! The agent of `examples/custom_agent`, in a conversation over HTTP.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../../examples/custom_agent/order_desk.rs"]
mod order_desk;

use std::{sync::Arc, time::Duration};

use chatkit_gateway::{
    app::{Gateway, Parts},
    auth::SessionKeys,
    config::Config,
    protocol::{Timestamp, UserId},
    store::{self, OpenOptions},
};
use metrics_exporter_prometheus::PrometheusBuilder;
use order_desk::OrderDesk;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A page in front of the order desk.
struct Page {
    url: String,
    token: String,
    http: reqwest::Client,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    _folder: TempDir,
}

impl Page {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite://{}/test.db", folder.path().display());
        let lookup = |name: &str| match name {
            "DATABASE_URL" => Some(database.clone()),
            "BETTER_AUTH_SECRET" => Some("a-secret-of-the-login-for-tests-only".to_owned()),
            _ => None,
        };
        let no_file = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
        let config = Config::for_own_agent(lookup, no_file).unwrap();
        let keys = SessionKeys::new(&config.auth.session);
        let store = store::open(&database, OpenOptions::default()).await.unwrap();
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let parts = Parts::new(store, Arc::new(OrderDesk));
        let gateway = Gateway::with_parts(config, parts, metrics).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/chatkit", listener.local_addr().unwrap());
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(gateway.serve(listener, shutdown.clone(), shutdown.clone()));
        tasks.close();
        let user = UserId::parse("guest").unwrap();
        let token = keys.issue_detached(&user, Duration::from_mins(5), Timestamp::now()).token;
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { url, token, http, shutdown, tasks, _folder: folder }
    }

    async fn post(&self, kind: &str, params: Value) -> String {
        let body = json!({ "type": kind, "params": params });
        let request = self.http.post(&self.url).bearer_auth(&self.token).json(&body);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{kind}");
        answer.text().await.unwrap()
    }

    async fn answer(&self, kind: &str, params: Value) -> Value {
        serde_json::from_str(&self.post(kind, params).await).unwrap()
    }

    /// The events of a stream, less the user's message and the options.
    async fn events(&self, kind: &str, params: Value) -> Vec<Value> {
        let stream = self.post(kind, params).await;
        let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
        let events = data.map(|event| serde_json::from_str::<Value>(event).unwrap());
        let is_the_agents = |event: &Value| {
            event["type"] != "stream_options" && event["item"]["type"] != "user_message"
        };
        events.filter(is_the_agents).collect()
    }

    async fn say(&self, thread: &Value, text: &str) -> Vec<Value> {
        let content = [json!({ "type": "input_text", "text": text })];
        let input = json!({ "content": content, "attachments": [], "inference_options": {} });
        let params = json!({ "thread_id": thread, "input": input });
        let kind = if thread.is_null() { "threads.create" } else { "threads.add_user_message" };
        self.events(kind, params).await
    }

    async fn close(self) {
        self.shutdown.cancel();
        self.tasks.wait().await;
    }
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

fn last_text(events: &[Value]) -> &str {
    events.last().unwrap()["item"]["content"][0]["text"].as_str().unwrap()
}

#[tokio::test]
async fn an_order_is_asked_for_shown_refreshed_and_cancelled() {
    let page = Page::open().await;

    let asked = page.say(&Value::Null, "Good morning").await;
    let thread = asked[0]["thread"]["id"].clone();
    let questions = &asked.last().unwrap()["item"];
    let (question, pending) = (questions["inputs"][0]["question"].clone(), &questions["status"]);
    assert_eq!((question.as_str(), pending.as_str()), (Some("Which coffee?"), Some("pending")));

    let answers = json!({ "coffee": { "values": ["Flat white"] }, "name": { "values": ["Ada"] } });
    let params =
        json!({ "thread_id": thread, "item_id": questions["id"], "input": { "answers": answers } });
    let ordered = page.events("threads.add_structured_input", params).await;
    let (added, updated) = ("thread.item.added", "thread.item.updated");
    let expected =
        ["thread.item.replaced", added, "thread.updated", updated, updated, "thread.item.done"];
    assert_eq!(types(&ordered), expected);
    assert_eq!(ordered[2]["thread"]["title"], "Flat white for Ada");
    assert_eq!(ordered[3]["update"]["delta"], ", brewing");
    let card = &ordered[5]["item"]["id"];

    let action =
        |kind: &str| json!({ "thread_id": thread, "item_id": card, "action": { "type": kind } });
    let refreshed = page.answer("threads.sync_custom_action", action("order.refresh")).await;
    let state = &refreshed["updated_item"]["widget"]["children"][1]["value"];
    assert_eq!(state, "Ready to be fetched");

    let cancelled = page.events("threads.custom_action", action("order.cancel")).await;
    assert_eq!(types(&cancelled), ["thread.item.replaced", "thread.item.done"]);
    assert_eq!(last_text(&cancelled), "Your order is cancelled.");

    let items = page.answer("items.list", json!({ "thread_id": thread, "order": "asc" })).await;
    let items: Vec<&str> = items["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["type"].as_str().unwrap())
        .collect();
    let expected =
        ["user_message", "assistant_message", "structured_input", "widget", "assistant_message"];
    assert_eq!(items, expected);
    page.close().await;
}

#[tokio::test]
async fn the_page_runs_a_tool_and_the_answer_goes_on() {
    let page = Page::open().await;

    let called = page.say(&Value::Null, "Do you deliver?").await;
    let call = &called.last().unwrap()["item"];
    assert_eq!(
        (&call["type"], &call["name"]),
        (&"client_tool_call".into(), &"get_location".into())
    );

    let params = json!({ "thread_id": call["thread_id"], "result": { "city": "Graz" } });
    let delivered = page.events("threads.add_client_tool_output", params).await;
    assert_eq!(last_text(&delivered), "We deliver to Graz.");
    page.close().await;
}
