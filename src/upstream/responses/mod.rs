//! OpenAI's Responses API.

mod annotations;
mod convert;
mod item;
mod request;

use async_stream::try_stream;

use super::{Model, ModelRequest, ModelStream, UpstreamError, client::UpstreamClient};
use convert::Converter;
pub(super) use item::whole_call;

/// A model behind `POST /responses`.
#[derive(Clone)]
pub struct ResponsesModel {
    client: UpstreamClient,
}

impl ResponsesModel {
    /// A model behind this client.
    pub fn new(client: UpstreamClient) -> Self {
        Self { client }
    }
}

impl Model for ResponsesModel {
    fn stream(&self, request: ModelRequest) -> ModelStream {
        let client = self.client.clone();
        Box::pin(try_stream! {
            let body = request::body(&request, client.config().is_openai());
            let id = request.client_request_id.as_deref();
            let mut source = client.open("/responses", &body, id).await?;
            drop(body);
            let mut converter = Converter::default();
            let mut events = Vec::new();
            while let Some(data) = source.next().await? {
                let result = converter.feed(&data, &mut events);
                for event in events.drain(..) {
                    yield event;
                }
                result?;
                if converter.is_finished() {
                    return;
                }
            }
            // The body ended well, the answer did not.
            Err(converter.error().unwrap_or(UpstreamError::Truncated(None)))?;
        })
    }
}
