//! The thread list.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::TestServer;

fn ids(page: &Value) -> Vec<String> {
    let data = page["data"].as_array().unwrap();
    data.iter().map(|thread| thread["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn threads_are_listed_by_their_last_change_with_their_counts() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let first = alice.talk("one").await;
    let second = alice.talk("two").await;
    alice.say_in(&first, "more").await.rest().await;

    let page = alice.get("/api/chatkit/threads").await.body;

    assert_eq!(ids(&page), [first, second]);
    assert_eq!(page["data"][0]["message_count"], 4);
    assert_eq!(page["data"][1]["message_count"], 2);
    assert_eq!(page["has_more"], false);
    server.stop().await;
}

#[tokio::test]
async fn pages_join_without_gap_or_repeat() {
    let server = TestServer::start().await;
    let alice = server.alice();
    for n in 0..7 {
        alice.post("/api/chatkit/threads", &json!({ "title": format!("t{n}") })).await;
    }
    let whole = ids(&alice.get("/api/chatkit/threads").await.body);

    let mut joined = Vec::new();
    let mut path = "/api/chatkit/threads?limit=3".to_owned();
    loop {
        let page = alice.get(&path).await.body;
        joined.extend(ids(&page));
        let Some(after) = page["after"].as_str() else { break };
        path = format!("/api/chatkit/threads?limit=3&after={after}");
    }

    assert_eq!(joined, whole);
    assert_eq!(joined.len(), 7);
    server.stop().await;
}

#[tokio::test]
async fn a_thread_is_renamed_put_away_and_taken_back() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let thread = alice.talk("hi").await;
    let path = format!("/api/chatkit/threads/{thread}");

    let changed = alice.send(Method::PATCH, &path, &json!({"title": "T", "archived": true})).await;

    assert_eq!(changed.status, StatusCode::OK);
    assert_eq!((&changed.body["title"], &changed.body["archived"]), (&json!("T"), &json!(true)));
    assert!(ids(&alice.get("/api/chatkit/threads").await.body).is_empty());
    let away = alice.get("/api/chatkit/threads?archived=true").await.body;
    assert_eq!(ids(&away), [thread.as_str()]);
    alice.send(Method::PATCH, &path, &json!({"archived": false})).await;
    assert_eq!(ids(&alice.get("/api/chatkit/threads").await.body), [thread]);
    server.stop().await;
}

#[tokio::test]
async fn a_deleted_thread_is_gone_with_all_that_was_in_it() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let mut stream = alice.say("hi").await;
    stream.rest().await;
    let path = format!("/api/chatkit/threads/{}", stream.thread_id);

    assert_eq!(alice.delete(&path).await.status, StatusCode::NO_CONTENT);

    assert_eq!(alice.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(alice.delete(&path).await.status, StatusCode::NOT_FOUND);
    let run = alice.get(&format!("/api/chatkit/runs/{}", stream.run_id)).await;
    assert_eq!(run.status, StatusCode::NOT_FOUND);
    server.stop().await;
}

#[tokio::test]
async fn a_thread_can_be_made_without_a_body() {
    let server = TestServer::start().await;
    let alice = server.alice();

    let made = alice.request(Method::POST, "/api/chatkit/threads").send().await.unwrap();

    assert_eq!(made.status(), StatusCode::CREATED);
    server.stop().await;
}
