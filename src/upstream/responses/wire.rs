//! Reading the JSON of events. Nothing is required but what a rule needs: servers leave out what
//! the description promises and add what it does not know.

use std::ops::ControlFlow;

use memchr::memmem;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, value::RawValue};

use crate::{
    protocol::annotation::{Annotation, Source, SourceInfo, SourceKind},
    store::record::Usage,
    upstream::json,
};

/// The event that makes up nearly all of an answer. The text is its one allocation.
pub(super) struct TextDelta<'a> {
    pub(super) place: Place<'a>,
    pub(super) content_index: Option<u64>,
    pub(super) delta: String,
}

impl<'a> TextDelta<'a> {
    /// `None` for any other event, and for one of unusual form (an escape in its id), which is
    /// then read the slow way. Large events are not parsed twice: their beginning, or else the
    /// search for the quoted name, rules them out at little cost.
    pub(super) fn parse(data: &'a str) -> Option<Self> {
        // The usual order of members.
        if !data.starts_with("{\"type\":\"response.output_text.delta\"") {
            memmem::find(data.as_bytes(), b"\"response.output_text.delta\"")?;
        }
        let (mut kind, mut item_id, mut delta) = (None, None, None);
        let (mut output_index, mut content_index) = (None, None);
        let found = json::members(data, |name, value| {
            match name {
                "type" => kind = Some(value),
                "item_id" => item_id = Some(value),
                "output_index" => output_index = Some(value),
                "content_index" => content_index = Some(value),
                "delta" => delta = Some(value),
                _ => return ControlFlow::Continue(()),
            }
            // What else there is need not be looked at.
            match (kind, item_id, output_index, content_index, delta) {
                (Some(_), Some(_), Some(_), Some(_), Some(_)) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        });
        found?;
        if kind? != "\"response.output_text.delta\"" {
            return None;
        }
        let item_id = item_id?
            .strip_prefix('"')?
            .strip_suffix('"')
            .filter(|id| !id.is_empty() && !id.contains('\\'))?;
        let place = Place { output_index: output_index?.parse().ok(), item_id: Some(item_id) };
        let delta = json::string(delta?)?;
        Some(Self { place, content_index: content_index?.parse().ok(), delta })
    }
}

/// An event about the whole response, which most servers let repeat the request, tools and all: no
/// more of it is parsed than is read.
pub(super) enum Whole<'a> {
    /// It has begun, or goes on.
    UnderWay,
    /// It has ended, by an event of this type.
    Ended(&'a str, Box<Response>),
}

/// What is read of a response.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Response {
    pub(super) status: Value,
    pub(super) error: Value,
    pub(super) incomplete_details: Value,
    pub(super) output: Value,
    pub(super) usage: Value,
}

#[derive(Deserialize)]
struct Outline<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    error: Option<IgnoredAny>,
    #[serde(borrow)]
    response: &'a RawValue,
}

impl<'a> Whole<'a> {
    /// `None` for any other event, and for one of unusual form, which is then read the slow way.
    pub(super) fn parse(data: &'a str) -> Option<Self> {
        let outline: Outline<'_> = serde_json::from_str(data).ok()?;
        if outline.error.is_some() {
            return None;
        }
        match outline.kind {
            "response.created" | "response.queued" | "response.in_progress" => Some(Self::UnderWay),
            "response.completed" | "response.incomplete" | "response.failed" => {
                let response = serde_json::from_str(outline.response.get()).ok()?;
                Some(Self::Ended(outline.kind, response))
            }
            _ => None,
        }
    }
}

/// Where an event belongs, as far as the server says.
#[derive(Clone, Copy, Default)]
pub(super) struct Place<'a> {
    pub(super) output_index: Option<u64>,
    pub(super) item_id: Option<&'a str>,
}

impl<'a> Place<'a> {
    pub(super) fn of(event: &'a Value) -> Self {
        Self { output_index: event["output_index"].as_u64(), item_id: id(&event["item_id"]) }
    }
}

/// A non-empty id.
pub(super) fn id(value: &Value) -> Option<&str> {
    value.as_str().filter(|id| !id.is_empty())
}

