//! A thread that is loaded in the middle of an answer.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Client, TestServer};

async fn list(client: &Client, thread: &str, order: &str, limit: u32) -> Value {
    let params = json!({ "thread_id": thread, "order": order, "limit": limit });
    let body = json!({ "type": "items.list", "params": params });
    let answer = client.post("/chatkit", &body).await;
    assert_eq!(answer.status, StatusCode::OK);
    answer.body
}

fn texts(page: &Value) -> Vec<&str> {
    let items = page["data"].as_array().unwrap();
    items
        .iter()
        .map(|item| &item["content"][0]["text"])
        .map(|text| text.as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_thread_shows_what_its_live_run_has_written_so_far() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let voice = server.model.will_listen();
    let mut stream = alice.say("hi").await;
    voice.say("So far, so ");
    stream.until_text().await;
    let thread = stream.thread_id.clone();

    let shown = alice.get(&format!("/api/chatkit/threads/{thread}")).await.body;
    let message = &shown["messages"][1];
    assert_eq!(message["content"], "So far, so ");
    assert_eq!(message["status"], "streaming");
    assert_eq!(texts(&list(&alice, &thread, "asc", 20).await), ["hi", "So far, so "]);
    assert_eq!(texts(&list(&alice, &thread, "desc", 20).await), ["So far, so ", "hi"]);
    let body = json!({ "type": "threads.get_by_id", "params": { "thread_id": thread } });
    assert_eq!(texts(&alice.post("/chatkit", &body).await.body["items"]), ["hi", "So far, so "]);
    // Nobody else sees it, nor does another thread of the same user.
    let bobs = server.bob().get(&format!("/api/chatkit/threads/{thread}")).await;
    assert_eq!(bobs.status, StatusCode::NOT_FOUND);

    voice.say("good.");
    voice.finish();
    stream.rest().await;
    let shown = alice.get(&format!("/api/chatkit/threads/{thread}")).await.body;
    assert_eq!(shown["messages"].as_array().unwrap().len(), 2);
    assert_eq!(shown["messages"][1]["content"], "So far, so good.");
    assert_eq!(shown["messages"][1]["id"], message["id"]);
    assert_eq!(shown["messages"][1]["status"], "complete");
    server.stop().await;
}

#[tokio::test]
async fn what_is_under_way_stands_beside_the_newest_page_and_no_other() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let thread = alice.talk("one").await;
    let voice = server.model.will_listen();
    let mut stream = alice.say_in(&thread, "two").await;
    voice.say("under way");
    stream.until_text().await;

    let newest = list(&alice, &thread, "desc", 1).await;
    assert_eq!(texts(&newest), ["under way", "two"]);
    assert_eq!(newest["has_more"], true);
    let params = json!({ "thread_id": thread, "after": newest["after"], "limit": 9 });
    let body = json!({ "type": "items.list", "params": params });
    assert_eq!(texts(&alice.post("/chatkit", &body).await.body).last(), Some(&"one"));
    assert_eq!(texts(&list(&alice, &thread, "asc", 1).await), ["one"]);

    voice.finish();
    stream.rest().await;
    server.stop().await;
}
