//! Stop.

use chatkit_gateway::demo::scripted_model::Step;
use serde_json::json;

use crate::support::TestServer;

#[tokio::test]
async fn stop_closes_the_models_connection_and_keeps_the_text() {
    let server = TestServer::start().await;
    let alice = server.alice();
    server.model.will_play([Step::text("so far"), Step::Hang]);
    let mut stream = alice.say("hi").await;
    stream.until_text().await;

    let answer = alice.cancel(&stream.run_id).await;

    assert_eq!(answer.status.as_u16(), 202);
    assert_eq!(answer.body["status"], "cancelled");
    server.model.running.model().wait_until(|counters| counters.closed_by_client == 1).await;
    stream.rest().await;
    let thread = alice.thread(&stream.thread_id).await;
    assert_eq!(thread["messages"][1]["content"], "so far");
    assert_eq!(thread["messages"][1]["status"], "cancelled");
    assert_eq!(thread["active_run_id"], json!(null));
    server.stop().await;
}

#[tokio::test]
async fn stop_also_stops_a_model_that_goes_on_without_a_connection() {
    let server = TestServer::start_with(&[("OPENAI_BACKGROUND", "true")]).await;
    let alice = server.alice();
    server.model.will_play([Step::text("so far"), Step::Hang]);
    let mut stream = alice.say("hi").await;
    stream.until_text().await;

    alice.cancel(&stream.run_id).await;

    server.model.running.model().wait_until(|counters| counters.closed_by_client == 1).await;
    stream.rest().await;
    let thread = alice.thread(&stream.thread_id).await;
    assert_eq!(thread["messages"][1]["content"], "so far");
    server.stop().await;
}

#[tokio::test]
async fn stopping_twice_or_too_late_changes_nothing() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let mut stream = alice.say("hi").await;
    stream.rest().await;

    for _ in 0..2 {
        let answer = alice.cancel(&stream.run_id).await;
        assert_eq!(answer.status.as_u16(), 202);
        assert_eq!(answer.body["status"], "completed");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_model_is_told_that_it_was_stopped() {
    let server = TestServer::start().await;
    let alice = server.alice();
    server.model.will_play([Step::text("so far"), Step::Hang]);
    let mut stream = alice.say("hi").await;
    stream.until_text().await;
    alice.cancel(&stream.run_id).await;
    stream.rest().await;

    alice.say_in(&stream.thread_id, "something else").await.rest().await;

    let input = server.model.call(2).await.body["input"].to_string();
    assert!(input.contains("so far") && input.contains("cancelled the stream"), "{input}");
    server.stop().await;
}

#[tokio::test]
async fn a_thread_that_is_deleted_stops_its_run() {
    let server = TestServer::start().await;
    let alice = server.alice();
    server.model.will_play([Step::text("so far"), Step::Hang]);
    let mut stream = alice.say("hi").await;
    stream.until_text().await;

    let answer = alice.delete(&format!("/api/chatkit/threads/{}", stream.thread_id)).await;

    assert_eq!(answer.status.as_u16(), 204);
    server.model.running.model().wait_until(|counters| counters.closed_by_client == 1).await;
    stream.rest().await;
    let gone = alice.get(&format!("/api/chatkit/runs/{}", stream.run_id)).await;
    assert_eq!(gone.status.as_u16(), 404);
    server.stop().await;
}
