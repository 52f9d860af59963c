//! The end of the process.

use chatkit_gateway::{demo::scripted_model::Step, protocol::ThreadEvent};
use serde_json::json;

use crate::support::{TestServer, events::done_text};

#[tokio::test]
async fn shutdown_ends() {
    let server = TestServer::start_with(&[("CHATKIT_DRAIN", "50ms")]).await;
    let alice = server.alice();
    server.model.will_play([Step::text("so far"), Step::Hang]);
    let mut stream = alice.say("hi").await;
    stream.until_text().await;

    server.terminate();

    let rest = stream.rest().await;
    assert!(matches!(rest.last().unwrap().event, ThreadEvent::Error(_)), "{rest:?}");
    let (run, thread) = (stream.run_id.clone(), stream.thread_id.clone());
    let server = TestServer::start_on(server.wait().await, &[]).await;
    let alice = server.alice();
    assert_eq!(alice.run(&run).await["status"], "interrupted");
    assert_eq!(alice.thread(&thread).await["messages"][1]["content"], "so far");
    server.stop().await;
}

#[tokio::test]
async fn a_run_that_is_done_in_time_is_done_in_full() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let voice = server.model.will_listen();
    let mut stream = alice.say("hi").await;
    voice.say("one ");
    stream.until_text().await;

    server.terminate();
    voice.say("two");
    voice.finish();

    assert_eq!(done_text(&stream.rest().await).unwrap(), "one two");
    server.wait().await;
}

#[tokio::test]
async fn while_it_drains_nothing_new_begins() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let voice = server.model.will_listen();
    let mut stream = alice.say("hi").await;
    voice.say("one ");
    stream.until_text().await;
    // A connection that is used already: new ones are not accepted any more.
    let kept = server.bob();
    kept.get("/ready").await;

    server.terminate();
    let refused = kept.request(reqwest::Method::POST, "/api/chatkit/messages");
    let refused = refused.json(&json!({"content": "hi"})).send().await;

    if let Ok(response) = refused {
        assert_eq!(response.status().as_u16(), 503);
        assert!(response.headers().contains_key("retry-after"));
    }
    voice.finish();
    stream.rest().await;
    server.wait().await;
}

#[tokio::test]
async fn a_second_signal_hurries() {
    let server = TestServer::start().await;
    server.model.will_play([Step::text("so far"), Step::Hang]);
    let mut stream = server.alice().say("hi").await;
    stream.until_text().await;

    server.terminate();
    server.hurry();

    stream.rest().await;
    server.wait().await;
}
