//! Server-Sent Events of an answer, read for what a load test wants to know: the deltas with their
//! time stamps, the text as the server says it is in the end, and errors.

use std::sync::LazyLock;

use memchr::{
    memchr, memchr2,
    memmem::{self, Finder},
};
use serde_json::Value;

/// An event's type stands within so many bytes.
const TYPE_WITHIN: usize = 200;
/// Events that come once in an answer.
const RARE: [&[u8]; 6] = [
    b"\"thread.item.done\"",
    b"\"thread.created\"",
    b"\"error\"",
    b"\"response.completed\"",
    b"\"response.failed\"",
    b"\"response.incomplete\"",
];

/// What an event says.
#[derive(Debug, PartialEq)]
pub(crate) enum Event<'a> {
    /// Text of the answer, as it stands in the JSON string: escaped.
    Delta(&'a [u8]),
    /// The answer is done, and this is its text.
    Done(String),
    /// The thread is new.
    ThreadCreated(String),
    /// The answer has failed.
    Error(String),
    /// Anything else.
    Other,
}

/// Cuts the bytes of a body into events, however they come.
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    /// The beginning of an event that is not yet whole.
    carry: Vec<u8>,
    /// The `id` of the last whole event that had one.
    last_id: Option<String>,
}

impl EventReader {
    /// Takes bytes of the body and hands on the events that they complete.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut on_event: impl FnMut(Event<'_>)) {
        if self.carry.is_empty() {
            let taken = self.take_events(bytes, &mut on_event);
            self.carry.extend_from_slice(&bytes[taken..]);
            return;
        }
        let mut carried = std::mem::take(&mut self.carry);
        carried.extend_from_slice(bytes);
        let taken = self.take_events(&carried, &mut on_event);
        carried.drain(..taken);
        self.carry = carried;
    }

    /// What a reader that comes back sends as `Last-Event-ID`.
    pub(crate) fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// Forgets what was not whole, as a client does whose connection breaks.
    pub(crate) fn disconnect(&mut self) {
        self.carry.clear();
    }

    /// Hands on all whole events and says how many bytes they were.
    fn take_events(&mut self, bytes: &[u8], on_event: &mut impl FnMut(Event<'_>)) -> usize {
        let (mut event_begin, mut line_begin) = (0, 0);
        while let Some(length) = memchr(b'\n', &bytes[line_begin..]) {
            let line_end = line_begin + length;
            if is_blank(&bytes[line_begin..line_end]) {
                self.take_event(&bytes[event_begin..line_begin], on_event);
                event_begin = line_end + 1;
            }
            line_begin = line_end + 1;
        }
        event_begin
    }

    fn take_event(&mut self, event: &[u8], on_event: &mut impl FnMut(Event<'_>)) {
        for line in event.split(|byte| *byte == b'\n') {
            if let Some(data) = field(line, b"data:") {
                on_event(read_data(data));
            } else if let Some(id) = field(line, b"id:") {
                let id = String::from_utf8_lossy(id);
                self.last_id.get_or_insert_default().clone_from(&id.into_owned());
            }
        }
    }
}

fn is_blank(line: &[u8]) -> bool {
    matches!(line, b"" | b"\r")
}

/// A field's value, without the blank before it.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = line.strip_prefix(name)?;
    let value = value.strip_prefix(b" ").unwrap_or(value);
    Some(value.strip_suffix(b"\r").unwrap_or(value))
}

/// Made once: making one costs as much as finding.
static TYPE_END: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"delta\""));
static MEMBER: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\"delta\":"));

fn read_data(data: &[u8]) -> Event<'_> {
    let head = &data[..data.len().min(TYPE_WITHIN)];
    if is_text_delta(head) {
        return delta(data).map_or(Event::Other, Event::Delta);
    }
    let is_rare = RARE.iter().any(|kind| memmem::find(head, kind).is_some());
    if is_rare { read_rare(data) } else { Event::Other }
}

/// Whether the type is ChatKit's `….text_delta` or the model's `response.output_text.delta`.
fn is_text_delta(head: &[u8]) -> bool {
    let Some(at) = TYPE_END.find(head) else { return false };
    head[..at].ends_with(b".text_") || head[..at].ends_with(b"output_text.")
}

/// The string in the member `delta`, as it stands there.
fn delta(data: &[u8]) -> Option<&[u8]> {
    let value = data[MEMBER.find(data)? + MEMBER.needle().len()..].trim_ascii_start();
    let text = value.strip_prefix(b"\"")?;
    let mut end = 0;
    loop {
        end += memchr2(b'"', b'\\', text.get(end..)?)?;
        if text[end] == b'"' {
            return Some(&text[..end]);
        }
        end += 2;
    }
}

