//! The client of the model's API against a server that misbehaves.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod answers;
mod background;
mod chunking;
mod failures;
mod server;
mod time_limits;

use std::time::Duration;

use chatkit_gateway::upstream::{
    InputItem, Model, ModelEvent, ModelRequest, ModelStream, UpstreamError,
    chat_completions::ChatCompletionsModel,
    client::{ApiKey, UpstreamClient, UpstreamConfig},
    responses::ResponsesModel,
};
use futures_util::StreamExt;

use self::server::Server;

const KEY: &str = "sk-test-0123456789abcdef";

/// An answer of the Responses API, "Grüße 😀", with all that an event stream may have.
const GREETING: &str = concat!(
    ": hello\n\n",
    "event: response.created\n",
    "data: {\"type\":\"response.created\",\"response\":{\"status\":\"in_progress\"}}\n\n",
    "data: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"type\":\"message\"}}\r\n\r\n",
    "data:{\"type\":\"response.output_text.delta\",\"output_index\":0,\"content_index\":0,\"delta\":\"Grü\"}\n\n",
    ": ping\n\n",
    "data: {\"type\":\"response.output_text.delta\",\n",
    "data: \"output_index\":0,\"content_index\":0,\"delta\":\"ße 😀\"}\n\n",
    "id: 7\r\ndata: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"output\":[]}}\r\n\r\n",
);

/// One delta, and no end.
const DELTA: &str = "data: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"content_index\":0,\"delta\":\"Hi\"}\n\n";

const COMPLETED: &str =
    "data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\"}}\n\n";

/// Short limits, so that tests of them are short; long enough for a busy machine.
fn config(server: &Server) -> UpstreamConfig {
    UpstreamConfig {
        base_url: server.base_url.clone(),
        api_key: Some(ApiKey::new(KEY)),
        first_byte_timeout: Duration::from_millis(800),
        idle_timeout: Duration::from_millis(300),
        max_event_bytes: 4096,
        max_answer_bytes: 16384,
        ..UpstreamConfig::default()
    }
}

fn client(server: &Server) -> UpstreamClient {
    UpstreamClient::new(config(server)).unwrap()
}

fn ask(server: &Server) -> ModelStream {
    ResponsesModel::new(client(server)).stream(request())
}

fn ask_chat(server: &Server) -> ModelStream {
    ChatCompletionsModel::new(client(server)).stream(request())
}

fn request() -> ModelRequest {
    ModelRequest {
        model: "m".to_owned(),
        input: vec![InputItem::user_text("hi")],
        client_request_id: Some("request-1".to_owned()),
        ..ModelRequest::default()
    }
}

/// Everything that comes.
async fn read(mut stream: ModelStream) -> (Vec<ModelEvent>, Option<UpstreamError>) {
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        match event {
            Ok(event) => events.push(event),
            Err(error) => {
                assert!(stream.next().await.is_none(), "an error is the end");
                return (events, Some(error));
            }
        }
    }
    (events, None)
}

async fn good(stream: ModelStream) -> Vec<ModelEvent> {
    let (events, error) = read(stream).await;
    assert!(error.is_none(), "{error:?} after {events:?}");
    assert!(matches!(events.last(), Some(ModelEvent::Finished { .. })), "{events:?}");
    events
}

async fn failure(stream: ModelStream) -> UpstreamError {
    let (events, error) = read(stream).await;
    error.unwrap_or_else(|| panic!("no error after {events:?}"))
}

/// The text joined from deltas.
fn text(events: &[ModelEvent]) -> String {
    let deltas = events.iter().filter_map(|event| match event {
        ModelEvent::TextDelta { delta, .. } => Some(delta.as_str()),
        _ => None,
    });
    deltas.collect()
}
