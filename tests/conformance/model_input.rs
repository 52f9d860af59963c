//! What the model is given of a thread, against what the SDK's converters make of the same items.
//!
//! Brought to one form before they are compared: the order of members, JSON within text, and what
//! an item may have or leave out without saying anything else (`annotations`, `logprobs`).

use std::{fs, path::Path, sync::Arc};

use async_trait::async_trait;
use chatkit_gateway::{
    agent::{
        Agent as _, HistorySource, ModelAgent, ThreadHandle, Turn, model_agent::ModelAgentConfig,
    },
    demo::scripted_model::{ModelCall, ScriptedModel, Step},
    protocol::{
        Claims, RunId, ThreadId, ThreadItem, ThreadStatus, Timestamp, UserId,
        item::InferenceOptions,
    },
    store::{
        StoreError,
        record::{History, ItemRecord, ItemStatus, ThreadRecord},
    },
    tools::ToolRegistry,
    upstream::{
        client::{UpstreamClient, UpstreamConfig},
        responses::ResponsesModel,
    },
};
use futures_util::{StreamExt as _, stream};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::names::Names;

/// Flows that are compared here: they have no request.
pub(crate) const INPUTS: [&str; 5] = [
    "a1-input-text-turns",
    "a2-input-tags-quote-attachments",
    "a3-input-tag-without-converter",
    "a4-input-tools-hidden-misc",
    "a5-input-hidden-not-text",
];

#[tokio::test]
async fn the_model_is_given_what_the_sdk_gives_it() {
    for flow in
        ["a1-input-text-turns", "a2-input-tags-quote-attachments", "a4-input-tools-hidden-misc"]
    {
        let items = recorded(flow, "items");
        let names = Names::of(&[&items]);
        let expected = normal(&recorded(flow, "model_input"));

        let given = model_input(&names.to_ours(&items)).await;

        assert_eq!(normal(&names.to_theirs(&given.to_string())), expected, "{flow}");
    }
}

#[tokio::test]
async fn a_tag_without_a_converter_is_told_as_the_sdks_documentation_has_it() {
    let given = model_input(&recorded("a3-input-tag-without-converter", "items")).await;

    let texts: Vec<&str> = given[1]["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["text"].as_str().unwrap())
        .collect();
    assert!(texts[0].starts_with("# User-provided context for @-mentions"), "{texts:?}");
    assert_eq!(texts[1..], ["<TAG id=t1>Doc</TAG>"]);
}

#[tokio::test]
async fn hidden_context_that_is_no_text_is_told_as_json() {
    let given = model_input(&recorded("a5-input-hidden-not-text", "items")).await;

    let text = given[0]["content"][0]["text"].as_str().unwrap();
    assert!(text.ends_with("<HiddenContext>\n{\"a\":1}\n</HiddenContext>"), "{text}");
}

fn recorded(flow: &str, part: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/golden");
    fs::read_to_string(folder.join(format!("{flow}.{part}.json"))).unwrap()
}

/// What the model's server gets for a thread with these items.
async fn model_input(items: &str) -> Value {
    let said_nothing = |_: Arc<ModelCall>| stream::iter([Step::text("Good.")]);
    let model = ScriptedModel::new(said_nothing).start().await.unwrap();
    let config = UpstreamConfig { base_url: model.base_url(), ..UpstreamConfig::default() };
    let upstream = ResponsesModel::new(UpstreamClient::new(config).unwrap());
    let config = ModelAgentConfig { model: "m".to_owned(), ..ModelAgentConfig::default() };
    let agent = ModelAgent::new(Arc::new(upstream), ToolRegistry::default(), config);

    let mut answer = agent.respond(turn(serde_json::from_str(items).unwrap()));
    while let Some(event) = answer.next().await {
        event.unwrap();
    }
    let call = model.model().call(1).await.unwrap().call;
    model.stop().await;
    call.body["input"].clone()
}

fn turn(items: Vec<ThreadItem>) -> Turn {
    let now = Timestamp::now();
    let user_id = UserId::parse("alice").unwrap();
    let thread = ThreadRecord {
        id: ThreadId::new(),
        user_id: user_id.clone(),
        title: None,
        status: ThreadStatus::Active,
        allowed_image_domains: None,
        metadata: Map::new(),
        created_at: now,
        updated_at: now,
        archived_at: None,
        message_count: 0,
        active_run_id: None,
    };
    let item = |item| ItemRecord { item, status: ItemStatus::Complete, run_id: None };
    Turn {
        run_id: RunId::new(),
        user_id,
        claims: Claims::default(),
        thread: ThreadHandle::new(thread),
        input: None,
        options: InferenceOptions::default(),
        history: Arc::new(Items(items.into_iter().map(item).collect())),
        cancel: CancellationToken::new(),
        span: tracing::Span::none(),
    }
}

/// A thread that consists of these items.
struct Items(Vec<ItemRecord>);

#[async_trait]
impl HistorySource for Items {
    async fn recent(&self, _: usize) -> Result<History, StoreError> {
        Ok(History { items: self.0.clone(), tool_calls: Vec::new() })
    }
}

/// The common form of an input.
fn normal(input: &str) -> Value {
    let mut input: Value = serde_json::from_str(input).unwrap();
    for item in input.as_array_mut().unwrap() {
        for part in item["content"].as_array_mut().into_iter().flatten() {
            let part = part.as_object_mut().unwrap();
            part.shift_remove("annotations");
            part.shift_remove("logprobs");
        }
        for member in ["arguments", "output"] {
            if let Some(text) = item[member].as_str() {
                item[member] = serde_json::from_str(text).unwrap();
            }
        }
    }
    sorted(&input)
}

/// With members in order, and the JSON at the end of a text as JSON.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().map(|(n, m)| (n.clone(), sorted(m))).collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(members.into_iter().collect())
        }
        Value::Array(entries) => entries.iter().map(sorted).collect(),
        Value::String(text) => {
            let parts = text.split_once(":{").and_then(|(said, json)| {
                let json: Value = serde_json::from_str(&format!("{{{json}")).ok()?;
                Some(json!([said, sorted(&json)]))
            });
            parts.unwrap_or_else(|| value.clone())
        }
        other => other.clone(),
    }
}
