//! The Chat Completions API, which most servers speak besides `OpenAI`'s.

mod calls;
mod convert;
mod request;

use async_stream::try_stream;

use super::{Model, ModelRequest, ModelStream, UpstreamError, client::UpstreamClient};
use convert::Converter;

/// A model behind `POST /chat/completions`.
#[derive(Clone)]
pub struct ChatCompletionsModel {
    client: UpstreamClient,
}

impl ChatCompletionsModel {
    /// A model behind this client.
    pub fn new(client: UpstreamClient) -> Self {
        Self { client }
    }
}

impl Model for ChatCompletionsModel {
    fn stream(&self, request: ModelRequest) -> ModelStream {
        let client = self.client.clone();
        Box::pin(try_stream! {
            let body = request::body(&request, client.config().is_openai());
            let id = request.client_request_id.as_deref();
            let mut source = client.open("/chat/completions", &body, id).await?;
            drop(body);
            let mut converter = Converter::default();
            let mut events = Vec::new();
            loop {
                let data = match source.next().await {
                    Ok(Some(data)) => data,
                    // The usage, which comes behind the reason to finish, may be missing.
                    Ok(None) | Err(_) if converter.has_finish_reason() => break,
                    Ok(None) => Err(UpstreamError::Truncated(None))?,
                    Err(error) => Err(error)?,
                };
                if data.trim() == "[DONE]" {
                    break;
                }
                let result = converter.feed(&data, &mut events);
                for event in events.drain(..) {
                    yield event;
                }
                result?;
            }
            drop(source);
            for event in converter.finish()? {
                yield event;
            }
        })
    }
}
