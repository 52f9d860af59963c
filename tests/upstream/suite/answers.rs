//! Answers that are read to their end.

use chatkit_gateway::upstream::{
    Model, ModelEvent, UpstreamError, chat_completions::ChatCompletionsModel,
};
use futures_util::StreamExt;

use super::{
    COMPLETED, DELTA, GREETING, KEY, ask, ask_chat, client, failure, good, read, request, text,
};
use crate::server::{Server, Step, answer, chunk, end, events, head, write};

const CHAT: &str = concat!(
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
);
const CHAT_USAGE: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\n";

#[tokio::test]
async fn an_answer_that_ends_well_is_one_post() {
    let server = Server::start(vec![events(GREETING)]).await;

    let events = good(ask(&server)).await;

    assert_eq!(text(&events), "Grüße 😀");
    assert_eq!(server.posts(), 1);
}

#[tokio::test]
async fn the_request_says_who_asks_and_for_what() {
    let server = Server::start(vec![events(GREETING)]).await;

    good(ask(&server)).await;

    let request = server.first_request();
    assert!(request.starts_with("POST /v1/responses HTTP/1.1\r\n"), "{request}");
    for header in [
        &format!("authorization: Bearer {KEY}\r\n"),
        "content-type: application/json\r\n",
        "accept: text/event-stream\r\n",
        "x-client-request-id: request-1\r\n",
    ] {
        assert!(request.contains(header), "{header} in {request}");
    }
    assert!(request.contains("\"model\":\"m\""), "{request}");
}

#[tokio::test]
async fn nothing_is_sent_before_the_first_poll() {
    let server = Server::start(vec![events(GREETING)]).await;

    drop(ask(&server));
    tokio::task::yield_now().await;

    assert_eq!(server.posts(), 0);
}

#[tokio::test]
async fn the_connection_is_closed_at_the_terminal_event() {
    let script = vec![head(), chunk(DELTA), chunk(COMPLETED), Step::AwaitClose];
    let server = Server::start(vec![script]).await;
    let mut stream = ask(&server);

    while !matches!(stream.next().await.unwrap().unwrap(), ModelEvent::Finished { .. }) {}
    server.client_closed().await;

    assert!(stream.next().await.is_none());
    assert_eq!(server.posts(), 1);
}

#[tokio::test]
async fn a_stream_that_is_dropped_closes_the_connection() {
    let server = Server::start(vec![vec![head(), chunk(DELTA), Step::AwaitClose]]).await;
    let mut stream = ask(&server);

    assert!(matches!(stream.next().await, Some(Ok(ModelEvent::MessageStarted { .. }))));
    drop(stream);

    server.client_closed().await;
    assert_eq!(server.posts(), 1);
}

#[tokio::test]
async fn an_answer_cut_in_the_middle_of_an_event_is_truncated_and_not_asked_for_again() {
    let cut = &DELTA[..DELTA.len() / 2];
    let server = Server::start(vec![vec![head(), chunk(DELTA), chunk(cut)]]).await;

    let (events, error) = read(ask(&server)).await;

    assert_eq!(text(&events), "Hi");
    assert!(matches!(error, Some(UpstreamError::Truncated(Some(_)))), "{error:?}");
    assert_eq!(server.posts(), 1);
}

#[tokio::test]
async fn an_answer_without_its_terminal_event_is_truncated_however_politely_it_ends() {
    let server = Server::start(vec![events(DELTA)]).await;
    let error = failure(ask(&server)).await;
    assert!(matches!(error, UpstreamError::Truncated(None)), "{error:?}");
    assert_eq!(server.posts(), 1);

    let unfinished = COMPLETED.trim_end();
    let server = Server::start(vec![events(format!("{DELTA}{unfinished}"))]).await;
    let error = failure(ask(&server)).await;
    assert!(matches!(error, UpstreamError::Truncated(None)), "{error:?}");
    assert_eq!(server.posts(), 1);
}

