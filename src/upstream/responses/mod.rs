//! The dialect of OpenAI's Responses API (`POST /responses`).

mod call;
mod convert;
mod items;
mod message;
mod reasoning;
mod request;
mod wire;

use self::{convert::Converter, request::Body};
use super::{
    Model, ModelRequest, ModelStream, answer,
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

#[cfg(test)]
mod tests;
