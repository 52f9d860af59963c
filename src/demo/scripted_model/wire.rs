//! What the two dialects have in common when they are written.

use std::fmt::Write as _;

use bytes::{BufMut as _, BytesMut};
use serde::Serialize;
use serde_json::Value;

use super::{Dialect, ModelCall, chat::ChatWire, responses::ResponsesWire};
use crate::upstream::FinishReason;

/// Writes the frames of one answer into a buffer.
///
/// The same state serves an answer that is no stream: its frames are thrown away and
/// [`whole`](Self::whole) is sent.
pub(super) trait Wire: Send {
    /// What stands before the first delta.
    fn begin(&mut self, out: &mut BytesMut);
    /// A delta of text.
    fn text(&mut self, delta: &str, out: &mut BytesMut);
    /// A delta of a summary of thoughts.
    fn reasoning(&mut self, delta: &str, out: &mut BytesMut);
    /// A delta of a refusal.
    fn refusal(&mut self, delta: &str, out: &mut BytesMut);
    /// A call, whole.
    fn call(&mut self, name: &str, arguments: &str, out: &mut BytesMut);
    /// An output item as it is, where the dialect has such items.
    fn item(&mut self, item: &Value, out: &mut BytesMut);
    /// An image in base64 with its drafts, where the dialect has images.
    fn image(&mut self, drafts: &[String], result: Option<&str>, out: &mut BytesMut);
    /// An error in the stream; nothing comes after it.
    fn error(&mut self, code: &str, message: &str, out: &mut BytesMut);
    /// What stands after the last delta, the terminal mark included.
    fn finish(&mut self, reason: FinishReason, out: &mut BytesMut);
    /// The answer as one object, once it is finished.
    fn whole(&self) -> Value;
}

/// The writer of a call's dialect.
pub(super) fn wire_for(call: &ModelCall) -> Box<dyn Wire> {
    match call.dialect {
        Dialect::Responses => Box::new(ResponsesWire::new(call)),
        Dialect::ChatCompletions => Box::new(ChatWire::new(call)),
    }
}

/// What an answer cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens {
    pub(super) input: u64,
    pub(super) text_bytes: u64,
    pub(super) reasoning_bytes: u64,
}

impl Tokens {
    pub(super) fn new(call: &ModelCall) -> Self {
        Self { input: call.input_tokens, text_bytes: 0, reasoning_bytes: 0 }
    }

    /// Tokens of thoughts: four bytes each.
    pub(super) fn reasoning(self) -> u64 {
        self.reasoning_bytes.div_ceil(4)
    }

    /// Tokens written, those of thoughts included: four bytes each.
    pub(super) fn output(self) -> u64 {
        self.text_bytes.div_ceil(4) + self.reasoning()
    }

    pub(super) fn total(self) -> u64 {
        self.input + self.output()
    }
}

/// Appends text as it is.
pub(super) fn put(out: &mut BytesMut, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Appends a number.
pub(super) fn put_number(out: &mut BytesMut, number: impl std::fmt::Display) {
    let written = write!(out, "{number}");
    debug_assert!(written.is_ok(), "a buffer grows");
}

/// Appends a value as JSON; a `&str` as an escaped string.
pub(super) fn put_json(out: &mut BytesMut, value: &(impl Serialize + ?Sized)) {
    let written = serde_json::to_writer(out.writer(), value);
    debug_assert!(written.is_ok(), "these values are JSON and a buffer grows");
}

/// An identifier that no other answer has, without its prefix.
pub(super) fn fresh_id() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}

/// A call's arguments in the pieces in which they are sent: some 12 bytes each.
pub(super) fn fragments(arguments: &str) -> impl Iterator<Item = &str> {
    let mut rest = arguments;
    std::iter::from_fn(move || {
        let end = rest.char_indices().map(|(at, _)| at).find(|at| *at >= 12);
        let (fragment, remaining) = rest.split_at(end.unwrap_or(rest.len()));
        rest = remaining;
        (!fragment.is_empty()).then_some(fragment)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_join_to_the_whole_and_cut_no_character() {
        for text in ["", "{}", "{\"title\":\"Zwölf Boxkämpfer jagen 🦀 quer\"}"] {
            assert_eq!(fragments(text).collect::<String>(), text);
        }
        assert_eq!(fragments("0123456789abcdef").count(), 2);
    }

    #[test]
    fn strings_are_escaped_as_json() {
        let mut out = BytesMut::new();

        put_json(&mut out, "a\"b\n\u{1}🦀");

        assert_eq!(out, "\"a\\\"b\\n\\u0001🦀\"");
    }
}
