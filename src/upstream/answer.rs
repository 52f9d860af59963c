//! From a request to neutral events: what both dialects have in common.

use async_stream::try_stream;

use super::{
    ModelEvent, ModelStream, UpstreamError,
    client::{Call, UpstreamClient},
    sse::EventReader,
    transport::Progress,
};
use crate::telemetry::PROVIDER;

/// Turns the events of a dialect into [`ModelEvent`]s. Pure: no clock, no connection.
pub(super) trait Conversion: Send + 'static {
    /// Takes the data of one event and appends what it means.
    fn feed(&mut self, data: &str, out: &mut Vec<ModelEvent>) -> Result<(), UpstreamError>;

    /// The body is at its end, or broke off by `cause`. Good only if the answer is whole all the
    /// same; then appends what was held back.
    fn end(
        &mut self,
        cause: Option<UpstreamError>,
        out: &mut Vec<ModelEvent>,
    ) -> Result<(), UpstreamError>;

    /// Whether [`ModelEvent::Finished`] was given: nothing more is to be read.
    fn is_finished(&self) -> bool;
}

/// Sends the request at the first poll and converts its answer.
pub(super) fn stream(
    client: UpstreamClient,
    call: Result<Call, UpstreamError>,
    mut conversion: impl Conversion,
) -> ModelStream {
    Box::pin(try_stream! {
        let mut reader = client.open(&call?).await.map_err(counted)?;
        let mut events = Vec::new();
        while !conversion.is_finished() {
            let step = step(&mut reader, &mut conversion, &mut events).await;
            for event in events.drain(..) {
                yield event;
            }
            step.map_err(|error| counted(client.fit_for_log(error)))?;
        }
    })
}

/// Counts a failed call. What the provider said of it may quote a conversation: it is logged for
/// whoever asks for it by its target, and nobody else.
pub(super) fn counted(error: UpstreamError) -> UpstreamError {
    metrics::counter!("gateway_upstream_errors_total", "code" => error.code()).increment(1);
    tracing::debug!(error.code = error.code(), "a model call failed");
    tracing::debug!(target: PROVIDER, error = ?error, "the provider says");
    error
}

/// Reads and converts what has come. Lets go of the connection at the end of the answer, before the
/// caller sees that end: who has the last event need not poll once more to stop the model.
async fn step(
    reader: &mut EventReader,
    conversion: &mut impl Conversion,
    out: &mut Vec<ModelEvent>,
) -> Result<(), UpstreamError> {
    let mut fed = Ok(());
    let read = reader.read(|data| {
        fed = conversion.feed(data, out);
        fed.is_ok() && !conversion.is_finished()
    });
    let read = read.await;
    let step = fed.and_then(|()| match read {
        Ok(Progress::Some) => Ok(()),
        Ok(Progress::End) => conversion.end(None, out),
        Err(cause) => conversion.end(Some(cause), out),
    });
    if step.is_err() {
        reader.close();
    } else if conversion.is_finished() {
        reader.finish();
    }
    step
}
