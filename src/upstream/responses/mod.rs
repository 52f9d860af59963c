//! The dialect of OpenAI's Responses API (`POST /responses`).

mod background;
mod call;
mod convert;
mod hosted;
mod image;
mod items;
mod message;
#[cfg(any(test, fuzzing))]
mod property;
mod reasoning;
mod request;
mod wire;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

#[cfg(any(test, fuzzing))]
pub(crate) use self::property::short_way;
use self::{background::Background, convert::Converter, request::Body};
use super::{
    Model, ModelEvent, ModelRequest, ModelStream, UpstreamError,
    answer::{self, Conversion as _},
    client::{Call, UpstreamClient},
};

/// A model behind a Responses API.
#[derive(Clone, Debug)]
pub struct ResponsesModel {
    client: UpstreamClient,
    background: Option<Background>,
}

impl ResponsesModel {
    /// A model at the API of this client.
    pub fn new(client: UpstreamClient) -> Self {
        Self { client, background: None }
    }

    /// Lets answers go on at the provider when their connection breaks, so that they can be read
    /// again: see [`ModelRequest::unwanted`]. The provider keeps them for that, for 30 days at
    /// OpenAI.
    #[must_use]
    pub fn in_background(self) -> Self {
        let background = Some(Background::new(self.client.clone()));
        Self { background, ..self }
    }
}

#[async_trait]
impl Model for ResponsesModel {
    fn stream(&self, request: ModelRequest) -> ModelStream {
        let background = self.background.as_ref().zip(request.unwanted.clone());
        let body = Body::new(&request, self.client.profile(), background.is_some());
        let call = Call::post(&["responses"], &body, request.client_request_id.as_deref());
        match background {
            Some((background, unwanted)) => background.ask(call, unwanted),
            None => answer::stream(self.client.clone(), call, Converter::default()),
        }
    }

    fn reread(&self, response_id: &str, unwanted: CancellationToken) -> Option<ModelStream> {
        let background = self.background.as_ref()?;
        Some(background.reread(response_id, unwanted))
    }

    async fn settle(&self) {
        if let Some(background) = &self.background {
            background.settle().await;
        }
    }
}

/// Reads the events of one answer that came by another way than [`ResponsesModel`]: from a
/// recording, or over a connection of the caller's own.
#[derive(Default)]
pub struct AnswerReader {
    converter: Converter,
}

impl AnswerReader {
    /// For an answer of which nothing was read.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the data of one event, which is JSON, and appends what it means. After
    /// [`ModelEvent::Finished`] nothing more is read.
    pub fn feed(&mut self, data: &str, out: &mut Vec<ModelEvent>) -> Result<(), UpstreamError> {
        self.converter.feed(data, out)
    }
}

#[cfg(test)]
mod tests;
