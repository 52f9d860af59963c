//! The ways in which an answer goes wrong, and the client's leaving.

use bytes::Bytes;
use chatkit_gateway::demo::scripted_model::{CallEnd, Step};
use serde_json::{Value, json};

use crate::support::{Model, chat_request, response_request, types, within};

#[tokio::test]
async fn a_status_takes_the_place_of_the_answer() {
    let refusal = Step::Status {
        status: 429,
        headers: vec![("retry-after", "7".to_owned())],
        body: json!({ "error": { "code": "rate_limit_exceeded" } }),
    };
    let model = Model::playing([refusal]).await;

    let response = model.post("/responses", &response_request("hello")).await.unwrap();

    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "7");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], "rate_limit_exceeded");
}

#[tokio::test]
async fn an_error_stands_in_the_stream() {
    let model = Model::playing([Step::text("a"), Step::error("server_error", "oh")]).await;

    let response = model.respond("hello").await;
    let chat = model.complete("hello").await;

    assert_eq!(types(&response)[response.len() - 2..], ["error", "response.failed"]);
    let failed = &response.last().unwrap().data["response"];
    assert_eq!(failed["error"], json!({ "code": "server_error", "message": "oh" }));
    assert_eq!(chat.last().unwrap().data["error"]["message"], "oh");
}

#[tokio::test]
async fn a_cut_breaks_the_body_off_after_what_was_said() {
    let model = Model::playing([Step::text("said"), Step::Cut]).await;

    let mut response = model.post("/responses", &response_request("hello")).await.unwrap();
    let mut body = Vec::new();
    let error = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => panic!("the body ended well"),
            Err(error) => break error,
        }
    };

    assert!(error.is_body() || error.is_decode(), "{error:?}");
    assert!(String::from_utf8(body).unwrap().contains("\"delta\":\"said\""));
}

#[tokio::test]
async fn a_cut_at_once_closes_the_connection_without_a_status() {
    let model = Model::playing([Step::Cut]).await;

    let error = model.post("/responses", &response_request("hello")).await.unwrap_err();

    assert!(error.is_request(), "{error:?}");
}

#[tokio::test]
async fn a_polite_end_lacks_the_terminal_mark() {
    let model = Model::playing([Step::text("a"), Step::EndWithoutMark]).await;

    let response = model.respond("hello").await;
    let chat = model.complete("hello").await;

    assert_eq!(types(&response).last(), Some(&"response.output_text.delta"));
    assert_eq!(chat.last().unwrap().data["choices"][0]["delta"]["content"], "a");
}

#[tokio::test]
async fn raw_bytes_are_all_that_is_sent() {
    let bytes = Bytes::from_static(b"data: {\"half\":\xf0\x9f");
    let model = Model::playing([Step::Raw(bytes.clone())]).await;

    let response = model.post("/chat/completions", &chat_request("hello")).await.unwrap();

    assert_eq!(response.bytes().await.unwrap(), bytes);
}

#[tokio::test]
async fn the_clients_leaving_is_seen() {
    let model = Model::playing([Step::text("a"), Step::Hang]).await;
    let mut response = model.post("/responses", &response_request("hello")).await.unwrap();
    response.chunk().await.unwrap().unwrap();
    let recorded = model.call(1).await;
    assert_eq!(recorded.end(), None);
    assert_eq!(model.running().model().counters().open_calls, 1);

    drop(response);

    assert_eq!(within(recorded.ended()).await, CallEnd::ClosedByClient);
    let handle = model.running().model();
    let counters = within(handle.wait_until(|counters| counters.open_connections == 0)).await;
    assert_eq!((counters.calls, counters.open_calls, counters.closed_by_client), (1, 0, 1));
}

#[tokio::test]
async fn the_clients_leaving_is_seen_before_any_answer() {
    let model = Model::start(|_| futures_util::stream::pending()).await;
    let request = response_request("hello");
    let recorded = tokio::select! {
        _ = model.post("/responses", &request) => panic!("there is no answer"),
        recorded = model.call(1) => recorded,
    };

    assert_eq!(within(recorded.ended()).await, CallEnd::ClosedByClient);
}

#[tokio::test]
async fn a_stopped_model_closes_its_connections() {
    let model = Model::playing([Step::text("a"), Step::Hang]).await;
    let mut response = model.post("/responses", &response_request("hello")).await.unwrap();
    response.chunk().await.unwrap().unwrap();

    within(model.stop()).await;

    assert!(response.chunk().await.is_err());
}

#[tokio::test]
async fn requests_that_openai_refuses_are_refused() {
    let model = Model::playing([Step::text("a")]).await;
    let call = json!({ "type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}" });
    let cases = [
        json!({ "input": "hello" }),
        json!({ "model": "m", "input": [] }),
        json!({ "model": "m", "input": [call] }),
        json!({ "model": "m", "input": [
            { "type": "function_call_output", "call_id": "c2", "output": "" }] }),
        json!({ "model": "m", "input": [
            { "role": "assistant", "content": [{ "type": "input_text", "text": "a" }] }] }),
    ];

    for request in cases {
        let response = model.post("/responses", &request).await.unwrap();

        assert_eq!(response.status(), 400, "{request}");
    }
    assert_eq!(model.running().model().counters().calls, 0);
}
