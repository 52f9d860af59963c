//! Nobody sees another's data, and a foreign id looks like an unknown one.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestServer, client::Answer};

const UNKNOWN: &str = "01a20636-a4c8-73cb-9566-763b540d2a97";

#[tokio::test]
async fn nobody_sees_anothers_data() {
    let server = TestServer::start().await;
    let (alice, bob) = (server.alice(), server.bob());
    let mut stream = alice.say("a secret").await;
    stream.rest().await;
    let item = alice.thread(&stream.thread_id).await["messages"][0]["id"].clone();
    let before = alice.thread(&stream.thread_id).await;

    for (thread, run) in [
        (stream.thread_id.as_str(), stream.run_id.as_str()),
        (UNKNOWN, UNKNOWN),
        ("malformed", "malformed"),
    ] {
        let item = if thread == stream.thread_id { item.clone() } else { json!(UNKNOWN) };
        for (method, path, body) in requests(thread, run, &item) {
            let request = bob.request(method.clone(), &path);
            let request = if body.is_null() { request } else { request.json(&body) };
            let answer = Answer::of(request.send().await.unwrap()).await;
            assert_eq!(
                (answer.status.as_u16(), answer.code()),
                (404, "not_found"),
                "{method} {path} {body}: {}",
                answer.body
            );
        }
    }

    assert_eq!(alice.thread(&stream.thread_id).await, before);
    assert_eq!(server.model.calls(), 1);
    server.stop().await;
}

fn requests(thread: &str, run: &str, item: &Value) -> Vec<(Method, String, Value)> {
    let chatkit = |kind: &str, params: Value| {
        (Method::POST, "/chatkit".to_owned(), json!({ "type": kind, "params": params }))
    };
    let input = json!({
        "content": [{"type": "input_text", "text": "hi"}],
        "attachments": [],
        "inference_options": {},
    });
    vec![
        (Method::GET, format!("/api/chatkit/threads/{thread}"), Value::Null),
        (Method::PATCH, format!("/api/chatkit/threads/{thread}"), json!({"title": "x"})),
        (Method::DELETE, format!("/api/chatkit/threads/{thread}"), Value::Null),
        (Method::GET, format!("/api/chatkit/threads?after={thread}"), Value::Null),
        (
            Method::POST,
            "/api/chatkit/messages".to_owned(),
            json!({"thread_id": thread, "content": "x"}),
        ),
        (Method::GET, format!("/api/chatkit/runs/{run}"), Value::Null),
        (Method::GET, format!("/api/chatkit/runs/{run}/events"), Value::Null),
        (Method::POST, format!("/api/chatkit/runs/{run}/cancel"), Value::Null),
        chatkit("threads.get_by_id", json!({"thread_id": thread})),
        chatkit("threads.update", json!({"thread_id": thread, "title": "x"})),
        chatkit("threads.delete", json!({"thread_id": thread})),
        chatkit("threads.list", json!({"after": thread})),
        chatkit("threads.add_user_message", json!({"thread_id": thread, "input": input})),
        chatkit("items.list", json!({"thread_id": thread})),
        chatkit("items.list", json!({"thread_id": thread, "after": item})),
        chatkit(
            "items.feedback",
            json!({"thread_id": thread, "item_ids": [item], "kind": "positive"}),
        ),
        (
            Method::POST,
            "/api/bob/chat".to_owned(),
            json!({"conversation_id": thread, "message": "x"}),
        ),
    ]
}

#[tokio::test]
async fn the_user_in_the_path_must_be_the_caller() {
    let server = TestServer::start().await;
    let bob = server.bob();

    for (method, path) in [
        (Method::GET, "/api/alice/tasks"),
        (Method::GET, "/api/alice/tasks/1"),
        (Method::DELETE, "/api/alice/tasks/1"),
        (Method::PATCH, "/api/alice/tasks/1/complete"),
    ] {
        let answer = Answer::of(bob.request(method, path).send().await.unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (403, "forbidden"), "{path}");
    }
    let chat = bob.post("/api/alice/chat", &json!({"message": "x"})).await;
    assert_eq!((chat.status.as_u16(), chat.code()), (403, "forbidden"));
    server.stop().await;
}
