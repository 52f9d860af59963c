//! Connections: which are kept, and what becomes of a request on one that was kept.

use std::{error::Error, time::Duration};

use chatkit_gateway::upstream::{
    InputItem, Model, ModelRequest, UpstreamError,
    client::{UpstreamClient, UpstreamConfig},
    responses::ResponsesModel,
};
use futures_util::StreamExt;

use crate::{
    direct::suite::{COMPLETED, DELTA, GREETING, config, failure, good, read, request, text},
    server::{Server, Step, answer, chunk, end, events, head, write},
};

fn model(server: &Server) -> ResponsesModel {
    // Patient: what is waited for here is no time-out.
    let config = UpstreamConfig { first_byte_timeout: Duration::from_secs(20), ..config(server) };
    ResponsesModel::new(UpstreamClient::new(config).unwrap())
}

/// These steps' bytes in one piece, so that what follows the last event is there with it.
fn at_once(steps: &[Step]) -> Step {
    let bytes = steps.iter().map(|step| match step {
        Step::Write(bytes) => bytes.as_slice(),
        other => panic!("{other:?} is nothing to write"),
    });
    Step::Write(bytes.collect::<Vec<_>>().concat())
}

/// A good answer, behind which the connection stays open.
fn kept() -> Vec<Step> {
    vec![at_once(&events(GREETING)), Step::KeepOpen]
}

/// A good answer with a length, these header lines, and something behind its end.
fn with_length(lines: &str, surplus: &str) -> Vec<Step> {
    let length = GREETING.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{lines}content-length: {length}\r\n\r\n"
    );
    vec![at_once(&[write(head), write(GREETING), write(surplus)]), Step::KeepOpen]
}

/// Asks twice, one after the other; answers how many connections that took.
async fn connections_for_two(first: Vec<Step>) -> usize {
    let server = Server::start(vec![first, events(GREETING)]).await;
    let model = model(&server);

    for _ in 0..2 {
        assert_eq!(text(&good(model.stream(request())).await), "Grüße 😀");
    }

    assert_eq!(server.posts(), 2);
    server.connections()
}

#[tokio::test]
async fn a_connection_is_used_again_once_its_answer_was_read_to_the_end() {
    assert_eq!(connections_for_two(kept()).await, 1);
    assert_eq!(connections_for_two(with_length("", "")).await, 1);
    assert_eq!(connections_for_two(with_length("keep-alive: timeout=9\r\n", "")).await, 1);
}

#[tokio::test]
async fn a_connection_is_not_used_again_against_its_servers_word() {
    assert_eq!(connections_for_two(with_length("connection: close\r\n", "")).await, 2);
    assert_eq!(connections_for_two(with_length("keep-alive: timeout=1\r\n", "")).await, 2);
}

#[tokio::test]
async fn a_server_that_says_more_than_it_was_asked_gets_no_second_request_there() {
    assert_eq!(connections_for_two(with_length("", "HTTP/1.1 200 OK\r\n")).await, 2);
}

#[tokio::test]
async fn the_connection_of_a_refusal_is_used_again() {
    let refusal = answer("500 Internal Server Error", &["retry-after-ms: 1"], "{}");
    let server = Server::start(vec![[refusal, vec![Step::KeepOpen]].concat(), kept()]).await;

    good(model(&server).stream(request())).await;

    assert_eq!((server.posts(), server.connections()), (2, 1));
}

#[tokio::test]
async fn an_answer_that_is_dropped_takes_its_connection_with_it() {
    let script = vec![head(), chunk(DELTA), Step::AwaitClose];
    let server = Server::start(vec![script, kept()]).await;
    let model = model(&server);

    let mut stream = model.stream(request());
    stream.next().await.unwrap().unwrap();
    drop(stream);
    server.client_closed().await;
    good(model.stream(request())).await;

    assert_eq!((server.posts(), server.connections()), (2, 2));
}

