//! What the operator sees: the trace of a message, the audit log, the metrics.

use chatkit_gateway::{demo::scripted_model::Step, telemetry::METRICS};
use opentelemetry_proto::tonic::trace::v1::{Span, status::StatusCode as SpanStatus};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    login::login,
    support::{
        Client, EventStream, TestServer,
        collector::{attribute, hex, of_resource, operator, told, tree},
    },
};

/// The span of whoever sends the request.
const CALLER: &str = "00f067aa0ba902b7";

/// A message as a part of a trace; answers all that is sent.
async fn say_in_trace(client: &Client, trace: &str, text: &str) -> EventStream {
    let request = client
        .request(Method::POST, "/api/chatkit/messages")
        .header("traceparent", format!("00-{trace}-{CALLER}-01"))
        .json(&json!({ "content": text }));
    let mut stream = EventStream::of(request.send().await.unwrap()).await;
    stream.rest().await;
    stream
}

fn caller() -> Vec<u8> {
    u64::from_str_radix(CALLER, 16).unwrap().to_be_bytes().to_vec()
}

fn names(spans: &[Span]) -> Vec<String> {
    tree(spans, &caller(), &|span| span.name.clone())
}

fn find<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    spans.iter().find(|span| span.name == name).unwrap()
}

#[tokio::test]
async fn a_message_is_one_trace_from_the_request_to_the_last_event() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let operator = operator();
    let server = TestServer::start().await;

    let stream = say_in_trace(&server.alice(), TRACE, "a question of mine").await;
    // The run ends a moment behind its last event.
    server.stop().await;
    let (spans, resource) = operator.trace(TRACE).await;

    let first = spans[0].start_time_unix_nano;
    println!("{}", tree(&spans, &caller(), &|span| told(span, first)).join("\n"));
    assert_eq!(
        names(&spans),
        [
            "POST /api/chatkit/messages",
            "  run",
            "    run.accept",
            "    chat test-model",
            "    run.commit",
        ]
    );
    assert_eq!(of_resource(&resource, "service.name"), "chatkit-gateway");
    let (request, run) = (find(&spans, "POST /api/chatkit/messages"), find(&spans, "run"));
    assert_eq!(attribute(request, "http.response.status_code"), "200");
    assert_eq!(attribute(request, "request.id"), stream.headers["x-request-id"]);
    assert_eq!(attribute(run, "run.id"), stream.run_id);
    assert_eq!(attribute(run, "thread.id"), stream.thread_id);
    assert_eq!(attribute(run, "run.status"), "completed");
    let events: Vec<&str> = run.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(events, ["first delta"]);

    let call = find(&spans, "chat test-model");
    assert!(attribute(call, "upstream.request_id").starts_with("req_"), "{call:?}");
    assert_eq!(attribute(call, "gen_ai.request.model"), "test-model");
    assert!(attribute(call, "gen_ai.usage.output_tokens").parse::<u64>().unwrap() > 0);
    let (accept, commit) = (find(&spans, "run.accept"), find(&spans, "run.commit"));
    assert_eq!(attribute(commit, "run.is_end"), "true");
    assert!(accept.end_time_unix_nano <= call.start_time_unix_nano, "stored, then asked");
    assert!(call.end_time_unix_nano <= commit.end_time_unix_nano);
    assert!(commit.end_time_unix_nano <= run.end_time_unix_nano);
    assert!(request.end_time_unix_nano < run.end_time_unix_nano, "it ends with the headers");

    // Nothing of it says who asked what.
    let all = format!("{spans:?}");
    for private in ["alice", "question", "Hello", "Bearer"] {
        assert!(!all.contains(private), "{private}: {all}");
    }
}

#[tokio::test]
async fn calls_of_tools_stand_between_those_of_the_model() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let operator = operator();
    let server = TestServer::start().await;
    server.model.will_play([
        Step::call("add_task", &json!({"title": "milk"})),
        Step::call("no_such_tool_of_mine", &json!({})),
    ]);

    say_in_trace(&server.alice(), TRACE, "add milk").await;
    server.stop().await;
    let (spans, _) = operator.trace(TRACE).await;

    let mut shown = names(&spans);
    shown.retain(|name| !name.ends_with("run.commit"));
    // The two calls begin at the same time.
    shown[4..6].sort();
    assert_eq!(
        shown,
        [
            "POST /api/chatkit/messages",
            "  run",
            "    run.accept",
            "    chat test-model",
            "    execute_tool add_task",
            "    execute_tool unknown",
            "    chat test-model",
        ]
    );
    let failed = find(&spans, "execute_tool unknown");
    assert_eq!(failed.status.as_ref().unwrap().code(), SpanStatus::Error);
    let all = format!("{spans:?}");
    assert!(!all.contains("milk") && !all.contains("no_such_tool"), "{all}");
}

#[tokio::test]
async fn a_failed_call_fails_its_span_and_the_run_with_the_code() {
    const TRACE: &str = "1bf7651916cd43dd8448eb211c80319d";
    let operator = operator();
    let server = TestServer::start().await;
    server.model.will_play([Step::status(401, "invalid_api_key", "Incorrect API key: sk-canary")]);

    say_in_trace(&server.alice(), TRACE, "hi").await;
    server.stop().await;
    let (spans, _) = operator.trace(TRACE).await;

    for name in ["chat test-model", "run"] {
        let span = find(&spans, name);
        assert_eq!(span.status.as_ref().unwrap().code(), SpanStatus::Error, "{name}");
        assert_eq!(attribute(span, "error.type"), "model_unauthorized", "{name}");
    }
    assert_eq!(attribute(find(&spans, "chat test-model"), "http.response.status_code"), "401");
    assert_eq!(attribute(find(&spans, "run"), "run.status"), "failed");
    assert!(!format!("{spans:?}").contains("canary"));
}

