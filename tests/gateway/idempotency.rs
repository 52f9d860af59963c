//! Idempotency keys: one POST, one bill.

use chatkit_gateway::{demo::scripted_model::Step, protocol::ThreadEvent};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{
    Client, EventStream, TestServer, answer_text,
    client::Answer,
    events::{done_text, kinds},
};

fn post(client: &Client, key: &str, text: &str) -> reqwest::RequestBuilder {
    client
        .request(Method::POST, "/api/chatkit/messages")
        .header("idempotency-key", key)
        .json(&json!({ "content": text }))
}

#[tokio::test]
async fn one_post_one_bill() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let voice = server.model.will_listen();
    let mut first = EventStream::of(post(&alice, "k1", "hi").send().await.unwrap()).await;
    voice.say("one ");
    first.until_text().await;

    let mut second = EventStream::of(post(&alice, "k1", "hi").send().await.unwrap()).await;
    assert_eq!(second.headers["idempotency-replayed"], "true");
    assert_eq!(second.run_id, first.run_id);
    voice.say("two");
    voice.finish();
    assert_eq!(answer_text(&second.rest().await), "one two");
    first.rest().await;

    let mut third = EventStream::of(post(&alice, "k1", "hi").send().await.unwrap()).await;
    assert_eq!(answer_text(&third.rest().await), "one two");
    assert_eq!(server.model.calls(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_key_is_good_for_one_request_of_one_user() {
    let server = TestServer::start().await;
    let alice = server.alice();
    EventStream::of(post(&alice, "k1", "hi").send().await.unwrap()).await.rest().await;

    let other = Answer::of(post(&alice, "k1", "other").send().await.unwrap()).await;
    assert_eq!((other.status.as_u16(), other.code()), (422, "idempotency_key_reused"));
    let bobs = post(&server.bob(), "k1", "hi").send().await.unwrap();
    assert_eq!(bobs.status(), StatusCode::OK);
    assert!(!bobs.headers().contains_key("idempotency-replayed"));
    EventStream::of(bobs).await.rest().await;
    for bad in ["", "has space", &"x".repeat(256)] {
        let refused = post(&alice, bad, "hi").send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{bad:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_same_key_posted_20_times_at_once_is_one_run() {
    let server = TestServer::start().await;
    let alice = server.alice();

    let posts = (0..20).map(|_| async {
        let mut stream = EventStream::of(post(&alice, "k1", "hi").send().await.unwrap()).await;
        (stream.run_id.clone(), answer_text(&stream.rest().await))
    });
    let answers = futures_util::future::join_all(posts).await;

    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(server.model.calls(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_key_outlives_the_events_of_its_run() {
    let server = TestServer::start_with(&[("CHATKIT_EVENTS_KEPT", "0s")]).await;
    let alice = server.alice();
    server.model.will_play([Step::text("Hello"), Step::text(" there")]);
    let first = EventStream::of(post(&alice, "k1", "hi").send().await.unwrap()).await.rest().await;
    let thread = first[0].event.clone();

    let mut second = EventStream::of(post(&alice, "k1", "hi").send().await.unwrap()).await;

    assert_eq!(second.headers["idempotency-replayed"], "true");
    let told = second.rest().await;
    let message = "thread.item.done user_message";
    let answer = "thread.item.done assistant_message";
    let expected = ["thread.created", message, "stream_options", answer];
    assert_eq!(kinds(&told), expected);
    assert_eq!(told[1].event, first[1].event);
    assert_eq!(done_text(&told).as_deref(), Some("Hello there"));
    let ThreadEvent::ThreadCreated { thread: told } = &told[0].event else { unreachable!() };
    let ThreadEvent::ThreadCreated { thread } = thread else { unreachable!() };
    assert_eq!(told.id, thread.id);
    assert_eq!(server.model.calls(), 1);
    server.stop().await;
}
