//! Calls of tools under way, all at the same time, and what they show meanwhile.

use std::time::Duration;

use async_stream::stream;
use futures_util::{
    StreamExt,
    stream::{BoxStream, FuturesUnordered},
};

use crate::{
    store::record::ToolCallRecord,
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
        async move { (number, tools.call(&context, &name, &arguments, timeout).await) }
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
