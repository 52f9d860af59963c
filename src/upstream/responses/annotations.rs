//! Citations of a model as ChatKit's annotations.

use serde_json::Value;

use crate::protocol::{
    Annotation, Source,
    annotation::{SourceInfo, SourceKind},
};

/// The annotation for a citation; `None` for what cannot be shown: a file without a name, a path,
/// a kind that is not known.
pub(super) fn annotation(citation: &Value) -> Option<Annotation> {
    let text = |name: &str| citation[name].as_str().filter(|text| !text.is_empty());
    let number = |name: &str| citation[name].as_u64();
    let (title, kind, index) = match citation["type"].as_str()? {
        "url_citation" => {
            let url = text("url")?.to_owned();
            let title = text("title").unwrap_or(&url).to_owned();
            (title, SourceKind::Url { url, attribution: None }, number("end_index"))
        }
        "file_citation" => (text("filename")?.to_owned(), file(citation)?, number("index")),
        "container_file_citation" => {
            (text("filename")?.to_owned(), file(citation)?, number("end_index"))
        }
        _ => return None,
    };
    let info = SourceInfo { title, ..SourceInfo::default() };
    Some(Annotation { source: Source { info, kind }, index })
}

fn file(citation: &Value) -> Option<SourceKind> {
    let filename = citation["filename"].as_str()?.to_owned();
    Some(SourceKind::File { filename })
}
