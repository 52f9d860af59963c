//! What MCP clients may read.

use serde_json::{Value, json};

use crate::support::{Client, TestServer};

async fn ask(user: &Client, method: &str, params: Value) -> Value {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let request = user.request(reqwest::Method::POST, "/mcp");
    let request = request.header("accept", "application/json, text/event-stream");
    let answer = request.header("mcp-protocol-version", "2025-11-25").json(&body).send().await;
    answer.unwrap().json().await.unwrap()
}

/// The JSON of a resource.
async fn read(user: &Client, uri: &str) -> Value {
    let answer = ask(user, "resources/read", json!({ "uri": uri })).await;
    let contents = &answer["result"]["contents"][0];
    assert_eq!(
        (&contents["uri"], &contents["mimeType"]),
        (&json!(uri), &json!("application/json"))
    );
    serde_json::from_str(contents["text"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_user_reads_the_task_list_and_the_threads_that_are_listed() {
    let server = TestServer::start().await;
    let alice = server.alice();
    alice.post("/api/alice/tasks", &json!({ "title": "milk" })).await;
    let thread = alice.talk("hello?").await;

    let list = ask(&alice, "resources/list", json!({})).await;

    let uris: Vec<&str> = list["result"]["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|resource| resource["uri"].as_str().unwrap())
        .collect();
    let of_thread = format!("chatkit://threads/{thread}");
    assert_eq!(uris, ["chatkit://tasks", of_thread.as_str()]);
    assert_eq!(read(&alice, "chatkit://tasks").await["tasks"][0]["title"], "milk");
    let read = read(&alice, &of_thread).await;
    assert_eq!(read["messages"][0]["content"], "hello?");
    assert_eq!(
        (&read["messages"][1]["role"], &read["older_left_out"]),
        (&json!("assistant"), &json!(false))
    );
    let templates = ask(&alice, "resources/templates/list", json!({})).await;
    assert_eq!(
        templates["result"]["resourceTemplates"][0]["uriTemplate"],
        "chatkit://threads/{id}"
    );
    server.stop().await;
}

#[tokio::test]
async fn anothers_thread_looks_like_one_that_does_not_exist() {
    let server = TestServer::start().await;
    let thread = server.alice().talk("a secret").await;
    let bob = server.bob();

    let list = ask(&bob, "resources/list", json!({})).await;

    assert_eq!(list["result"]["resources"].as_array().unwrap().len(), 1);
    let foreign = format!("chatkit://threads/{thread}");
    let never = "chatkit://threads/00000000-0000-7000-8000-000000000000";
    for uri in [foreign.as_str(), never, "chatkit://threads/", "file:///etc/passwd"] {
        let mut answer = ask(&bob, "resources/read", json!({ "uri": uri })).await;
        assert_eq!(answer["error"]["data"]["uri"].take(), uri);
        assert_eq!(answer["error"]["message"], "there is no such resource");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_long_list_of_threads_has_pages() {
    let server = TestServer::start().await;
    let alice = server.alice();
    for number in 0..60 {
        alice.post("/api/chatkit/threads", &json!({ "title": number.to_string() })).await;
    }

    let first = ask(&alice, "resources/list", json!({})).await["result"].clone();
    let second = ask(&alice, "resources/list", json!({ "cursor": first["nextCursor"] })).await;
    let wrong = ask(&alice, "resources/list", json!({ "cursor": "x" })).await;

    assert_eq!(first["resources"].as_array().unwrap().len(), 51);
    assert_eq!(second["result"]["resources"].as_array().unwrap().len(), 10);
    assert_eq!(second["result"].get("nextCursor"), None);
    assert_eq!(wrong["error"]["code"], -32602);
    server.stop().await;
}
