//! Requests that are refused, and which of them are repeated.

use std::{error::Error, time::Duration};

use chatkit_gateway::upstream::{
    Model, UpstreamError, client::UpstreamClient, client::UpstreamConfig, responses::ResponsesModel,
};
use tokio::net::TcpListener;

use super::{DELTA, GREETING, KEY, ask, ask_chat, failure, good, request, text};
use crate::server::{Server, Step, answer, events};

/// A refusal whose repetition need not be waited for.
fn refusal(status: &str, body: &str) -> Vec<Step> {
    answer(status, &["retry-after-ms: 1"], body)
}

#[tokio::test]
async fn two_failures_are_borne_and_a_third_is_not() {
    let fails = refusal("500 Internal Server Error", "");
    let server = Server::start(vec![fails.clone(), fails.clone(), events(GREETING)]).await;
    assert_eq!(text(&good(ask(&server)).await), "Grüße 😀");
    assert_eq!(server.posts(), 3);

    let server = Server::start(vec![fails]).await;
    let error = failure(ask(&server)).await;
    assert!(matches!(&error, UpstreamError::Failed { code, .. } if code == "500"), "{error:?}");
    assert_eq!(server.posts(), 3);
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_if_the_wait_is_short() {
    let short = answer("429 Too Many Requests", &["retry-after: 0.01"], "");
    let server = Server::start(vec![short, events(GREETING)]).await;
    good(ask(&server)).await;
    assert_eq!(server.posts(), 2);

    let long = answer("429 Too Many Requests", &["retry-after: 60"], "");
    let server = Server::start(vec![long]).await;
    let error = failure(ask(&server)).await;
    let wait = Some(Duration::from_mins(1));
    assert!(
        matches!(error, UpstreamError::RateLimited { retry_after, .. } if retry_after == wait),
        "{error:?}"
    );
    assert_eq!(server.posts(), 1);
}

#[tokio::test]
async fn a_used_up_quota_is_not_asked_again() {
    let body = r#"{"error":{"code":"insufficient_quota","message":"pay"}}"#;
    let server = Server::start(vec![refusal("429 Too Many Requests", body)]).await;

    let error = failure(ask(&server)).await;

    assert!(matches!(&error, UpstreamError::QuotaExhausted { detail } if detail == "pay"));
    assert_eq!(server.posts(), 1);
}

#[tokio::test]
async fn a_refusal_for_good_is_not_asked_again() {
    let cases = [
        (
            "400 Bad Request",
            "{\"error\":{\"code\":\"context_length_exceeded\"}}",
            "context_too_long",
        ),
        ("400 Bad Request", "{\"detail\":[{\"loc\":[\"body\"]}]}", "model_refused"),
        ("401 Unauthorized", "", "model_unauthorized"),
        ("403 Forbidden", "<html>", "model_unauthorized"),
        ("404 Not Found", "{\"error\":\"no such model\"}", "model_refused"),
        ("204 No Content", "", "model_unreadable"),
    ];
    for (status, body, code) in cases {
        let server = Server::start(vec![refusal(status, body)]).await;
        assert_eq!(failure(ask(&server)).await.code(), code, "{status}");
        assert_eq!(server.posts(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start(vec![events(GREETING)]).await;
    for status in ["302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let location = format!("location: {}/responses", elsewhere.base_url);
        let server = Server::start(vec![answer(status, &[&location], "")]).await;

        let error = failure(ask(&server)).await;

        assert!(matches!(error, UpstreamError::Refused { .. }), "{error:?}");
        assert_eq!((server.posts(), elsewhere.posts()), (1, 0));
    }
}

#[tokio::test]
async fn another_content_type_is_not_asked_again() {
    let html = answer("200 OK", &["content-type: text/html"], "<html>");
    let server = Server::start(vec![html]).await;

    let error = failure(ask(&server)).await;

    assert!(matches!(error, UpstreamError::Unreadable { .. }), "{error:?}");
    assert_eq!(server.posts(), 1);
}

#[tokio::test]
async fn a_connection_lost_before_the_answer_is_not_asked_again() {
    let server = Server::start(vec![vec![]]).await;

    let error = failure(ask(&server)).await;

    assert!(matches!(error, UpstreamError::Truncated(Some(_))), "{error:?}");
    assert_eq!(server.posts(), 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let http_client = super::HTTP_CLIENT;
    let config = UpstreamConfig { base_url, http_client, ..UpstreamConfig::default() };
    let model = ResponsesModel::new(UpstreamClient::new(config).unwrap());

    let error = failure(model.stream(request())).await;

    assert!(matches!(error, UpstreamError::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn an_error_in_the_stream_ends_it_and_is_not_asked_again() {
    let body = format!("{DELTA}data: {{\"error\":{{\"code\":500,\"message\":\"m\"}}}}\n\n");
    for dialect in [ask, ask_chat] {
        let server = Server::start(vec![events(&body)]).await;

        let error = failure(dialect(&server)).await;

        assert!(matches!(error, UpstreamError::Failed { .. }), "{error:?}");
        assert_eq!(server.posts(), 1);
    }
}

#[tokio::test]
async fn no_error_ever_holds_the_key() {
    let said = format!("{{\"error\":{{\"code\":\"{KEY}\",\"message\":\"the key {KEY} is bad\"}}}}");
    let json = ["content-type: application/json"];
    let typed = format!("content-type: {KEY}");
    let scripts = [
        answer("400 Bad Request", &json, &said),
        answer("401 Unauthorized", &json, &said),
        answer("429 Too Many Requests", &["retry-after: 60"], &said),
        refusal("500 Internal Server Error", &said),
        answer("200 OK", &json, &said),
        answer("200 OK", &[&typed], ""),
        events(format!("data: {said}\n\n")),
        events(format!("data: {KEY}\n\n")),
        vec![],
    ];
    for script in scripts {
        let server = Server::start(vec![script.clone()]).await;

        let error = failure(ask(&server)).await;

        let mut printed = Vec::new();
        let mut cause: Option<&dyn Error> = Some(&error);
        while let Some(error) = cause {
            printed.push(format!("{error} {error:?}"));
            cause = error.source();
        }
        let printed = printed.join(" ");
        assert!(!printed.contains(KEY), "{printed} of {script:?}");
    }
}
