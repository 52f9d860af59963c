//! The dialect of OpenAI's Responses API (`POST /responses`).

mod call;
mod convert;
mod hosted;
mod image;
mod items;
mod message;
mod reasoning;
mod request;
mod wire;

use self::{convert::Converter, request::Body};
use super::{
    Model, ModelEvent, ModelRequest, ModelStream, UpstreamError,
    answer::{self, Conversion as _},
    client::{Post, UpstreamClient},
};

/// A model behind a Responses API.
#[derive(Clone, Debug)]
pub struct ResponsesModel {
    client: UpstreamClient,
}

impl ResponsesModel {
    /// A model at the API of this client.
    pub fn new(client: UpstreamClient) -> Self {
        Self { client }
    }
}

impl Model for ResponsesModel {
    fn stream(&self, request: ModelRequest) -> ModelStream {
        let body = Body::new(&request, self.client.is_openai());
        let post = Post::new(&["responses"], &body, request.client_request_id.as_deref());
        answer::stream(self.client.clone(), post, Converter::default())
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
