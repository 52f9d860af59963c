//! Stub.
use super::client::*;
use super::*;
pub struct ResponsesModel;
impl ResponsesModel {
    pub fn new(_c: UpstreamClient) -> Self {
        Self
    }
}
impl Model for ResponsesModel {
    fn stream(&self, _r: ModelRequest) -> ModelStream {
        Box::pin(futures_util::stream::empty())
    }
}
