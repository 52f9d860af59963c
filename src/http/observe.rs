//! Request ids, spans and metrics. A span for the log, and one for a collector of traces, which ends
//! with the response's headers; what goes on is in that of the run. A span names the route's template,
//! never its ids' values, and nothing of headers or bodies.

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, Method},
    middleware::Next,
    response::Response,
};
use tokio::time::Instant;
use tracing::{Instrument, Span, field::Empty};
use uuid::Uuid;

use crate::telemetry::{Incoming, REQUEST, SPANS, continue_trace};

/// Where a request's id is read and answered.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken over from a client or proxy.
const MAX_ID: usize = 128;

/// The id of a request: the client's, if it sent a decent one.
#[derive(Clone, Debug)]
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    fn of(request: &Request) -> Self {
        let given = request.headers().get(REQUEST_ID).filter(|id| {
            let bytes = id.as_bytes();
            (1..=MAX_ID).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
        });
        given.cloned().map_or_else(Self::default, Self)
    }

    pub(super) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

impl Default for RequestId {
    fn default() -> Self {
        let id = Uuid::now_v7().to_string();
        Self(HeaderValue::try_from(id).expect("a UUID is visible ASCII"))
    }
}

/// Gives every request an id, a span and its counts.
pub(super) async fn observe(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId::of(&request);
    let method = method_label(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let span = tracing::info_span!(
        target: REQUEST,
        "request",
        request.id = id.as_str(),
        http.method = method,
        http.route = route,
    );
    request.extensions_mut().insert(id.clone());
    let trace = trace(&request, id.as_str(), method, &route);
    // The trace is the inner one: what the handlers begin is a part of it.
    let answering = next.run(request).instrument(trace.clone()).instrument(span.clone());
    let mut response = answering.await;
    response.headers_mut().insert(REQUEST_ID, id.0);
    let elapsed = started.elapsed();
    let status = response.status().as_u16();
    trace.record("http.response.status_code", status);
    if response.status().is_server_error() {
        trace.record("otel.status_code", "ERROR");
    }
    drop(trace);
    span.in_scope(|| log(&route, status, elapsed));
    let labels = [
        ("method", method.to_owned()),
        ("route", route),
        ("status", response.status().as_str().to_owned()),
    ];
    metrics::counter!("gateway_requests_total", &labels).increment(1);
    metrics::histogram!("gateway_response_seconds", &labels[1..2]).record(elapsed.as_secs_f64());
    response
}

/// A request's span for a collector; none for what a balancer asks every second.
fn trace(request: &Request, id: &str, method: &str, route: &str) -> Span {
    if is_probe(route) {
        return Span::none();
    }
    let span = tracing::info_span!(
        target: SPANS,
        parent: None,
        "request",
        otel.name = %format_args!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        request.id = id,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
    );
    let header = |name: &str| request.headers().get(name)?.to_str().ok();
    let (traceparent, tracestate) = (header("traceparent"), header("tracestate"));
    continue_trace(&span, &Incoming { traceparent, tracestate });
    span
}

/// What a balancer or a monitor asks all the time.
pub(super) fn is_probe(route: &str) -> bool {
    matches!(route, "/health" | "/ready" | "/metrics")
}

/// Methods are for the client to choose; labels are not.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::HEAD => "HEAD",
        _ => "other",
    }
}

/// For a stream the duration is that until its headers.
fn log(route: &str, status: u16, elapsed: std::time::Duration) {
    let duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    if is_probe(route) {
        tracing::debug!(http.status = status, duration_ms, "answered");
    } else {
        tracing::info!(http.status = status, duration_ms, "answered");
    }
}
