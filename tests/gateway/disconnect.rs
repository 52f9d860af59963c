//! What becomes of a run that nobody watches any more, as the operator says.

use chatkit_gateway::demo::scripted_model::Step;
use serde_json::json;

use crate::support::{TestServer, answer_text};

const VARIABLE: &str = "CHATKIT_ON_DISCONNECT";

#[tokio::test]
async fn with_cancel_the_last_reader_to_leave_stops_the_run() {
    let server = TestServer::start_with(&[(VARIABLE, "cancel")]).await;
    let alice = server.alice();
    server.model.will_play([Step::text("so far"), Step::Hang]);
    let mut stream = alice.say("hi").await;
    let seen = stream.until_text().await.last().unwrap().seq();
    let mut other = alice.events_after(&stream.run_id, 0).await;
    other.until_text().await;
    let (run, thread) = (stream.run_id.clone(), stream.thread_id.clone());

    drop(stream);
    assert_eq!(alice.run(&run).await["status"], "running", "one still reads");
    drop(other);

    server.model.running.model().wait_until(|counters| counters.closed_by_client == 1).await;
    assert!(alice.events_after(&run, seen).await.rest().await.is_empty());
    assert_eq!(alice.run(&run).await["status"], "cancelled");
    let messages = &alice.thread(&thread).await["messages"];
    assert_eq!(messages[1]["content"], "so far");
    server.stop().await;
}

#[tokio::test]
async fn with_cancel_a_page_is_offered_its_stop_button() {
    for (policy, is_offered) in [("cancel", true), ("cancel_after:1h", false), ("continue", false)]
    {
        let server = TestServer::start_with(&[(VARIABLE, policy)]).await;
        let input = json!({
            "content": [{ "type": "input_text", "text": "hi" }],
            "attachments": [],
            "inference_options": {},
        });
        let alice = server.alice();

        let mut stream = alice.chatkit_stream("threads.create", &json!({ "input": input })).await;
        stream.rest().await;

        let raw = String::from_utf8(stream.raw).unwrap();
        let options = format!(r#""stream_options":{{"allow_cancel":{is_offered}}}"#);
        assert!(raw.contains(&options), "{policy}: {raw}");
        server.stop().await;
    }
}

#[tokio::test]
async fn with_cancel_after_a_reader_that_comes_back_in_time_finds_its_run() {
    let server = TestServer::start_with(&[(VARIABLE, "cancel_after:1h")]).await;
    let alice = server.alice();
    let voice = server.model.will_listen();
    let mut stream = alice.say("hi").await;
    voice.say("one ");
    let seen = stream.until_text().await.last().unwrap().seq();
    let run = stream.run_id.clone();
    drop(stream);

    let mut again = alice.events_after(&run, seen).await;
    voice.say("two");
    voice.finish();

    assert_eq!(answer_text(&again.rest().await), "two");
    assert_eq!(alice.run(&run).await["status"], "completed");
    server.stop().await;
}

#[tokio::test]
async fn with_cancel_after_a_run_that_stays_unwatched_is_stopped() {
    let server = TestServer::start_with(&[(VARIABLE, "cancel_after:20ms")]).await;
    let alice = server.alice();
    server.model.will_play([Step::text("so far"), Step::Hang]);
    let mut stream = alice.say("hi").await;
    stream.until_text().await;

    drop(stream);

    server.model.running.model().wait_until(|counters| counters.closed_by_client == 1).await;
    server.stop().await;
}
