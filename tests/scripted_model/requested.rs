//! Scripts that stand in the request.

use chatkit_gateway::demo::scripted_model::RequestedScript;
use serde_json::{Value, json};

use crate::support::{Model, deltas, events, response_request, types};

/// A clock that shows always the same.
fn clock() -> u64 {
    42
}

#[tokio::test]
async fn without_a_script_there_is_a_greeting() {
    let model = Model::start(RequestedScript::new(clock)).await;

    let events = model.respond("hello").await;

    let text = deltas(&events, "response.output_text.delta");
    assert_eq!(text, "Hello from the scripted model.");
}

#[tokio::test]
async fn deltas_are_as_many_and_as_large_as_wanted() {
    let model = Model::start(RequestedScript::new(clock)).await;

    let script = r#"play {"script":{"deltas":50,"bytes":20,"interval_ms":1,"stamp":true}}"#;
    let events = model.respond(script).await;

    let sent: Vec<_> = events.iter().filter_map(|event| event.data["delta"].as_str()).collect();
    assert_eq!(sent.len(), 50);
    assert!(sent.iter().all(|delta| delta.len() == 20 && delta.starts_with("@42@")), "{sent:?}");
}

#[tokio::test]
async fn calls_are_made_and_the_next_turn_follows_their_outputs() {
    let model = Model::start(RequestedScript::new(clock)).await;
    let script = r#"{"script":{"calls":[{"name":"f","arguments":{"a":1}}],"then":{"text":"end"}}}"#;

    let first = model.respond(script).await;
    let call = &first.last().unwrap().data["response"]["output"][0];
    let request = json!({ "model": "m", "stream": true, "input": [
        { "role": "user", "content": script },
        call,
        { "type": "function_call_output", "call_id": call["call_id"], "output": "1" },
    ]});
    let second = model.post("/responses", &request).await.unwrap().text().await.unwrap();

    assert_eq!(call["arguments"], r#"{"a":1}"#);
    assert_eq!(deltas(&events(&second), "response.output_text.delta"), "end");
}

#[tokio::test]
async fn an_answer_fails_as_it_is_told_to() {
    let model = Model::start(RequestedScript::new(clock)).await;

    let unready = r#"{"script":{"fail":{"status":503,"retry_after":2}}}"#;
    let unready = model.post("/responses", &response_request(unready)).await.unwrap();
    let ended = model.respond(r#"{"script":{"deltas":9,"end_after":2}}"#).await;
    let cut = r#"{"script":{"deltas":9,"cut_after":3}}"#;
    let cut = model.post("/responses", &response_request(cut)).await.unwrap().text().await;

    assert_eq!(unready.status(), 503);
    assert_eq!(unready.headers()["retry-after"], "2");
    let deltas = types(&ended).into_iter().filter(|kind| kind.ends_with("text.delta"));
    assert_eq!(deltas.count(), 2);
    assert!(cut.is_err());
}

#[tokio::test]
async fn an_unknown_member_is_refused_by_name() {
    let model = Model::start(RequestedScript::new(clock)).await;

    let request = response_request(r#"{"script":{"delats":1}}"#);
    let response = model.post("/responses", &request).await.unwrap();

    assert_eq!(response.status(), 400);
    let body: Value = response.json().await.unwrap();
    assert!(body["error"]["message"].as_str().unwrap().contains("`delats`"), "{body}");
}
