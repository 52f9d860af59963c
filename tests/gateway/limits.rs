//! What one user or one address may ask for, and what is answered to more.

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::{io::AsyncReadExt as _, net::TcpStream};

use crate::support::{TestServer, client::Answer, client::Client, events::answer_text};

/// Asked through a proxy for somebody at this address.
async fn get_for(client: &Client, path: &str, forwarded: &str) -> Answer {
    let request = client.request(Method::GET, path).header("x-forwarded-for", forwarded);
    Answer::of(request.send().await.unwrap()).await
}

fn retry_after(answer: &Answer) -> u64 {
    answer.headers["retry-after"].to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_user_who_asks_too_often_is_told_when_there_is_room_again() {
    let server = TestServer::start_with(&[("CHATKIT_REQUESTS_PER_MINUTE", "3")]).await;
    let (alice, bob) = (server.alice(), server.bob());
    let threads = "/api/chatkit/threads";
    for _ in 0..3 {
        assert_eq!(alice.get(threads).await.status, StatusCode::OK);
    }

    for answer in [
        alice.get(threads).await,
        alice.post("/chatkit", &json!({"type": "threads.list", "params": {}})).await,
        alice.post("/api/chatkit/messages", &json!({"content": "hello"})).await,
        alice.post("/mcp", &json!({})).await,
    ] {
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.code(), "rate_limited");
        assert!((1..=20).contains(&retry_after(&answer)), "{:?}", answer.headers);
    }

    assert_eq!(bob.get(threads).await.status, StatusCode::OK);
    assert_eq!(alice.get("/health").await.status, StatusCode::OK);
    assert_eq!(server.model.calls(), 0);
    server.stop().await;
}

#[tokio::test]
async fn an_address_that_asks_too_often_is_refused_whoever_is_there() {
    let file = "[limits]\nrequests_per_minute_per_address = 2\ntrusted_proxies = [\"127.0.0.1\"]";
    let server = TestServer::start_with(&[("gateway.toml", file)]).await;
    let (alice, nobody) = (server.alice(), server.nobody());
    let threads = "/api/chatkit/threads";

    assert_eq!(get_for(&alice, threads, "203.0.113.1").await.status, StatusCode::OK);
    assert_eq!(get_for(&nobody, threads, "203.0.113.1").await.status, StatusCode::UNAUTHORIZED);
    for forwarded in ["203.0.113.1", "198.51.100.1, 203.0.113.1"] {
        let answer = get_for(&alice, threads, forwarded).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (429, "rate_limited"));
        assert!((1..=30).contains(&retry_after(&answer)), "{:?}", answer.headers);
    }

    assert_eq!(get_for(&alice, "/ready", "203.0.113.1").await.status, StatusCode::OK);
    assert_eq!(get_for(&alice, threads, "203.0.113.2").await.status, StatusCode::OK);
    server.stop().await;
}

#[tokio::test]
async fn a_connection_too_many_of_an_address_is_refused_and_disturbs_no_other() {
    let file = "[limits]\nconnections_per_address = 2\nprivate_addresses = true";
    let server = TestServer::start_with(&[("gateway.toml", file)]).await;
    let alice = server.alice();
    let mut stream = alice.say("hello").await;
    let _idle = TcpStream::connect(server.address).await.unwrap();

    let mut refused = String::new();
    let mut third = TcpStream::connect(server.address).await.unwrap();
    third.read_to_string(&mut refused).await.unwrap();

    assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
    assert!(refused.contains("Retry-After: 5\r\n"), "{refused}");
    assert!(refused.contains(r#""code":"rate_limited""#), "{refused}");
    assert!(!answer_text(&stream.rest().await).is_empty());
    server.stop().await;
}

#[tokio::test]
async fn a_user_whose_tokens_of_the_day_are_used_up_begins_no_answer() {
    let file = "[limits]\ntokens_per_day_per_user = 1";
    let server = TestServer::start_with(&[("gateway.toml", file)]).await;
    let (alice, bob) = (server.alice(), server.bob());
    let first = alice.talk("the first one is free to begin").await;

    let refused = alice.post("/api/chatkit/messages", &json!({"content": "one more"})).await;

    assert_eq!((refused.status.as_u16(), refused.code()), (429, "token_limit"));
    assert!((1..=24 * 60 * 60).contains(&retry_after(&refused)));
    let message = refused.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("T00:00:00Z"), "{message}");
    assert_eq!(server.model.calls(), 1);
    // What is there can be read, and others go on.
    assert_eq!(alice.thread(&first).await["messages"].as_array().unwrap().len(), 2);
    bob.talk("hello").await;
    server.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_stopped_before_its_usage_is_told_counts_all_the_same() {
    let file = "[limits]\ntokens_per_day = 1";
    let server = TestServer::start_with(&[("gateway.toml", file)]).await;
    let (alice, bob) = (server.alice(), server.bob());
    let voice = server.model.will_listen();
    let mut stream = alice.say("stop me").await;
    voice.say("some words");
    stream.until_text().await;

    assert_eq!(alice.cancel(&stream.run_id).await.status, StatusCode::ACCEPTED);
    stream.rest().await;

    let refused = bob.post("/api/chatkit/messages", &json!({"content": "of all together"})).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (429, "token_limit"));
    server.stop().await;
}

#[tokio::test]
async fn a_request_that_began_an_answer_before_the_limit_is_answered_again_behind_it() {
    let file = "[limits]\ntokens_per_day_per_user = 1";
    let server = TestServer::start_with(&[("gateway.toml", file)]).await;
    let alice = server.alice();
    let post = || async {
        let request = alice
            .request(Method::POST, "/api/chatkit/messages?stream=false")
            .header("idempotency-key", "the-same")
            .json(&json!({"content": "once"}));
        Answer::of(request.send().await.unwrap()).await
    };

    let (first, again) = (post().await, post().await);

    assert!(first.status.is_success(), "{}", first.body);
    assert_eq!(first.status, again.status, "{}", again.body);
    assert_eq!(first.headers["x-run-id"], again.headers["x-run-id"]);
    server.stop().await;
}

#[tokio::test]
async fn what_a_message_may_hold_is_for_the_operator_to_say() {
    let file = "[limits]\nmessage_characters = 5";
    let server = TestServer::start_with(&[("gateway.toml", file)]).await;
    let alice = server.alice();

    let refused = alice.post("/api/chatkit/messages", &json!({"content": "sixsix"})).await;

    assert_eq!((refused.status.as_u16(), refused.code()), (400, "invalid_request"));
    alice.talk("five!").await;
    server.stop().await;
}
