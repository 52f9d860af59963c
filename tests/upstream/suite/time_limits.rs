//! How long an answer is waited for. Limits are set in `config`.

use std::time::Duration;

use chatkit_gateway::upstream::{ModelStream, UpstreamError};
use futures_util::StreamExt;

use super::{COMPLETED, DELTA, ask, failure, good, text};
use crate::server::{Server, Step, chunk, end, head};

async fn timed_out(stream: ModelStream) -> &'static str {
    match failure(stream).await {
        UpstreamError::TimedOut { waited_for } => waited_for,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_does_not_begin_is_given_up_and_not_asked_again() {
    let server = Server::start(vec![vec![Step::AwaitClose]]).await;

    assert_eq!(timed_out(ask(&server)).await, "begin to answer");
    server.client_closed().await;
    assert_eq!(server.posts(), 1);
}

#[tokio::test]
async fn a_head_without_an_event_is_no_beginning() {
    let server = Server::start(vec![vec![head(), Step::AwaitClose]]).await;

    assert_eq!(timed_out(ask(&server)).await, "begin to answer");
    server.client_closed().await;
}

#[tokio::test]
async fn an_answer_that_stalls_is_given_up_and_not_asked_again() {
    let server = Server::start(vec![vec![head(), chunk(DELTA), Step::AwaitClose]]).await;

    assert_eq!(timed_out(ask(&server)).await, "go on");
    server.client_closed().await;
    assert_eq!(server.posts(), 1);
}

#[tokio::test]
async fn the_first_event_may_take_longer_than_the_others() {
    let pause = Step::Pause(Duration::from_millis(450));
    let script = vec![head(), pause, chunk(DELTA), chunk(COMPLETED), end()];
    let server = Server::start(vec![script]).await;

    assert_eq!(text(&good(ask(&server)).await), "Hi");
}

#[tokio::test]
async fn comments_and_parts_of_events_are_signs_of_life() {
    let mut script = vec![head(), chunk(DELTA)];
    for byte in DELTA.as_bytes()[..4].chunks(1) {
        script.extend([Step::Pause(Duration::from_millis(120)), chunk(byte)]);
    }
    script.push(chunk(&DELTA[4..]));
    for _ in 0..5 {
        script.extend([Step::Pause(Duration::from_millis(120)), chunk(": ping\n\n")]);
    }
    script.extend([chunk(COMPLETED), end()]);
    let server = Server::start(vec![script]).await;

    assert_eq!(text(&good(ask(&server)).await), "HiHi");
}

#[tokio::test]
async fn polling_a_stalled_answer_is_no_sign_of_life() {
    let server = Server::start(vec![vec![head(), chunk(DELTA), Step::AwaitClose]]).await;
    let mut stream = ask(&server);
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    let mut ticks = 0;

    // An owner that also waits for something else polls the stream at every tick.
    let error = loop {
        tokio::select! {
            item = stream.next() => match item {
                Some(Err(error)) => break error,
                item => assert!(item.is_some()),
            },
            _ = tick.tick() => ticks += 1,
        }
        assert!(ticks < 250, "it waits for ever");
    };

    assert!(matches!(error, UpstreamError::TimedOut { waited_for: "go on" }), "{error:?}");
}