#[tokio::test]
async fn a_body_that_ends_with_its_connection_is_as_good() {
    let head = write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
    let server = Server::start(vec![vec![head, write(GREETING)]]).await;

    assert_eq!(text(&good(ask(&server)).await), "Grüße 😀");
}

#[tokio::test]
async fn a_leading_byte_order_mark_is_skipped() {
    let server = Server::start(vec![events(format!("\u{feff}{GREETING}"))]).await;

    assert_eq!(text(&good(ask(&server)).await), "Grüße 😀");
}

#[tokio::test]
async fn what_is_no_json_or_no_text_is_unreadable() {
    for body in [&b"data: {\"type\":\n\n"[..], b"data: \xff\xff\n\n"] {
        let server = Server::start(vec![events(body)]).await;

        let error = failure(ask(&server)).await;

        assert!(matches!(error, UpstreamError::Unreadable { .. }), "{error:?}");
        assert_eq!(server.posts(), 1);
    }
}

#[tokio::test]
async fn neither_an_event_nor_an_answer_may_be_larger_than_allowed() {
    let long = format!("data: \"{}\"\n\n", "x".repeat(5000));
    let server = Server::start(vec![events(&long)]).await;
    let error = failure(ask(&server)).await;
    assert!(error.to_string().contains("an event is larger than allowed"), "{error}");

    let many = format!("data: \"{}\"\n\n", "x".repeat(4000)).repeat(5);
    let server = Server::start(vec![events(&many)]).await;
    let error = failure(ask(&server)).await;
    assert!(error.to_string().contains("the answer is larger than allowed"), "{error}");
}

#[tokio::test]
async fn chat_completions_are_read_on_for_their_usage() {
    let body = format!("{CHAT}{CHAT_USAGE}data: [DONE]\n\n");
    let server = Server::start(vec![events(body)]).await;

    let events = good(ask_chat(&server)).await;

    assert_eq!(text(&events), "Hi");
    let usage = match events.last() {
        Some(ModelEvent::Finished { usage: Some(usage), .. }) => usage.input_tokens,
        other => panic!("no usage in {other:?}"),
    };
    assert_eq!(usage, 3);
    assert!(server.first_request().starts_with("POST /v1/chat/completions "));
}

#[tokio::test]
async fn chat_completions_are_whole_even_if_their_rest_stalls_breaks_or_is_left_out() {
    let rests = [vec![Step::AwaitClose], vec![], vec![end()]];
    for rest in rests {
        let script = [vec![head(), chunk(CHAT)], rest].concat();
        let server = Server::start(vec![script]).await;

        assert_eq!(text(&good(ask_chat(&server)).await), "Hi");
        assert_eq!(server.posts(), 1);
    }
}

#[tokio::test]
async fn an_idle_connection_that_died_is_replaced_unnoticed() {
    let body = format!("{CHAT}data: [DONE]\n\n");
    let server = Server::start(vec![events(body)]).await;
    let model = ChatCompletionsModel::new(client(&server));

    for _ in 0..3 {
        good(model.stream(request())).await;
    }

    assert_eq!(server.posts(), 3);
}

#[tokio::test]
async fn an_answer_in_one_piece_is_unreadable_and_its_error_is_understood() {
    let json = ["content-type: application/json"];
    let server = Server::start(vec![answer("200 OK", &json, "{\"output\":[]}")]).await;
    let error = failure(ask(&server)).await;
    assert!(error.to_string().contains("application/json"), "{error}");
    assert_eq!(server.posts(), 1);

    let body = "{\"error\":{\"code\":\"insufficient_quota\"}}";
    let server = Server::start(vec![answer("200 OK", &json, body)]).await;
    let error = failure(ask(&server)).await;
    assert!(matches!(error, UpstreamError::QuotaExhausted { .. }), "{error:?}");
    assert_eq!(server.posts(), 1);
}
