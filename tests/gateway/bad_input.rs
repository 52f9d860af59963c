//! Bad input: a clear error, nothing stored, nothing sent to the model.

use reqwest::{Method, header};
use serde_json::json;

use crate::support::{TestServer, client::Answer};

#[tokio::test]
async fn a_bad_message_is_refused_and_nothing_of_it_is_kept() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let long = "x".repeat(32_001);
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let huge = format!(r#"{{"content":"{}"}}"#, "x".repeat(1_100_000));
    let cases: Vec<(Vec<u8>, u16, &str)> = vec![
        (b"".to_vec(), 400, "invalid_request"),
        (b"not json".to_vec(), 400, "invalid_request"),
        (b"{}".to_vec(), 400, "invalid_request"),
        (b"null".to_vec(), 400, "invalid_request"),
        (br#"{"content":7}"#.to_vec(), 400, "invalid_request"),
        (br#"{"content":""}"#.to_vec(), 400, "invalid_request"),
        (br#"{"content":" \n "}"#.to_vec(), 400, "invalid_request"),
        (br#"{"content":"a\u0000b"}"#.to_vec(), 400, "invalid_request"),
        (br#"{"content":"\ud800"}"#.to_vec(), 400, "invalid_request"),
        (b"{\"content\":\"\xff\"}".to_vec(), 400, "invalid_request"),
        (br#"{"content":"a","content":"b"}"#.to_vec(), 400, "invalid_request"),
        (format!(r#"{{"content":"{long}"}}"#).into_bytes(), 400, "invalid_request"),
        (deep.into_bytes(), 400, "invalid_request"),
        (br#"{"content":"a","attachments":["x"]}"#.to_vec(), 404, "not_found"),
        (huge.into_bytes(), 413, "payload_too_large"),
    ];

    for (body, status, code) in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let request = alice
            .request(Method::POST, "/api/chatkit/messages")
            .header(header::CONTENT_TYPE, "application/json")
            .body(body);
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{shown}");
        assert!(answer.body["error"]["request_id"].is_string(), "{}", answer.body);
    }

    assert_eq!(alice.get("/api/chatkit/threads").await.body["data"], json!([]));
    assert_eq!(server.model.calls(), 0);
    server.stop().await;
}

#[tokio::test]
async fn a_body_must_say_that_it_is_json() {
    let server = TestServer::start().await;
    let alice = server.alice();
    for (name, value) in
        [("content-type", "text/plain"), ("content-type", "application/x-www-form-urlencoded")]
    {
        let request = alice.request(Method::POST, "/api/chatkit/messages").header(name, value);
        let answer = Answer::of(request.body(r#"{"content":"hi"}"#).send().await.unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (415, "unsupported_media_type"));
    }
    let gzip = alice
        .request(Method::POST, "/api/chatkit/messages")
        .header("content-type", "application/json")
        .header("content-encoding", "gzip")
        .body("x");
    assert_eq!(Answer::of(gzip.send().await.unwrap()).await.status.as_u16(), 415);
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_said_in_the_shape_of_every_error() {
    let server = TestServer::start().await;
    let alice = server.alice();

    let route = alice.get("/api/nowhere/at/all").await;
    assert_eq!((route.status.as_u16(), route.code()), (404, "not_found"));
    let method = alice.send(Method::PUT, "/api/chatkit/messages", &json!({})).await;
    assert_eq!((method.status.as_u16(), method.code()), (405, "method_not_allowed"));
    let query = alice.get("/api/chatkit/threads?limit=many").await;
    assert_eq!((query.status.as_u16(), query.code()), (400, "invalid_request"));
    server.stop().await;
}

#[tokio::test]
async fn a_bad_chatkit_request_is_refused_with_the_reason() {
    let server = TestServer::start().await;
    let alice = server.alice();

    for (body, mentioned) in [
        (json!({}), "type"),
        (json!({"type": "threads.fly", "params": {}}), "threads.fly"),
        (json!({"type": "threads.list"}), "params"),
        (json!({"type": "threads.list", "params": {"order": "up"}}), "up"),
        (json!({"type": "threads.create", "params": {}}), "input"),
        (json!({"type": "threads.create", "params": {"input": {"content": []}}}), "attachments"),
    ] {
        let answer = alice.post("/chatkit", &body).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "invalid_request"), "{body}");
        let message = answer.body["error"]["message"].as_str().unwrap();
        assert!(message.contains(mentioned), "{message}");
    }
    server.stop().await;
}
