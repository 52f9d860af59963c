//! The older, synchronous chat and the task list.

use chatkit_gateway::demo::scripted_model::Step;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::TestServer;

#[tokio::test]
async fn the_older_chat_answers_when_all_is_done_and_tells_its_tool_calls() {
    let server = TestServer::start().await;
    let alice = server.alice();
    server.model.will_play([Step::call("add_task", &json!({"title": "milk"}))]);

    let first = alice.post("/api/alice/chat", &json!({"message": "add milk"})).await;
    let again = json!({"conversation_id": first.body["conversation_id"], "message": "thanks"});
    let second = alice.post("/api/alice/chat", &again).await;

    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    assert_eq!(first.body["response"], "Hello there.");
    assert_eq!(first.body["tool_calls"][0]["name"], "add_task");
    assert_eq!(first.body["tool_calls"][0]["arguments"], json!({"title": "milk"}));
    assert!(first.body["tool_calls"][0]["result"].to_string().contains("milk"));
    assert_eq!(second.body["conversation_id"], first.body["conversation_id"]);
    assert_eq!(second.body["tool_calls"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn the_older_chat_says_when_the_model_fails() {
    let server = TestServer::start().await;
    server.model.will_play([Step::status(401, "invalid_api_key", "no")]);

    let answer = server.alice().post("/api/alice/chat", &json!({"message": "hi"})).await;

    assert_eq!((answer.status.as_u16(), answer.code()), (502, "answer_failed"));
    server.stop().await;
}

#[tokio::test]
async fn tasks_are_made_listed_changed_completed_and_deleted() {
    let server = TestServer::start().await;
    let alice = server.alice();

    let made =
        alice.post("/api/alice/tasks", &json!({"title": "milk", "description": "2 l"})).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let path = format!("/api/alice/tasks/{}", made.body["id"]);
    assert_eq!(alice.get(&path).await.body, made.body);

    let changed = alice.send(Method::PUT, &path, &json!({"title": "bread"})).await;
    assert_eq!((&changed.body["title"], changed.body.get("description")), (&json!("bread"), None));
    let done = alice.send(Method::PATCH, &format!("{path}/complete"), &json!({})).await;
    assert_eq!(done.body["completed"], true);
    let pending = alice.get("/api/alice/tasks?status=pending").await;
    assert_eq!(pending.body["data"], json!([]));

    assert_eq!(alice.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(alice.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(alice.get("/api/alice/tasks/seven").await.status, StatusCode::NOT_FOUND);
    let refused = alice.post("/api/alice/tasks", &json!({"title": "  "})).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (400, "invalid_request"));
    server.stop().await;
}
