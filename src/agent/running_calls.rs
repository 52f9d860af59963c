//! Calls of tools under way, all at the same time, and what they show meanwhile.

use std::time::Duration;

use async_stream::stream;
use futures_util::{
    StreamExt,
    stream::{BoxStream, FuturesUnordered},
};
use tracing::{Instrument as _, Span, field::Empty, info_span};

use crate::{
    store::record::ToolCallRecord,
    telemetry::SPANS,
    tools::{Display, Shown, ToolContext, ToolOutput, ToolRegistry},
};

use super::Turn;

/// What happens while calls run.
pub(super) enum Happened {
    /// A tool shows something.
    Shown(Shown),
    /// The call of this number has ended. What it has shown came before.
    Ended(usize, ToolOutput),
}

/// The call's span for a collector. The name that a model made up is text of the model's.
fn span(turn: &Turn, tools: &ToolRegistry, call: &ToolCallRecord) -> Span {
    let name = tools.find(&call.name).map_or("unknown", |tool| tool.spec().name.as_str());
    info_span!(
        target: SPANS,
        parent: &turn.span,
        "execute_tool",
        otel.name = %format_args!("execute_tool {name}"),
        otel.status_code = Empty,
        gen_ai.operation.name = "execute_tool",
        gen_ai.tool.name = name,
        gen_ai.tool.call.id = call.call_id.as_str(),
        error.type = Empty,
    )
}

/// Makes calls, each with a number of the caller's. `timeout` is for tools that do not say how long
/// a call may take. Dropping the stream drops the calls.
pub(super) fn run<'a>(
    turn: &Turn,
    tools: &ToolRegistry,
    timeout: Duration,
    calls: impl IntoIterator<Item = (usize, &'a ToolCallRecord)>,
) -> BoxStream<'static, Happened> {
    let (display, mut shown) = Display::channel(turn.thread_id());
    let (user_id, cancel) = (turn.user_id.clone(), turn.cancel.clone());
    let context = ToolContext { user_id, cancel, display };
    let running = calls.into_iter().map(|(number, call)| {
        let (tools, context) = (tools.clone(), context.clone());
        let (name, arguments) = (call.name.clone(), call.arguments.clone());
        let span = span(turn, &tools, call);
        async move {
            let call = tools.call(&context, &name, &arguments, timeout);
            let output = call.instrument(span.clone()).await;
            if output.is_error {
                span.record("otel.status_code", "ERROR");
                span.record("error.type", "tool_error");
            }
            (number, output)
        }
    });
    let mut running: FuturesUnordered<_> = running.collect();
    Box::pin(stream! {
        while !running.is_empty() {
            let ended = tokio::select! {
                biased;
                Some(shown) = shown.recv() => Err(shown),
                Some(ended) = running.next() => Ok(ended),
            };
            match ended {
                Err(shown) => yield Happened::Shown(shown),
                Ok((number, output)) => {
                    while let Ok(shown) = shown.try_recv() {
                        yield Happened::Shown(shown);
                    }
                    yield Happened::Ended(number, output);
                }
            }
        }
    })
}
