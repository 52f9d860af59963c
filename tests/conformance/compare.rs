//! What both sides are brought to before they are compared. Nothing else may differ.
//!
//! - Identifiers that a server makes up become `new-1`, `new-2`, … in order of appearance.
//! - Times that a server makes up become `now`; times that a recording gives are kept, and written
//!   with the `Z` that the gateway writes.
//! - Consecutive text deltas of one part become one: a reader that is behind gets them merged.
//! - Comments and `id:` lines of a stream are left out; every SSE reader does so.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;
use uuid::Uuid;

use crate::names::{Names, map_words};

/// Which side a text comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Recorded,
    Ours,
}

/// Brings the texts of one side into the common form; one for an answer and what is stored after
/// it, so that an identifier keeps its number.
pub(crate) struct Normal<'a> {
    side: Side,
    names: &'a Names,
    given_times: &'a BTreeSet<String>,
    made_up: HashMap<String, usize>,
    /// Their numbers once changes were made.
    renumbered: HashMap<String, usize>,
}

impl<'a> Normal<'a> {
    pub(crate) fn new(side: Side, names: &'a Names, given_times: &'a BTreeSet<String>) -> Self {
        Self { side, names, given_times, made_up: HashMap::new(), renumbered: HashMap::new() }
    }

    /// A text, which may be that of a stream.
    pub(crate) fn text(&mut self, text: &str) -> String {
        map_words(text, |word| self.word(word))
    }

    /// A text in the common form after changes, which may have brought further made up
    /// identifiers, `new-` and any word, or have taken some away.
    pub(crate) fn renumber(&mut self, text: &str) -> String {
        map_words(text, |word| {
            word.strip_prefix("new-")?;
            let next = self.renumbered.len() + 1;
            Some(format!("new-{}", self.renumbered.entry(word.to_owned()).or_insert(next)))
        })
    }

    fn word(&mut self, word: &str) -> Option<String> {
        if is_time(word) {
            return Some(self.time(word));
        }
        if word.contains("://") {
            return Some(self.address(word));
        }
        match self.side {
            Side::Recorded => self.names.is_made_up(word).then(|| self.new_name(word)),
            Side::Ours => {
                let id = Uuid::try_parse(word).ok()?;
                let known = self.names.of_id(id).map(str::to_owned);
                Some(known.unwrap_or_else(|| self.new_name(word)))
            }
        }
    }

    /// An address can have an identifier in its path.
    fn address(&mut self, word: &str) -> String {
        let pieces = word.split_inclusive(['/', '?']).map(|piece| {
            let name = piece.trim_end_matches(['/', '?']);
            let known = self.word(name).unwrap_or_else(|| name.to_owned());
            known + &piece[name.len()..]
        });
        pieces.collect()
    }

    fn time(&self, word: &str) -> String {
        let unzoned = match self.side {
            Side::Recorded => Some(word),
            Side::Ours => word.strip_suffix('Z'),
        };
        match unzoned {
            Some(unzoned) if self.given_times.contains(unzoned) => format!("{unzoned}Z"),
            Some(_) => "now".to_owned(),
            None => format!("{word} (without a zone)"),
        }
    }

    fn new_name(&mut self, word: &str) -> String {
        let next = self.made_up.len() + 1;
        format!("new-{}", self.made_up.entry(word.to_owned()).or_insert(next))
    }
}

/// The times in a recording's request and case.
pub(crate) fn times_in(texts: &[&str]) -> BTreeSet<String> {
    let words = texts.iter().flat_map(|text| text.split('"'));
    words.filter(|word| is_time(word)).map(str::to_owned).collect()
}

/// `2025-03-04T05:06:01`, with whatever fraction and zone.
fn is_time(word: &str) -> bool {
    let bytes = word.as_bytes();
    let has = |index: usize, byte: u8| bytes.get(index) == Some(&byte);
    has(4, b'-') && has(7, b'-') && has(10, b'T') && has(13, b':') && has(16, b':')
}

