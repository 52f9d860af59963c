//! The dialect of Chat Completions (`POST /chat/completions`), which nearly every server speaks.

mod calls;
mod convert;
#[cfg(any(test, fuzzing))]
mod property;
mod request;
mod wire;

#[cfg(any(test, fuzzing))]
pub(crate) use self::property::short_way;
use self::{convert::Converter, request::Body};
use super::{
    Model, ModelEvent, ModelRequest, ModelStream, UpstreamError,
    answer::{self, Conversion as _},
    client::{Call, UpstreamClient},
};

/// A model behind a Chat Completions API.
#[derive(Clone, Debug)]
pub struct ChatCompletionsModel {
    client: UpstreamClient,
}

impl ChatCompletionsModel {
    /// A model at the API of this client.
    pub fn new(client: UpstreamClient) -> Self {
        Self { client }
    }
}

impl Model for ChatCompletionsModel {
    fn stream(&self, request: ModelRequest) -> ModelStream {
        let body = Body::new(&request, self.client.profile());
        let id = request.client_request_id.as_deref();
        let call = Call::post(&["chat", "completions"], &body, id);
        answer::stream(self.client.clone(), call, Converter::default())
    }
}

/// Reads the events of one answer that came by another way than [`ChatCompletionsModel`]: from a
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

    /// Takes the data of one event, which is JSON or `[DONE]`, and appends what it means. After
    /// [`ModelEvent::Finished`] nothing more is read.
    pub fn feed(&mut self, data: &str, out: &mut Vec<ModelEvent>) -> Result<(), UpstreamError> {
        self.converter.feed(data, out)
    }
}

#[cfg(test)]
mod tests;
