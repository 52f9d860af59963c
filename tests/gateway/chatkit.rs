//! The ChatKit protocol's endpoint.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{EventStream, TestServer, answer_text};

fn input(text: &str) -> Value {
    json!({
        "content": [{"type": "input_text", "text": text}],
        "attachments": [],
        "inference_options": {},
    })
}

#[tokio::test]
async fn a_page_makes_a_thread_reads_it_and_deletes_it() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let mut stream = alice.chatkit_stream("threads.create", &json!({ "input": input("hi") })).await;
    let events = stream.rest().await;
    assert_eq!(answer_text(&events), "Hello there.");
    assert!(events.iter().all(|event| event.id.is_none()), "frames are those of the SDK");
    let id = json!({ "thread_id": stream.thread_id });

    let thread = alice.chatkit("threads.get_by_id", &id).await.body;
    let items = thread["items"]["data"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(items[1]["content"][0]["text"], "Hello there.");
    let listed = alice.chatkit("threads.list", &json!({})).await.body;
    assert_eq!(listed["data"][0]["id"], stream.thread_id.as_str());
    assert_eq!(listed["data"][0]["items"], json!({"data": [], "has_more": false}));
    let renamed = json!({ "thread_id": stream.thread_id, "title": "T" });
    assert_eq!(alice.chatkit("threads.update", &renamed).await.body["title"], "T");
    let feedback = json!({
        "thread_id": stream.thread_id, "item_ids": [items[1]["id"]], "kind": "positive",
    });
    assert_eq!(alice.chatkit("items.feedback", &feedback).await.body, json!({}));
    assert_eq!(alice.chatkit("threads.delete", &id).await.body, json!({}));
    assert_eq!(alice.chatkit("threads.get_by_id", &id).await.status.as_u16(), 404);
    server.stop().await;
}

#[tokio::test]
async fn the_gateways_own_client_gets_positions_and_a_stop_that_stops() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let body = json!({ "type": "threads.create", "params": { "input": input("hi") } });

    for (own, path) in [(true, "/chatkit"), (false, "/api/chatkit")] {
        let request = alice.request(Method::POST, path).json(&body);
        let request = if own { request.header("chatkit-gateway-client", "1") } else { request };
        let mut stream = EventStream::of(request.send().await.unwrap()).await;
        let events = stream.rest().await;
        assert!(events.iter().all(|event| event.id.is_some() == own));
        let raw = String::from_utf8_lossy(&stream.raw).into_owned();
        assert!(raw.contains(&format!(r#""allow_cancel":{own}"#)), "{raw}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_new_message_supersedes_an_answer_that_nobody_watches() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let voice = server.model.will_listen();
    let mut first = alice.chatkit_stream("threads.create", &json!({ "input": input("hi") })).await;
    voice.say("so far");
    first.until_text().await;
    let add = json!({ "thread_id": first.thread_id, "input": input("rather this") });

    let busy = alice.chatkit("threads.add_user_message", &add).await;
    assert_eq!((busy.status.as_u16(), busy.code()), (409, "run_active"));

    let thread = first.thread_id.clone();
    drop(first);
    let mut second = alice.chatkit_stream_once_free("threads.add_user_message", &add).await;
    assert_eq!(answer_text(&second.rest().await), "Hello there.");
    let messages = alice.thread(&thread).await["messages"].clone();
    assert_eq!(messages[1]["status"], "cancelled");
    assert_eq!(messages[1]["content"], "so far");
    server.stop().await;
}
