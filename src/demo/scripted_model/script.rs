//! What a script is made of.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::Stream;
use serde_json::Value;

use super::ModelCall;
use crate::upstream::FinishReason;

/// The steps of one answer. Dropped as soon as the client leaves.
pub type Steps = Pin<Box<dyn Stream<Item = Step> + Send>>;

/// Decides what the model answers.
///
/// Every `Fn(Arc<ModelCall>) -> impl Stream<Item = Step>` is one. The stream is polled only when
/// the step before was handed to the connection, so it may look at the clock.
pub trait Script: Send + Sync + 'static {
    /// The answer to a call. When the stream ends, what a good answer ends with is sent: the
    /// closing events of open items, the terminal event, the usage.
    fn answer(&self, call: Arc<ModelCall>) -> Steps;
}

impl<F, S> Script for F
where
    F: Fn(Arc<ModelCall>) -> S + Send + Sync + 'static,
    S: Stream<Item = Step> + Send + 'static,
{
    fn answer(&self, call: Arc<ModelCall>) -> Steps {
        Box::pin(self(call))
    }
}

/// A thing that the model does.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// One delta of text.
    Text(String),
    /// One delta of a summary of its thoughts.
    Reasoning(String),
    /// One delta of a refusal.
    Refusal(String),
    /// A function call, its arguments in several fragments. Several may follow each other.
    Call {
        /// The function.
        name: String,
        /// JSON text, sent as it is: it may be broken on purpose.
        arguments: String,
    },
    /// An output item as it is, such as a web search: begun with its type alone, then whole. Only
    /// the Responses API has such items.
    Item(Value),
    /// An image, in base64: drafts, then the whole one unless it fails. Only the Responses API has
    /// images.
    Image {
        /// The drafts, in order.
        drafts: Vec<String>,
        /// The whole image.
        result: Option<String>,
    },
    /// Nothing for a while. What was said before is on its way.
    Pause(Duration),
    /// An HTTP error in place of an answer. Only as the first step; later it is an
    /// [`Error`](Self::Error).
    Status {
        /// The status.
        status: u16,
        /// Headers, such as `retry-after`.
        headers: Vec<(&'static str, String)>,
        /// The body. An object or an array is sent as JSON, a string as plain text.
        body: Value,
    },
    /// An error after a good status: as an event in a stream, as a 500 otherwise. The last step.
    Error {
        /// Such as `server_error` or `rate_limit_exceeded`.
        code: String,
        /// For the operator.
        message: String,
    },
    /// The connection is closed in the middle of the body. As the first step: without an answer,
    /// not even a status. The last step.
    Cut,
    /// The body ends as HTTP wants it, but without the terminal mark. The last step.
    EndWithoutMark,
    /// Silence until the client leaves. The last step.
    Hang,
    /// Bytes for the body as they are. An answer of nothing else has nothing added to it, neither
    /// at its beginning nor at its end.
    Raw(Bytes),
    /// Ends the answer for this reason; the default is [`FinishReason::Complete`]. The last step.
    Finish(FinishReason),
}

impl Step {
    /// One delta of text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A function call.
    pub fn call(name: impl Into<String>, arguments: &Value) -> Self {
        Self::Call { name: name.into(), arguments: arguments.to_string() }
    }

    /// A pause of so many milliseconds.
    pub fn pause_ms(milliseconds: u64) -> Self {
        Self::Pause(Duration::from_millis(milliseconds))
    }

    /// An HTTP error with a body as OpenAI sends it.
    pub fn status(status: u16, code: &str, message: &str) -> Self {
        Self::Status { status, headers: Vec::new(), body: error_body(status, code, message) }
    }

    /// An error after a good status.
    pub fn error(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Error { code: code.into(), message: message.into() }
    }
}

/// The body of an HTTP error as OpenAI sends it.
pub(super) fn error_body(status: u16, code: &str, message: &str) -> Value {
    let kind = match status {
        401 => "authentication_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    };
    serde_json::json!({
        "error": { "message": message, "type": kind, "param": null, "code": code }
    })
}

/// Text in the pieces in which it is said: words, each with the white space before it.
pub fn split_words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let word = rest.len() - rest.trim_start().len();
        let length = rest[word..].find(char::is_whitespace).unwrap_or(rest.len() - word);
        let (piece, remaining) = rest.split_at(word + length);
        rest = remaining;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_join_to_the_whole() {
        let text = " two\n\nparagraphs,  with 🦀 ";

        assert_eq!(split_words(text).collect::<String>(), text);
        assert_eq!(split_words("a b").collect::<Vec<_>>(), ["a", " b"]);
    }
}