#[tokio::test]
async fn answers_at_the_same_time_have_connections_of_their_own() {
    let server = Server::start(vec![kept()]).await;
    let model = model(&server);

    for _ in 0..2 {
        let (first, second) = (model.stream(request()), model.stream(request()));
        tokio::join!(good(first), good(second));
    }

    assert_eq!((server.posts(), server.connections()), (4, 2));
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_is_replaced_unnoticed() {
    let server = Server::start(vec![vec![at_once(&events(GREETING))]]).await;
    let model = model(&server);

    for _ in 0..3 {
        good(model.stream(request())).await;
        server.has_closed().await;
    }

    assert_eq!((server.posts(), server.connections()), (3, 3));
}

#[tokio::test]
async fn a_request_that_died_on_a_kept_connection_is_not_sent_again() {
    let server = Server::start(vec![kept(), vec![]]).await;
    let model = model(&server);
    good(model.stream(request())).await;

    let error = failure(model.stream(request())).await;

    // It came, and may have been acted upon.
    assert!(matches!(error, UpstreamError::Truncated(Some(_))), "{error:?}");
    assert_eq!((server.posts(), server.connections()), (2, 1));
}

#[tokio::test]
async fn a_request_that_did_not_come_whole_on_a_kept_connection_is_sent_anew() {
    let first = vec![at_once(&events(GREETING)), Step::ResetAtNextRequest];
    let server = Server::start(vec![first, kept()]).await;
    let model = model(&server);
    good(model.stream(request())).await;

    // More than the sockets' buffers hold, so that the server cannot have all of it.
    let long = vec![InputItem::user_text("x".repeat(32 << 20))];
    let events = good(model.stream(ModelRequest { input: long, ..request() })).await;

    assert_eq!(text(&events), "Grüße 😀");
    assert_eq!((server.posts(), server.connections()), (2, 2));
}

#[tokio::test]
async fn a_request_is_refused_before_it_was_read() {
    let server =
        Server::start_deaf(answer("413 Content Too Large", &[], "{\"error\":\"long\"}")).await;

    let long = vec![InputItem::user_text("x".repeat(32 << 20))];
    let error = failure(model(&server).stream(ModelRequest { input: long, ..request() })).await;

    assert!(matches!(error, UpstreamError::Refused { status: 413, .. }), "{error:?}");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn heads_before_the_real_one_are_skipped() {
    let hints = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    let server = Server::start(vec![[vec![write(hints)], events(GREETING)].concat()]).await;
    assert_eq!(text(&good(model(&server).stream(request())).await), "Grüße 😀");

    let endless = "HTTP/1.1 100 Continue\r\n\r\n".repeat(9);
    for hints in [&endless, "HTTP/1.1 101 Switching Protocols\r\n\r\n"] {
        let server = Server::start(vec![[vec![write(hints)], events(GREETING)].concat()]).await;
        let error = failure(model(&server).stream(request())).await;
        assert!(matches!(error, UpstreamError::Truncated(Some(_))), "{error:?}");
        assert_eq!(server.posts(), 1);
    }
}

#[tokio::test]
async fn every_byte_of_head_and_framing_may_come_alone() {
    let Step::Write(bytes) = at_once(&events(GREETING)) else { unreachable!() };
    let script = bytes.chunks(1).map(write).collect();
    let server = Server::start(vec![script]).await;

    assert_eq!(text(&good(model(&server).stream(request())).await), "Grüße 😀");
}

#[tokio::test]
async fn what_is_no_http_is_told_and_not_asked_again() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(80 << 10));
    let cases = [
        ("HTTP/1.1 200 OK\r\ncontent-ty", "closed before the answer"),
        ("SSH-2.0-OpenSSH\r\n\r\n", "no HTTP/1.1"),
        (&long, "larger than allowed"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", "contradictory"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n", "transfer coding"),
    ];
    for (bytes, reason) in cases {
        let server = Server::start(vec![vec![write(bytes)]]).await;

        let error = failure(model(&server).stream(request())).await;

        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        assert!(matches!(error, UpstreamError::Truncated(_)), "{error:?}");
        assert!(cause.contains(reason), "{cause}");
        assert_eq!(server.posts(), 1);
    }
}

#[tokio::test]
async fn malformed_chunks_come_behind_what_was_good() {
    let script = vec![at_once(&[head(), chunk(DELTA), write("no size\r\n"), chunk(COMPLETED)])];
    let server = Server::start(vec![script]).await;

    let (events, error) = read(model(&server).stream(request())).await;

    assert_eq!(text(&events), "Hi");
    assert!(matches!(error, Some(UpstreamError::Truncated(Some(_)))), "{error:?}");
    assert_eq!(server.posts(), 1);
}

#[tokio::test]
async fn a_body_shorter_than_its_length_is_truncated() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n";
    let server = Server::start(vec![vec![write(head), write(DELTA)]]).await;

    let (events, error) = read(model(&server).stream(request())).await;

    assert_eq!(text(&events), "Hi");
    assert!(matches!(error, Some(UpstreamError::Truncated(Some(_)))), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_was_compressed_unasked_is_told_as_such() {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\n\r\n";
    let server = Server::start(vec![vec![write(head), write(b"\x1f\x8b\x08"), end()]]).await;

    let error = failure(model(&server).stream(request())).await;

    assert!(error.to_string().contains("gzip"), "{error}");
    assert!(!server.first_request().contains("accept-encoding"));
    assert_eq!(server.posts(), 1);
}
