//! One question to the model, as operators see it: a span of the trace, its tokens and its time.
//!
//! Source of the names: OpenTelemetry's semantic conventions for generative AI. What is said stands in
//! none of them.

use futures_util::StreamExt as _;
use tokio::time::Instant;
use tracing::{Instrument as _, Span, field::Empty, info_span};

use crate::{
    store::record::Usage,
    telemetry::SPANS,
    upstream::{ModelEvent, ModelStream, UpstreamError},
};

/// A question under way. Dropped before its end, it was given up.
pub(super) struct Asked {
    span: Span,
    model: String,
    since: Instant,
}

impl Asked {
    /// A question of a run to the model of that name.
    pub(super) fn of(run: &Span, model: &str) -> Self {
        let span = info_span!(
            target: SPANS,
            parent: run,
            "chat",
            otel.name = %format_args!("chat {model}"),
            otel.kind = "client",
            otel.status_code = Empty,
            gen_ai.operation.name = "chat",
            gen_ai.provider.name = "openai",
            gen_ai.request.model = model,
            gen_ai.usage.input_tokens = Empty,
            gen_ai.usage.output_tokens = Empty,
            server.address = Empty,
            http.response.status_code = Empty,
            http.request.resend_count = Empty,
            upstream.request_id = Empty,
            error.type = Empty,
        );
        Self { span, model: model.to_owned(), since: Instant::now() }
    }

    /// Waits for the first event. Meanwhile the request is sent, and what the client learns of it is
    /// noted in the span. The others are not waited for in it, which would cost each of them.
    pub(super) async fn first(
        &self,
        answer: &mut ModelStream,
    ) -> Option<Result<ModelEvent, UpstreamError>> {
        answer.next().instrument(self.span.clone()).await
    }

    /// Notes how it ended.
    pub(super) fn ended(self, event: &Result<ModelEvent, UpstreamError>) {
        match event {
            Ok(ModelEvent::Finished { usage: Some(usage), .. }) => {
                self.span.record("gen_ai.usage.input_tokens", usage.input_tokens);
                self.span.record("gen_ai.usage.output_tokens", usage.output_tokens);
                count_tokens(&self.model, *usage);
            }
            Ok(_) => {}
            Err(error) => {
                self.span.record("otel.status_code", "ERROR");
                self.span.record("error.type", error.code());
            }
        }
        metrics::histogram!("gateway_model_call_seconds", "model" => self.model)
            .record(self.since.elapsed().as_secs_f64());
    }
}

/// Counts what a model has read and written.
pub(super) fn count_tokens(model: &str, usage: Usage) {
    for (direction, tokens) in [("input", usage.input_tokens), ("output", usage.output_tokens)] {
        let labels = [("model", model.to_owned()), ("direction", direction.to_owned())];
        metrics::counter!("gateway_tokens_total", &labels).increment(tokens);
    }
}