#[tokio::test]
async fn a_trace_that_is_not_to_be_kept_is_not_sent_and_a_broken_one_is_not_taken_over() {
    const UNWANTED: &str = "2bf7651916cd43dd8448eb211c80319d";
    let operator = operator();
    let server = TestServer::start().await;
    let alice = server.alice();
    for traceparent in [format!("00-{UNWANTED}-{CALLER}-00"), format!("00-{UNWANTED}-zz-01")] {
        let request = alice.request(Method::GET, "/api/chatkit/threads");
        let answer = request.header("traceparent", traceparent).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
    server.stop().await;

    let (spans, _) = operator.trace(UNWANTED).await;

    assert!(spans.is_empty(), "{}", hex(&spans[0].span_id));
}

/// What the audit log says was done, and how it ended.
fn acts(lines: &[Value]) -> Vec<(&str, &str)> {
    lines
        .iter()
        .map(|line| (line["action"].as_str().unwrap(), line["outcome"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn the_audit_log_has_a_line_for_each_login_refresh_logout_and_deletion() {
    let operator = operator();
    let server = TestServer::start().await;
    let with_login = server.nobody().with_token(&login("audited", 900));
    let session = with_login.post("/api/chatkit/session", &Value::Null).await.body;
    let user = with_login.with_token(session["client_secret"].as_str().unwrap());
    let thread = user.talk("hi").await;

    let deleted = user.delete(&format!("/api/chatkit/threads/{thread}")).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    let again = user.delete(&format!("/api/chatkit/threads/{thread}")).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    let fresh = user.post("/api/chatkit/refresh", &Value::Null).await.body;
    let second = user.with_token(fresh["client_secret"].as_str().unwrap());
    let logout = second
        .request(Method::POST, "/api/chatkit/logout")
        .header("x-request-id", "the-logout")
        .send();
    assert_eq!(logout.await.unwrap().status(), StatusCode::NO_CONTENT);
    let refused = second.post("/api/chatkit/refresh", &Value::Null).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    server.stop().await;

    let lines = operator.audit("audited");
    assert_eq!(
        acts(&lines),
        [
            ("session.issue", "granted"),
            ("thread.delete", "done"),
            ("session.refresh", "granted"),
            ("session.revoke", "done"),
            ("session.refresh", "revoked"),
        ]
    );
    assert_eq!(lines[1]["thread.id"], thread.as_str());
    assert_eq!(lines[3]["reason"], "logout");
    assert_eq!(lines[3]["span"]["request.id"], "the-logout");
    let session = &lines[0]["session.id"];
    assert!(session.is_string());
    for line in [&lines[2], &lines[3], &lines[4]] {
        assert_eq!(&line["session.id"], session);
    }
    assert!(lines.iter().all(|line| line["span"]["request.id"].is_string()), "{lines:?}");
    let token = second.token.unwrap();
    let signature = token.rsplit('.').next().unwrap();
    assert!(!format!("{lines:?}").contains(signature));
}

#[tokio::test]
async fn the_audit_log_tells_of_a_token_that_came_back_and_of_the_session_that_it_cost() {
    let operator = operator();
    let server = TestServer::start().await;
    let with_login = server.nobody().with_token(&login("copied", 900));
    let session = with_login.post("/api/chatkit/session", &Value::Null).await.body;
    let first = with_login.with_token(session["client_secret"].as_str().unwrap());
    let fresh = first.post("/api/chatkit/refresh", &Value::Null).await.body;
    let second = first.with_token(fresh["client_secret"].as_str().unwrap());
    second.post("/api/chatkit/refresh", &Value::Null).await;

    let refused = first.post("/api/chatkit/refresh", &Value::Null).await;

    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let lines = operator.audit("copied");
    assert_eq!(
        acts(&lines)[3..],
        [("session.refresh", "reused"), ("session.revoke", "done")],
        "{lines:?}"
    );
    assert_eq!(lines[4]["reason"], "token_reused");
    server.stop().await;
}

#[tokio::test]
async fn the_metrics_of_a_message_are_counted() {
    let operator = operator();
    let server = TestServer::start().await;
    let alice = server.alice();

    alice.talk("hi").await;
    assert_eq!(alice.get("/api/chatkit/nothing").await.status, StatusCode::NOT_FOUND);
    // Gauges are set when somebody asks.
    alice.get("/metrics").await;
    server.stop().await;

    let text = operator.metrics.render();
    for series in [
        "gateway_http_errors_total{code=\"not_found\"}",
        "gateway_tokens_total{model=\"test-model\",direction=\"input\"}",
        "gateway_tokens_total{model=\"test-model\",direction=\"output\"}",
        "gateway_model_call_seconds_bucket{model=\"test-model\",le=\"0.001\"}",
        "gateway_begin_seconds_bucket{le=",
        "gateway_commit_seconds_bucket{le=",
        "gateway_first_delta_seconds_bucket{le=",
        "gateway_delta_delay_seconds_bucket{le=\"0.00005\"}",
        "gateway_queue_length{queue=\"begin\"}",
        "gateway_queue_length{queue=\"writer\"}",
        "gateway_live_runs",
    ] {
        assert!(text.contains(series), "{series} is not in\n{text}");
    }
    // Nothing is counted that is not described.
    let described = |line: &str| METRICS.iter().any(|metric| line.starts_with(metric.name));
    let counted = text.lines().filter(|line| line.starts_with("gateway_"));
    for line in counted {
        assert!(described(line), "{line}");
    }
}
