//! Events as a client receives them.

use chatkit_gateway::protocol::{ItemKind, ItemUpdate, ThreadEvent};
use futures_util::StreamExt as _;
use reqwest::{StatusCode, header::HeaderMap};

/// One event with its position.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Received {
    pub(crate) id: Option<String>,
    pub(crate) event: ThreadEvent,
}

impl Received {
    /// The number in `id: RUN_ID:SEQ`.
    pub(crate) fn seq(&self) -> u64 {
        self.id.as_ref().unwrap().rsplit_once(':').unwrap().1.parse().unwrap()
    }
}

type Chunks = futures_util::stream::BoxStream<'static, reqwest::Result<bytes::Bytes>>;

/// A response of events. Dropping it is leaving.
pub(crate) struct EventStream {
    pub(crate) headers: HeaderMap,
    pub(crate) run_id: String,
    pub(crate) thread_id: String,
    chunks: Chunks,
    buffer: Vec<u8>,
    /// All bytes so far.
    pub(crate) raw: Vec<u8>,
}

impl EventStream {
    pub(crate) async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        if status != StatusCode::OK {
            let body = response.text().await;
            panic!("{status}: {body:?}");
        }
        let header = |name: &str| {
            headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        let (run_id, thread_id) = (header("x-run-id"), header("x-thread-id"));
        let chunks = response.bytes_stream().boxed();
        Self { headers, run_id, thread_id, chunks, buffer: Vec::new(), raw: Vec::new() }
    }

    /// The next event; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Received> {
        loop {
            if let Some(end) = find(&self.buffer, b"\n\n") {
                let frame: Vec<u8> = self.buffer.drain(..end + 2).collect();
                if let Some(received) = parse(std::str::from_utf8(&frame).unwrap()) {
                    return Some(received);
                }
                continue;
            }
            let chunk = self.chunks.next().await?.expect("the stream does not break off");
            self.raw.extend_from_slice(&chunk);
            self.buffer.extend_from_slice(&chunk);
        }
    }

    /// All that is still to come.
    pub(crate) async fn rest(&mut self) -> Vec<Received> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        assert!(self.buffer.is_empty(), "an event was cut in half");
        all
    }

    /// Reads until an event is so, which is the last of what is answered.
    pub(crate) async fn until(&mut self, is_it: impl Fn(&ThreadEvent) -> bool) -> Vec<Received> {
        let mut seen = Vec::new();
        while let Some(received) = self.next().await {
            let found = is_it(&received.event);
            seen.push(received);
            if found {
                return seen;
            }
        }
        panic!("the stream ended before: {seen:#?}");
    }

    /// Reads until there is text of the answer.
    pub(crate) async fn until_text(&mut self) -> Vec<Received> {
        self.until(|event| delta(event).is_some()).await
    }

    /// Reads until the deltas that are read here make up this text.
    pub(crate) async fn until_said(&mut self, text: &str) -> Vec<Received> {
        let mut seen = Vec::new();
        while answer_text(&seen) != text {
            seen.extend(self.until_text().await);
            assert!(text.starts_with(&answer_text(&seen)), "{:?}", answer_text(&seen));
        }
        seen
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn parse(frame: &str) -> Option<Received> {
    let mut id = None;
    let mut data = None;
    for line in frame.lines() {
        match line.split_once(": ") {
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("data", value)) => data = Some(serde_json::from_str(value).unwrap()),
            _ => assert!(line.is_empty() || line.starts_with(':'), "a strange line: {line}"),
        }
    }
    data.map(|event| Received { id, event })
}

/// Asserts that positions rise: nothing came twice.
pub(crate) fn assert_rising(events: &[Received]) {
    let numbers: Vec<u64> = events.iter().map(Received::seq).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
}

/// The text of a delta.
pub(crate) fn delta(event: &ThreadEvent) -> Option<&str> {
    match event {
        ThreadEvent::ItemUpdated { update: ItemUpdate::TextDelta { delta, .. }, .. } => Some(delta),
        _ => None,
    }
}

/// All deltas, joined.
pub(crate) fn answer_text(events: &[Received]) -> String {
    events.iter().filter_map(|received| delta(&received.event)).collect()
}

/// The text of the assistant's message that is done.
pub(crate) fn done_text(events: &[Received]) -> Option<String> {
    events.iter().rev().find_map(|received| match &received.event {
        ThreadEvent::ItemDone { item } => match &item.kind {
            ItemKind::AssistantMessage(message) => Some(message.plain_text()),
            _ => None,
        },
        _ => None,
    })
}

/// The kinds of events, deltas merged as they may be.
pub(crate) fn kinds(events: &[Received]) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    for received in events {
        let json = serde_json::to_value(&received.event).unwrap();
        let mut kind = json["type"].as_str().unwrap().to_owned();
        for member in ["item", "update"] {
            if let Some(inner) = json[member]["type"].as_str() {
                kind = format!("{kind} {inner}");
            }
        }
        if kinds.last() != Some(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}
