//! Reads a recording.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// One recorded flow.
pub(crate) struct Recording {
    /// The body as it was posted; not always JSON.
    pub(crate) request: String,
    /// The starting state and the handler's script, as text.
    pub(crate) case: String,
    /// What was answered.
    pub(crate) answer: Recorded,
    /// The store afterwards.
    pub(crate) after: Option<Value>,
}

/// What the SDK answered.
pub(crate) enum Recorded {
    Stream(String),
    Json(String),
    /// An exception before the first byte.
    Raised,
}

impl Recording {
    pub(crate) fn read(name: &str) -> Self {
        let file = |suffix: &str| fs::read_to_string(folder().join(format!("{name}.{suffix}")));
        let answer = match (file("response.sse"), file("response.json")) {
            (Ok(stream), _) => Recorded::Stream(stream),
            (_, Ok(json)) => Recorded::Json(json),
            _ => Recorded::Raised,
        };
        Self {
            request: file("request.json").unwrap(),
            case: file("case.json").unwrap(),
            answer,
            after: file("after.json").ok().map(|text| serde_json::from_str(&text).unwrap()),
        }
    }
}

/// The names of all recordings in the folder.
pub(crate) fn all_names() -> BTreeSet<String> {
    let entries = fs::read_dir(folder()).unwrap();
    let files = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files = files.filter(|file| file != "README.md");
    files.map(|file| file.split_once('.').unwrap().0.to_owned()).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/golden")
}