/// Events that come once in an answer.
fn read_rare(data: &[u8]) -> Event<'static> {
    let Ok(event) = serde_json::from_slice::<Value>(data) else {
        return Event::Error("an event that is no JSON".to_owned());
    };
    match event["type"].as_str().unwrap_or_default() {
        "thread.created" => {
            Event::ThreadCreated(event["thread"]["id"].as_str().unwrap_or_default().to_owned())
        }
        "thread.item.done" if event["item"]["type"] == "assistant_message" => {
            Event::Done(text_of(&event["item"]["content"]))
        }
        "response.completed" => {
            let items = event["response"]["output"].as_array().into_iter().flatten();
            Event::Done(items.map(|item| text_of(&item["content"])).collect())
        }
        "error" | "response.failed" | "response.incomplete" => {
            let code =
                [&event["code"], &event["error"]["code"], &event["response"]["error"]["code"]];
            let code = code.into_iter().find_map(Value::as_str).unwrap_or("unknown");
            Event::Error(format!("error event {code}"))
        }
        _ => Event::Other,
    }
}

/// The text of an item's parts.
fn text_of(content: &Value) -> String {
    content.as_array().into_iter().flatten().filter_map(|part| part["text"].as_str()).collect()
}

/// Finds `@NANOSECONDS@` in a text that comes in pieces, whole or cut anywhere.
#[derive(Debug, Default)]
pub(crate) struct StampReader {
    /// The digits behind an `@`, and how many.
    open: Option<(u64, u32)>,
}

impl StampReader {
    pub(crate) fn feed(&mut self, mut text: &[u8], mut on_stamp: impl FnMut(u64)) {
        loop {
            let Some((value, digits)) = self.open else {
                let Some(at) = memchr(b'@', text) else { return };
                self.open = Some((0, 0));
                text = &text[at + 1..];
                continue;
            };
            let Some((&byte, rest)) = text.split_first() else { return };
            self.open = match byte {
                b'0'..=b'9' if digits < 19 => {
                    Some((value * 10 + u64::from(byte - b'0'), digits + 1))
                }
                b'@' if digits > 0 => {
                    on_stamp(value);
                    None
                }
                b'@' => Some((0, 0)),
                _ => None,
            };
            text = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATEWAY: &[u8] = b"id: r:11\ndata: {\"type\":\"thread.item.updated\",\"item_id\":\"i\",\
        \"update\":{\"type\":\"assistant_message.content_part.text_delta\",\"content_index\":0,\
        \"delta\":\"@12@ a\\\"b@13@\"}}\n\n: keep-alive\n\n";
    const MODEL: &[u8] = b"event: response.output_text.delta\r\ndata: \
        {\"type\":\"response.output_text.delta\",\"logprobs\":[],\"delta\":\"@14@\"}\r\n\r\n";

    fn stamps(texts: &[&[u8]]) -> Vec<u64> {
        let (mut reader, mut found) = (StampReader::default(), Vec::new());
        for text in texts {
            reader.feed(text, |stamp| found.push(stamp));
        }
        found
    }

    #[test]
    fn deltas_read_the_same_however_they_are_cut() {
        let body = [GATEWAY, MODEL].concat();
        for piece in 1..=body.len() {
            let (mut reader, mut deltas) = (EventReader::default(), Vec::new());
            for bytes in body.chunks(piece) {
                reader.feed(bytes, |event| {
                    if let Event::Delta(text) = event {
                        deltas.push(String::from_utf8(text.to_vec()).unwrap());
                    }
                });
            }

            assert_eq!(deltas, ["@12@ a\\\"b@13@", "@14@"], "in pieces of {piece}");
            assert_eq!(reader.last_id(), Some("r:11"));
        }
    }

    #[test]
    fn an_event_that_is_not_whole_leaves_no_id() {
        let mut reader = EventReader::default();
        reader.feed(&GATEWAY[..GATEWAY.len() - 20], |_| panic!("nothing is whole"));

        reader.disconnect();

        assert_eq!(reader.last_id(), None);
    }

    #[test]
    fn the_end_brings_the_whole_text() {
        let gateway = r#"{"type":"thread.item.done","item":{"type":"assistant_message",
            "content":[{"type":"output_text","text":"a\"b"}]}}"#;
        let model = r#"{"type":"response.completed","response":{"output":[
            {"type":"message","content":[{"text":"a\"b"}]}]}}"#;
        let user = r#"{"type":"thread.item.done","item":{"type":"user_message","content":[]}}"#;

        assert_eq!(read_data(gateway.as_bytes()), Event::Done("a\"b".to_owned()));
        assert_eq!(read_data(model.as_bytes()), Event::Done("a\"b".to_owned()));
        assert_eq!(read_data(user.as_bytes()), Event::Other);
    }

    #[test]
    fn an_error_is_told_by_its_code() {
        let gateway = br#"{"type":"error","code":"stream.error","allow_retry":true}"#;

        assert_eq!(read_data(gateway), Event::Error("error event stream.error".to_owned()));
    }

    #[test]
    fn stamps_are_found_merged_and_cut() {
        assert_eq!(stamps(&[b"@12@lorem @13@@14@"]), [12, 13, 14]);
        assert_eq!(stamps(&[b"x@1", b"", b"2", b"@", b"@13@"]), [12, 13]);
        assert_eq!(stamps(&[b"a@b.c @ @@7@ @12"]), [7]);
    }
}
