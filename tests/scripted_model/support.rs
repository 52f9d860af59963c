//! A model, a client, and Server-Sent Events taken apart.

use std::{
    sync::{Arc, Once},
    time::Duration,
};

use chatkit_gateway::demo::scripted_model::{
    ModelCall, RecordedCall, RunningModel, Script, ScriptedModel, Step,
};
use futures_util::stream;
use serde_json::{Value, json};

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// A model that serves, and a client of it.
pub(crate) struct Model {
    running: RunningModel,
    client: reqwest::Client,
}

/// An event of a stream.
#[derive(Debug)]
pub(crate) struct Event {
    /// The `event:` line, if any.
    pub(crate) name: Option<String>,
    /// The `data:` line: JSON, or a string when it is none.
    pub(crate) data: Value,
}

impl Model {
    pub(crate) async fn start(script: impl Script) -> Self {
        static CRYPTO: Once = Once::new();
        CRYPTO.call_once(|| {
            rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap();
        });
        let running = ScriptedModel::new(script).start().await.unwrap();
        let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        Self { running, client }
    }

    /// A model that plays the same steps for every call.
    pub(crate) async fn playing(steps: impl Into<Vec<Step>>) -> Self {
        let steps = steps.into();
        Self::start(move |_: Arc<ModelCall>| stream::iter(steps.clone())).await
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        body: &Value,
    ) -> reqwest::Result<reqwest::Response> {
        let url = format!("{}{path}", self.running.base_url());
        self.client.post(url).bearer_auth("sk-test").json(body).send().await
    }

    /// A streamed response to a text, whole.
    pub(crate) async fn respond(&self, text: &str) -> Vec<Event> {
        let response = self.post("/responses", &response_request(text)).await.unwrap();
        assert_eq!(response.status(), 200);
        events(&response.text().await.unwrap())
    }

    /// A streamed chat completion to a text, whole.
    pub(crate) async fn complete(&self, text: &str) -> Vec<Event> {
        let response = self.post("/chat/completions", &chat_request(text)).await.unwrap();
        assert_eq!(response.status(), 200);
        events(&response.text().await.unwrap())
    }

    pub(crate) async fn call(&self, number: u64) -> RecordedCall {
        within(self.running.model().call(number)).await.unwrap()
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }

    pub(crate) fn running(&self) -> &RunningModel {
        &self.running
    }
}

/// A streaming request of the Responses API.
pub(crate) fn response_request(text: &str) -> Value {
    json!({ "model": "m", "stream": true, "input": text })
}

/// A streaming request of Chat Completions that asks for the usage.
pub(crate) fn chat_request(text: &str) -> Value {
    json!({
        "model": "m", "stream": true, "stream_options": { "include_usage": true },
        "messages": [{ "role": "user", "content": text }],
    })
}

/// Fails the test instead of hanging.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes too long")
}

/// Takes a body apart. Every frame must be whole.
pub(crate) fn events(body: &str) -> Vec<Event> {
    assert!(body.is_empty() || body.ends_with("\n\n"), "an unfinished frame: {body}");
    body.split_terminator("\n\n").map(event).collect()
}

fn event(frame: &str) -> Event {
    let mut event = Event { name: None, data: Value::Null };
    for line in frame.lines() {
        let (field, value) = line.split_once(": ").unwrap();
        match field {
            "event" => event.name = Some(value.to_owned()),
            "data" => event.data = serde_json::from_str(value).unwrap_or_else(|_| json!(value)),
            other => panic!("unexpected field {other}"),
        }
    }
    event
}

/// The types of Responses events, in order.
pub(crate) fn types(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.data["type"].as_str().unwrap()).collect()
}

/// The deltas of Responses events of one type, joined.
pub(crate) fn deltas(events: &[Event], kind: &str) -> String {
    let wanted = events.iter().filter(|event| event.data["type"] == kind);
    wanted.map(|event| event.data["delta"].as_str().unwrap()).collect()
}
