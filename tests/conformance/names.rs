//! The recordings' identifiers as UUIDs, and back.
//!
//! Identifiers in a recording are short names such as `thr_a`; the gateway's are UUIDs. Those that
//! a recording starts with or scripts get a UUID each. Those that a server makes up are compared
//! by the order in which they appear.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use uuid::Uuid;

/// What the SDK puts before its identifiers.
const PREFIXES: [&str; 7] = ["thr", "msg", "tc", "wf", "tsk", "atc", "shcx"];

/// The thread that the SDK makes when it makes one: scripts name it in advance.
pub(crate) const NEW_THREAD: &str = "thr_00000001";

/// The names of one play of a flow, and their UUIDs.
pub(crate) struct Names {
    ids: BTreeMap<String, Uuid>,
    /// Identifiers of the model, which the SDK takes for items; ours are made up.
    of_model: BTreeSet<String>,
}

impl Names {
    /// Those in the texts of a recording.
    pub(crate) fn of(texts: &[&str]) -> Self {
        let mut of_model = BTreeSet::new();
        for text in texts {
            collect_model_ids(&serde_json::from_str(text).unwrap_or_default(), &mut of_model);
        }
        let mut ids = BTreeMap::new();
        for word in texts.iter().flat_map(|text| text.split('"')) {
            if is_name(word) && !is_made_up(word) && !of_model.contains(word) {
                ids.entry(word.to_owned()).or_insert_with(Uuid::now_v7);
            }
        }
        Self { ids, of_model }
    }

    /// A text of the recording, with our identifiers.
    pub(crate) fn to_ours(&self, text: &str) -> String {
        map_words(text, |word| self.ids.get(word).map(Uuid::to_string))
    }

    /// A text of the gateway, with the recording's identifiers.
    pub(crate) fn to_theirs(&self, text: &str) -> String {
        let ids = self.ids.iter();
        ids.fold(text.to_owned(), |text, (name, id)| text.replace(&id.to_string(), name))
    }

    /// Whether it stands for an identifier that the gateway makes up.
    pub(crate) fn is_made_up(&self, word: &str) -> bool {
        is_made_up(word) || self.of_model.contains(word)
    }

    /// The recording's name of an identifier.
    pub(crate) fn of_id(&self, id: Uuid) -> Option<&str> {
        self.ids.iter().find(|(_, known)| **known == id).map(|(name, _)| name.as_str())
    }
}

/// Those of messages and calls that the model's events carry.
fn collect_model_ids(value: &Value, ids: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let is_item = matches!(name.as_str(), "item" | "raw_item")
                    && matches!(member["type"].as_str(), Some("message" | "function_call"));
                if let Some(id) = member["id"].as_str().filter(|_| is_item) {
                    ids.insert(id.to_owned());
                }
                collect_model_ids(member, ids);
            }
        }
        Value::Array(entries) => entries.iter().for_each(|entry| collect_model_ids(entry, ids)),
        _ => {}
    }
}

/// Whether the SDK made the name up while it was recorded.
fn is_made_up(word: &str) -> bool {
    let number = word.split_once('_').map_or("", |(_, number)| number);
    is_name(word) && number.len() == 8 && number.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_name(word: &str) -> bool {
    word.split_once('_')
        .is_some_and(|(prefix, rest)| PREFIXES.contains(&prefix) && !rest.is_empty())
}

/// Replaces what stands between quotation marks.
pub(crate) fn map_words(text: &str, mut map: impl FnMut(&str) -> Option<String>) -> String {
    let words: Vec<String> =
        text.split('"').map(|word| map(word).unwrap_or_else(|| word.to_owned())).collect();
    words.join("\"")
}

#[test]
fn names_become_uuids_and_what_the_sdk_made_up_does_not() {
    let names = Names::of(&[r#"{"id":"thr_a","x":"call_1","thread_id":"thr_00000001"}"#]);

    let ours = names.to_ours(r#"["thr_a","call_1","thr_00000001","thr_a"]"#);

    let id = names.ids["thr_a"];
    assert_eq!(ours, format!(r#"["{id}","call_1","thr_00000001","{id}"]"#));
    assert_eq!(names.of_id(id), Some("thr_a"));
}