/// A stream's events, one a line, without what is no event.
pub(crate) fn events(stream: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut open: Option<(Value, Value)> = None;
    for line in stream.lines() {
        let is_event = !line.is_empty() && !line.starts_with(':') && !line.starts_with("id: ");
        if !is_event {
            continue;
        }
        let delta = delta(line);
        match (&delta, &mut open) {
            (Some((place, text)), Some((open_place, open_text))) if place == open_place => {
                let text = format!("{}{}", open_text.as_str().unwrap(), text.as_str().unwrap());
                *open_text = text.clone().into();
                *out.last_mut().unwrap() = with_delta(line, &text);
            }
            _ => {
                out.push(line.to_owned());
                open = delta;
            }
        }
    }
    out.join("\n")
}

/// Where a text delta belongs, and its text.
fn delta(line: &str) -> Option<(Value, Value)> {
    let mut event: Value = serde_json::from_str(line.strip_prefix("data: ")?).ok()?;
    let update = event.get_mut("update")?;
    if update["type"] != "assistant_message.content_part.text_delta" {
        return None;
    }
    let text = update["delta"].take();
    Some((event, text))
}

fn with_delta(line: &str, text: &str) -> String {
    let mut event: Value = serde_json::from_str(&line["data: ".len()..]).unwrap();
    event["update"]["delta"] = text.into();
    format!("data: {event}")
}

/// Where two texts of lines part, for a reader of the test's output.
pub(crate) fn first_difference(expected: &str, found: &str) -> Option<String> {
    if expected == found {
        return None;
    }
    let (mut expected, mut found) = (expected.lines(), found.lines());
    for number in 1.. {
        let (expected, found) = (expected.next(), found.next());
        if expected != found {
            let expected = expected.unwrap_or("(the end)");
            let found = found.unwrap_or("(the end)");
            return Some(format!("line {number}\n  expected {expected}\n  found    {found}"));
        }
        if expected.is_none() {
            break;
        }
    }
    Some("the ends of lines differ".to_owned())
}

#[test]
fn what_a_server_makes_up_is_compared_by_its_order() {
    let names = Names::of(&[r#""thr_a""#]);
    let given = times_in(&[r#""2025-03-04T05:07:00.000001""#]);
    let recorded = r#"{"a":"msg_00000002","b":"thr_a","c":"msg_00000002","d":"2025-03-04T05:07:00.000001","e":"2025-03-04T05:06:01"}"#;
    let new = Uuid::now_v7();
    let ours = names
        .to_ours(recorded)
        .replace("msg_00000002", &new.to_string())
        .replace("00.000001", "00.000001Z")
        .replace("05:06:01", "05:09:09.123456Z");

    let recorded = Normal::new(Side::Recorded, &names, &given).text(recorded);
    let ours = Normal::new(Side::Ours, &names, &given).text(&ours);

    assert_eq!(
        recorded,
        r#"{"a":"new-1","b":"thr_a","c":"new-1","d":"2025-03-04T05:07:00.000001Z","e":"now"}"#
    );
    assert_eq!(ours, recorded);
}

#[test]
fn deltas_of_one_part_are_one_and_comments_are_none() {
    let stream = |id: &str, index: u32, delta: &str| {
        format!(
            "data: {{\"type\":\"thread.item.updated\",\"item_id\":\"{id}\",\"update\":{{\"type\":\
             \"assistant_message.content_part.text_delta\",\"content_index\":{index},\
             \"delta\":\"{delta}\"}}}}\n\n"
        )
    };
    let apart = [
        ": keep-alive\n\n",
        &stream("a", 0, "x"),
        "id: r:2\n",
        &stream("a", 0, "y\\n"),
        &stream("a", 1, "z"),
    ]
    .concat();

    let merged = [stream("a", 0, "xy\\n"), stream("a", 1, "z")].concat();

    assert_eq!(events(&apart), merged.trim_end().replace("\n\n", "\n"));
}
