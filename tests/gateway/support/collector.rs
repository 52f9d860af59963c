//! What the operator has of the process: a collector that traces are sent to, the log, the metrics.
//! There is one of each for a process, so the tests share them and look for what is theirs.

use std::{
    fmt::Write as _,
    io,
    sync::{Arc, LazyLock, Mutex, mpsc},
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use chatkit_gateway::telemetry::{self, LogFormat, Traces};
use metrics_exporter_prometheus::PrometheusHandle;
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::any_value::Value as Any,
    resource::v1::Resource,
    trace::v1::Span,
};
use prost::Message as _;
use serde_json::Value;
use tokio::net::TcpListener;

type Received = Arc<Mutex<Vec<ExportTraceServiceRequest>>>;

/// What the operator has.
pub(crate) struct Operator {
    traces: Traces,
    received: Received,
    log: Log,
    pub(crate) metrics: PrometheusHandle,
}

/// Starts it with the first test that asks.
pub(crate) fn operator() -> &'static Operator {
    static OPERATOR: LazyLock<Operator> = LazyLock::new(Operator::start);
    &OPERATOR
}

impl Operator {
    fn start() -> Self {
        let (received, log) = (Received::default(), Log::default());
        let traces = Traces::to(&collect(received.clone())).unwrap();
        let writer = log.clone();
        // Nothing else is logged: the audit log is there at any level.
        telemetry::start_logging_to(move || writer.clone(), LogFormat::Json, "off", Some(&traces))
            .unwrap();
        Self { traces, received, log, metrics: telemetry::start_metrics().unwrap() }
    }

    /// The spans of a trace that have ended, by their beginning; and of what they are.
    pub(crate) async fn trace(&'static self, id: &str) -> (Vec<Span>, Resource) {
        tokio::task::spawn_blocking(|| self.traces.send_now()).await.unwrap();
        let received = self.received.lock().unwrap();
        let mut spans: Vec<Span> = received
            .iter()
            .flat_map(|request| &request.resource_spans)
            .flat_map(|resource| &resource.scope_spans)
            .flat_map(|scope| scope.spans.iter().cloned())
            .filter(|span| hex(&span.trace_id) == id)
            .collect();
        spans.sort_by_key(|span| span.start_time_unix_nano);
        let resource = received[0].resource_spans[0].resource.clone().unwrap();
        (spans, resource)
    }

    /// The lines of the audit log that are about a user.
    pub(crate) fn audit(&self, user: &str) -> Vec<Value> {
        let log = self.log.0.lock().unwrap();
        let lines = std::str::from_utf8(&log).unwrap().lines();
        let lines = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["target"] == "audit" && line["user.id"] == user).collect()
    }
}

/// A collector on a thread of its own, since the runtimes of tests end with them; its address.
fn collect(received: Received) -> String {
    let (tell, address) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            let router = Router::new().route("/v1/traces", post(take)).with_state(received);
            axum::serve(listener, router).await.unwrap();
        });
    });
    format!("http://{}", address.recv().unwrap())
}

async fn take(State(received): State<Received>, body: Bytes) -> Vec<u8> {
    received.lock().unwrap().push(ExportTraceServiceRequest::decode(body).unwrap());
    ExportTraceServiceResponse::default().encode_to_vec()
}

/// Log lines in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An attribute as text, empty when there is none.
pub(crate) fn attribute(span: &Span, name: &str) -> String {
    let value = span.attributes.iter().find(|attribute| attribute.key == name);
    value.map(|value| text(value.value.as_ref())).unwrap_or_default()
}

/// An attribute of what the spans are of.
pub(crate) fn of_resource(resource: &Resource, name: &str) -> String {
    let value = resource.attributes.iter().find(|attribute| attribute.key == name);
    value.map(|value| text(value.value.as_ref())).unwrap_or_default()
}

fn text(value: Option<&opentelemetry_proto::tonic::common::v1::AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => text.clone(),
        Some(Any::IntValue(number)) => number.to_string(),
        Some(Any::BoolValue(fact)) => fact.to_string(),
        other => format!("{other:?}"),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Spans as a tree below one of these ids, two blanks for each level, by their beginning.
pub(crate) fn tree(
    spans: &[Span],
    parent: &[u8],
    as_line: &impl Fn(&Span) -> String,
) -> Vec<String> {
    let mut lines = Vec::new();
    for span in spans.iter().filter(|span| span.parent_span_id == parent) {
        lines.push(as_line(span));
        let below = tree(spans, &span.span_id, as_line);
        lines.extend(below.into_iter().map(|line| format!("  {line}")));
    }
    lines
}

/// A span for people: its name, when it began after `first` and how long it took, what happened in it,
/// and what is known of it.
pub(crate) fn told(span: &Span, first: u64) -> String {
    let ms = |from: u64, to: u64| {
        let micros = to.saturating_sub(from) / 1_000;
        format!("{}.{:03} ms", micros / 1_000, micros % 1_000)
    };
    let (start, end) = (span.start_time_unix_nano, span.end_time_unix_nano);
    let mut line = format!("{}  at {}, took {}", span.name, ms(first, start), ms(start, end));
    for event in &span.events {
        let _ = write!(line, "; {} at {}", event.name, ms(first, event.time_unix_nano));
    }
    for attribute in &span.attributes {
        let _ = write!(line, " {}={}", attribute.key, text(attribute.value.as_ref()));
    }
    line
}
