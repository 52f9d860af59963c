//! The dialect of Chat Completions (`POST /chat/completions`), which nearly every server speaks.

mod calls;
mod convert;
mod request;
mod wire;

use self::{convert::Converter, request::Body};
use super::{
    Model, ModelRequest, ModelStream, answer,
    client::{Call, UpstreamClient},
};

/// A model behind a Chat Completions API.
#[derive(Clone, Debug)]
pub struct ChatCompletionsModel {
    client: UpstreamClient,
    asks_for_usage: bool,
}

impl ChatCompletionsModel {
    /// A model at the API of this client.
    pub fn new(client: UpstreamClient) -> Self {
        Self { client, asks_for_usage: true }
    }

    /// For servers that refuse `stream_options`: answers then come without usage, unless the
    /// server gives it unasked.
    #[must_use]
    pub fn without_usage(self) -> Self {
        Self { asks_for_usage: false, ..self }
    }
}

impl Model for ChatCompletionsModel {
    fn stream(&self, request: ModelRequest) -> ModelStream {
        let body = Body::new(&request, self.client.is_openai(), self.asks_for_usage);
        let id = request.client_request_id.as_deref();
        let call = Call::post(&["chat", "completions"], &body, id);
        answer::stream(self.client.clone(), call, Converter::default())
    }
}

#[cfg(test)]
mod tests;
