//! Readers that come back.

use chatkit_gateway::demo::scripted_model::Step;
use reqwest::{Method, StatusCode};

use crate::support::{TestServer, answer_text};

#[tokio::test]
async fn a_client_that_reconnects_receives_only_what_it_missed() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let voice = server.model.will_listen();
    let mut stream = alice.say("hi").await;
    voice.say("one ");
    let seen = stream.until_text().await.last().unwrap().seq();
    let run = stream.run_id.clone();
    drop(stream);

    voice.say("two ");
    voice.say("three");
    voice.finish();

    let missed = alice.events_after(&run, seen).await.rest().await;
    assert_eq!(answer_text(&missed), "two three");
    assert!(missed.iter().all(|event| event.seq() > seen));
    server.stop().await;
}

#[tokio::test]
async fn an_ended_run_is_replayed_from_every_position_with_nothing_missing_or_twice() {
    let server = TestServer::start().await;
    let alice = server.alice();
    server.model.will_play((0..40).map(|n| Step::text(format!("{n} "))).collect::<Vec<_>>());
    let mut stream = alice.say("count").await;
    let all = stream.rest().await;
    let last = all.last().unwrap().seq();
    let whole = answer_text(&all);

    for after in 0..=last {
        let tail = alice.events_after(&stream.run_id, after).await.rest().await;
        let text = answer_text(&tail);
        assert!(whole.ends_with(&text), "after {after}: {text:?}");
        assert_eq!(tail.is_empty(), after == last);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_position_may_come_in_the_query() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let mut stream = alice.say("hi").await;
    let all = stream.rest().await;
    let path = format!("/api/chatkit/runs/{}/events?after=3", stream.run_id);

    let response = alice.request(Method::GET, &path).send().await.unwrap();
    let tail = crate::support::EventStream::of(response).await.rest().await;

    assert_eq!(tail.first().unwrap().seq(), 4);
    assert_eq!(tail.last(), all.last());
    server.stop().await;
}

#[tokio::test]
async fn a_position_of_another_run_is_refused() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let mut stream = alice.say("hi").await;
    stream.rest().await;

    for position in
        ["01a20636-a4c8-73cb-9566-763b540d2a97:3", "x", "-1", &format!("{}:x", stream.run_id)]
    {
        let response = alice
            .request(Method::GET, &format!("/api/chatkit/runs/{}/events", stream.run_id))
            .header("last-event-id", position)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{position}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_events_of_a_run_that_ended_long_ago_are_gone_and_say_so() {
    let server = TestServer::start_with(&[("CHATKIT_EVENTS_KEPT", "0s")]).await;
    let alice = server.alice();
    let mut stream = alice.say("hi").await;
    stream.rest().await;

    let gone = alice.get(&format!("/api/chatkit/runs/{}/events", stream.run_id)).await;

    assert_eq!((gone.status, gone.code()), (StatusCode::GONE, "events_expired"));
    assert_eq!(alice.run(&stream.run_id).await["status"], "completed");
    server.stop().await;
}
