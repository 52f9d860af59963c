//! Spans to a collector, by OTLP.
//!
//! A thread of its own sends them: ended spans wait in a bounded queue (2,048, `OTEL_BSP_*`), and
//! what does not fit is dropped. Whatever the collector does, nothing waits for it.
//!
//! What belongs to the standard's variables and is not named here, the SDK reads itself: sampler,
//! resource, queue, headers.
//!
//! Source: OpenTelemetry's specification, "OTLP Exporter" and "SDK environment variables".

use std::{fmt, time::Duration};

use opentelemetry::{
    Context, Key, KeyValue,
    propagation::{Extractor, TextMapPropagator},
    trace::{TraceContextExt as _, TracerProvider as _},
};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{Layer, registry::LookupSpan};

use super::delivery::Delivery;

/// Where a collector takes spans, below its address.
const PATH: &str = "/v1/traces";
/// How long the end of the process waits for the last spans to be taken.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);

/// Why spans cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The address is none, or a variable of the standard's cannot be read.
    #[error("OTEL_EXPORTER_OTLP_ENDPOINT and its like do not fit")]
    Settings(#[from] ExporterBuildError),
    /// The thread that sends has no means to.
    #[error("no HTTP client for traces")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The way to a collector. [`Self::flush`] it before the process ends.
pub struct Traces {
    provider: SdkTracerProvider,
}

impl fmt::Debug for Traces {
    // The exporter knows headers that may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces").finish_non_exhaustive()
    }
}

impl Traces {
    /// To the collector at this address, the value of `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn to(endpoint: &str) -> Result<Self, TraceError> {
        let client = Delivery::new().map_err(TraceError::Client)?;
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}{PATH}", endpoint.trim_end_matches('/')))
            .build()?;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource())
            .with_batch_exporter(exporter)
            .build();
        Ok(Self { provider })
    }

    /// What makes spans of [`super::SPANS`] the collector's. It adds nothing of its own to them:
    /// neither threads nor lines of source.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer(env!("CARGO_PKG_NAME")))
            .with_location(false)
            .with_threads(false)
            .with_level(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
    }

    /// Sends what has ended so far, and waits for that.
    pub fn send_now(&self) {
        // What failed was said by the one who sends.
        let _ = self.provider.force_flush();
    }

    /// Sends what is left and ends, within half a second, whatever the collector does. Blocks; not
    /// for a thread of the runtime.
    pub fn flush(self) {
        if self.provider.shutdown_with_timeout(FLUSH_TIMEOUT).is_err() {
            tracing::warn!("the last spans were not sent: the collector does not answer in time");
        }
    }
}

/// What the spans are of: by `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`, or by our name.
fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let named = Resource::builder().with_attribute(version.clone()).build();
    let name = named.get(&Key::new("service.name"));
    if name.is_some_and(|name| !name.as_str().starts_with("unknown_service")) {
        return named;
    }
    let ours = KeyValue::new("service.name", env!("CARGO_PKG_NAME"));
    Resource::builder().with_attributes([version, ours]).build()
}

/// What a request says of the trace that it is part of (W3C Trace Context).
pub(crate) struct Incoming<'h> {
    /// The header of this name.
    pub(crate) traceparent: Option<&'h str>,
    /// The header of this name.
    pub(crate) tracestate: Option<&'h str>,
}

impl Extractor for Incoming<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => self.traceparent,
            "tracestate" => self.tracestate,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

/// Makes a span, before it has children, part of the trace that a request brings, if it brings one.
pub(crate) fn continue_trace(span: &Span, incoming: &Incoming<'_>) {
    if span.is_disabled() {
        return;
    }
    set_parent(span, TraceContextPropagator::new().extract(incoming));
}

/// Makes a span, before it has children, a child of the current one that may outlive it. Were it so by
/// `tracing`, the parent would not end before it.
pub(crate) fn outlive_current(span: &Span) {
    if !span.is_disabled() {
        set_parent(span, Span::current().context());
    }
}

fn set_parent(span: &Span, parent: Context) {
    if parent.span().span_context().is_valid() {
        // Fails where another layer than ours takes the spans.
        let _ = span.set_parent(parent);
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, time::Instant};

    use tracing_subscriber::prelude::*;

    use super::*;

    fn end_spans(traces: &Traces, count: usize) {
        let subscriber = tracing_subscriber::registry().with(traces.layer());
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..count {
                drop(tracing::info_span!(target: super::super::SPANS, "work"));
            }
        });
    }

    #[test]
    fn a_collector_that_hangs_keeps_neither_the_work_nor_the_end() {
        // Connections are taken by the system, and nobody answers.
        let collector = TcpListener::bind("127.0.0.1:0").unwrap();
        let traces = Traces::to(&format!("http://{}", collector.local_addr().unwrap())).unwrap();
        let began = Instant::now();

        // Several times what the queue holds.
        end_spans(&traces, 10_000);
        traces.flush();

        // Not as long as a batch may take.
        assert!(began.elapsed() < Duration::from_secs(8));
    }

    #[test]
    fn a_collector_that_is_not_there_is_no_failure() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let traces = Traces::to(&format!("http://127.0.0.1:{port}/")).unwrap();

        end_spans(&traces, 10);
        traces.send_now();
        traces.flush();
    }

    #[test]
    fn an_address_that_is_none_is_told() {
        assert!(matches!(Traces::to("http://"), Err(TraceError::Settings(_))));
    }
}
