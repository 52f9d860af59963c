//! Answers that go on at the provider when nobody reads them, and can be read again.
//!
//! The request asks for `background` and `store`. From then on the connection is only a way to
//! read: when it breaks, the same response is read on behind the last sequence number, by this
//! process or, after its death, from the beginning by another. Nothing is asked twice.
//!
//! Closing the connection stops nothing here: who no longer wants the answer cancels it.
//!
//! Source: OpenAI's guide to background mode; a recording of a resumed response was compared.

use std::time::Duration;

use async_stream::try_stream;
use serde::Deserialize;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::upstream::{
    ModelEvent, ModelStream, UpstreamError,
    answer::{Conversion as _, counted},
    client::{Call, UpstreamClient},
    event_source::EventReader,
};

use super::convert::Converter;

/// How often reading is begun anew without anything new being read.
const MAX_REOPENS: u32 = 5;
/// The first wait before that; it doubles.
const REOPEN_AFTER: Duration = Duration::from_millis(200);
/// How long a provider may take to hear that an answer is not wanted.
const CANCEL_PATIENCE: Duration = Duration::from_secs(10);

/// The responses of one model that go on in the background.
#[derive(Clone, Debug)]
pub(super) struct Background {
    client: UpstreamClient,
    /// Cancellations under way.
    cancelling: TaskTracker,
}

/// What one event says of its response.
#[derive(Deserialize)]
struct Head {
    sequence_number: Option<u64>,
    response: Option<ResponseHead>,
}

#[derive(Deserialize)]
struct ResponseHead {
    id: Option<String>,
}

impl Background {
    pub(super) fn new(client: UpstreamClient) -> Self {
        Self { client, cancelling: TaskTracker::new() }
    }

    /// Asks, and reads the answer.
    pub(super) fn ask(
        &self,
        call: Result<Call, UpstreamError>,
        unwanted: CancellationToken,
    ) -> ModelStream {
        self.read(call, None, unwanted)
    }

    /// Reads a response that was begun before, from its beginning.
    pub(super) fn reread(&self, response_id: &str, unwanted: CancellationToken) -> ModelStream {
        let id = response_id.to_owned();
        self.read(Ok(reading(&id, None)), Some(id), unwanted)
    }

    /// Waits until all cancellations are sent.
    pub(super) async fn settle(&self) {
        self.cancelling.close();
        self.cancelling.wait().await;
    }

    fn read(
        &self,
        call: Result<Call, UpstreamError>,
        response_id: Option<String>,
        unwanted: CancellationToken,
    ) -> ModelStream {
        let background = self.clone();
        Box::pin(try_stream! {
            let client = background.client.clone();
            let mut held = Held { background, response_id, unwanted, is_over: false };
            let mut conversion = Converter::default();
            let mut reader = client.open(&call?).await.map_err(counted)?;
            let mut events = Vec::new();
            let (mut last_read, mut reopens) = (None, 0);
            while !conversion.is_finished() {
                let cause = match reader.next_data().await {
                    Ok(Some(data)) => {
                        let said = serde_json::from_str::<Head>(&data).ok();
                        let number = said.as_ref().and_then(|said| said.sequence_number);
                        if number.is_some() && number <= last_read {
                            continue;
                        }
                        (last_read, reopens) = (number.or(last_read), 0);
                        if let Some(id) = held.begun(said) {
                            yield ModelEvent::Begun { response_id: id };
                        }
                        let fed = conversion.feed(&data, &mut events);
                        for event in events.drain(..) {
                            yield event;
                        }
                        held.is_over |= conversion.is_finished() || fed.is_err();
                        fed.map_err(|error| counted(client.fit_for_log(error)))?;
                        continue;
                    }
                    Ok(None) => None,
                    Err(cause) => Some(cause),
                };
                let Some(id) = held.response_id.as_deref().filter(|_| reopens < MAX_REOPENS) else {
                    conversion
                        .end(cause, &mut events)
                        .map_err(|error| counted(client.fit_for_log(error)))?;
                    break;
                };
                let code = cause.as_ref().map(UpstreamError::code);
                tracing::debug!(code, reopens, "reading an answer on");
                tokio::time::sleep(REOPEN_AFTER * 2_u32.pow(reopens)).await;
                // Silence has lasted long already: it is given one more chance.
                let is_silent = matches!(cause, Some(UpstreamError::TimedOut { .. }));
                reopens = if is_silent { MAX_REOPENS } else { reopens + 1 };
                reader = reopen(&client, id, last_read).await?;
            }
            reader.close();
        })
    }
}

async fn reopen(
    client: &UpstreamClient,
    id: &str,
    last_read: Option<u64>,
) -> Result<EventReader, UpstreamError> {
    client.open(&reading(id, last_read)).await.map_err(counted)
}

/// The request for a response's events behind one of them.
fn reading(id: &str, last_read: Option<u64>) -> Call {
    let query = match last_read {
        Some(number) => format!("stream=true&starting_after={number}"),
        None => "stream=true".to_owned(),
    };
    Call::get(["responses".into(), id.to_owned().into()], query)
}

/// A response that is being read. Dropped when nobody wants it any more, it is cancelled.
struct Held {
    background: Background,
    response_id: Option<String>,
    unwanted: CancellationToken,
    /// The provider has ended it.
    is_over: bool,
}

impl Held {
    /// Takes the response's identifier from its first event. Answers it the first time.
    fn begun(&mut self, head: Option<Head>) -> Option<String> {
        if self.response_id.is_some() {
            return None;
        }
        // It becomes part of a path.
        let id = head?.response?.id.filter(|id| !id.is_empty() && id.len() <= 256)?;
        self.response_id = Some(id.clone());
        Some(id)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.is_over || !self.unwanted.is_cancelled() {
            // Also when another process has the run now: it reads the response on.
            return;
        }
        let Some(id) = self.response_id.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let client = self.background.client.clone();
        let cancel = async move {
            let call = Call::bare_post(["responses".into(), id.into(), "cancel".into()]);
            if let Err(error) = client.tell(&call, CANCEL_PATIENCE).await {
                tracing::warn!(error = &*error as &dyn std::error::Error, "a model goes on unread");
            }
        };
        self.background.cancelling.spawn_on(cancel, &runtime);
    }
}