/// A member's text, or nothing.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What an event does to a part of a message.
pub(super) enum PartChange<'a> {
    Start(&'a str),
    Append(&'a str),
    Annotate(Box<Annotation>),
    /// By its whole text.
    End(&'a str),
}

impl<'a> PartChange<'a> {
    /// `None` for events that are not known and for what cannot be shown.
    pub(super) fn parse(kind: &str, event: &'a Value) -> Option<Self> {
        match kind {
            "response.content_part.added" => part_text(&event["part"]).map(Self::Start),
            "response.output_text.delta" | "response.refusal.delta" => {
                event["delta"].as_str().map(Self::Append)
            }
            "response.output_text.annotation.added" => {
                annotation(&event["annotation"]).map(Box::new).map(Self::Annotate)
            }
            "response.output_text.done" => event["text"].as_str().map(Self::End),
            "response.refusal.done" => event["refusal"].as_str().map(Self::End),
            "response.content_part.done" => part_text(&event["part"]).map(Self::End),
            _ => None,
        }
    }
}

/// The text of a message's part of a known type; `None` for others. A refusal is text like any
/// other.
pub(super) fn part_text(part: &Value) -> Option<&str> {
    match part["type"].as_str()? {
        "output_text" | "text" => Some(text(&part["text"])),
        "refusal" => Some(text(&part["refusal"])),
        _ => None,
    }
}

/// A citation. `None` when it cannot be shown: a file without a name, a `file_path` (a link to a
/// file that only the provider's container has), a kind not known.
///
/// An index counts characters of the part's text, not bytes.
pub(super) fn annotation(value: &Value) -> Option<Annotation> {
    let (kind, title, index) = match value["type"].as_str()? {
        "url_citation" => {
            let url = id(&value["url"])?.to_owned();
            let kind = SourceKind::Url { url, attribution: None };
            (kind, text(&value["title"]), &value["end_index"])
        }
        kind @ ("file_citation" | "container_file_citation") => {
            let filename = id(&value["filename"])?;
            let index = if kind == "file_citation" { "index" } else { "end_index" };
            (SourceKind::File { filename: filename.to_owned() }, filename, &value[index])
        }
        _ => return None,
    };
    let info = SourceInfo { title: title.to_owned(), ..SourceInfo::default() };
    Some(Annotation { source: Source { info, kind }, index: index.as_u64() })
}

/// The tokens used, which only terminal events tell. The details may be missing.
pub(super) fn usage(usage: &Value) -> Option<Usage> {
    usage.is_object().then(|| Usage {
        input_tokens: usage["input_tokens"].as_u64().unwrap_or(0),
        cached_tokens: usage["input_tokens_details"]["cached_tokens"].as_u64().unwrap_or(0),
        output_tokens: usage["output_tokens"].as_u64().unwrap_or(0),
        reasoning_tokens: usage["output_tokens_details"]["reasoning_tokens"].as_u64().unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_common_delta_is_read_without_a_detour() {
        let data = r#"{"type":"response.output_text.delta","item_id":"m","output_index":1,"content_index":0,"delta":"Hi","logprobs":[]}"#;

        let delta = TextDelta::parse(data).unwrap();

        assert_eq!((delta.delta.as_str(), delta.content_index), ("Hi", Some(0)));
        assert_eq!((delta.place.output_index, delta.place.item_id), (Some(1), Some("m")));
    }

    #[test]
    fn other_events_are_left_to_the_slow_way() {
        for data in [
            r#"{"type":"response.refusal.delta","delta":"Hi"}"#,
            r#"{"type":"x","kind":"response.output_text.delta","delta":"Hi"}"#,
            r#"{"type":"response.output_text.delta","delta":{}}"#,
            "response.output_text.delta",
        ] {
            assert!(TextDelta::parse(data).is_none(), "{data}");
        }
    }

    #[test]
    fn citations_point_behind_what_they_prove() {
        let web = annotation(&json!({"type": "url_citation", "url": "https://a.example/",
            "title": "A", "start_index": 3, "end_index": 9}));
        let web = web.unwrap();
        assert_eq!(web.index, Some(9));
        assert_eq!(web.source.info.title, "A");

        let file = annotation(&json!({"type": "file_citation", "filename": "a.pdf", "index": 4}));
        assert_eq!(file.unwrap().index, Some(4));
        let file = annotation(&json!({"type": "container_file_citation", "filename": "a.csv",
            "start_index": 1, "end_index": 5}));
        assert_eq!(file.unwrap().index, Some(5));
    }

    #[test]
    fn citations_that_cannot_be_shown_are_dropped() {
        for value in [
            json!({"type": "file_citation", "file_id": "f", "index": 4}),
            json!({"type": "file_path", "file_id": "f", "index": 4}),
            json!({"type": "url_citation", "title": "A"}),
            json!({"type": "unheard_of"}),
            json!({}),
        ] {
            assert_eq!(annotation(&value), None, "{value}");
        }
    }
}
