//! Stub.
use super::client::*;
use super::*;
pub struct ChatCompletionsModel;
impl ChatCompletionsModel {
    pub fn new(_c: UpstreamClient) -> Self {
        Self
    }
}
impl Model for ChatCompletionsModel {
    fn stream(&self, _r: ModelRequest) -> ModelStream {
        Box::pin(futures_util::stream::empty())
    }
}
