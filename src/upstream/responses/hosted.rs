//! Calls of tools that the provider runs itself, as they come.

use serde_json::Value;

use super::wire::{id, text};
use crate::upstream::{HostedCall, ModelEvent, WebSource};

/// How many queries, sources or files of one call are told: more than anybody reads.
const MAX_ENTRIES: usize = 50;
/// How many images of one program are told.
const MAX_IMAGES: usize = 4;
/// Why a call was not made that somebody would have to allow.
const NOT_APPROVED: &str = "It was not made: it needs an approval, which cannot be given here.";

/// A call of which at least the beginning is known.
pub(super) struct Hosted {
    call: HostedCall,
}

impl Hosted {
    /// Whether items of this type are such calls.
    pub(super) fn is_kind(kind: &str) -> bool {
        matches!(
            kind,
            "web_search_call"
                | "file_search_call"
                | "code_interpreter_call"
                | "mcp_call"
                | "mcp_approval_request"
        )
    }

    pub(super) fn start(index: usize, item: &Value, out: &mut Vec<ModelEvent>) -> Self {
        let call = read(item);
        out.push(ModelEvent::HostedCallStarted { index, call: call.clone() });
        Self { call }
    }

    /// Ends it by its whole item. Without one, what its beginning said stands.
    pub(super) fn end(&mut self, index: usize, item: Option<&Value>, out: &mut Vec<ModelEvent>) {
        if let Some(item) = item {
            self.call = read(item);
        }
        let call = self.call.clone();
        // Without the answer to it, the provider would not take a request back.
        let item = item.filter(|item| text(&item["type"]) != "mcp_approval_request").cloned();
        out.push(ModelEvent::HostedCallDone { index, call, item });
    }
}

/// What an item says of the call: its beginning often says nothing but its type.
fn read(item: &Value) -> HostedCall {
    match text(&item["type"]) {
        "file_search_call" => HostedCall::FileSearch {
            queries: texts(&item["queries"]),
            filenames: filenames(&item["results"]),
        },
        "code_interpreter_call" => HostedCall::CodeInterpreter {
            code: text(&item["code"]).into(),
            logs: outputs(item, "logs").collect::<Vec<_>>().join("\n"),
            images: outputs(item, "url")
                .filter(|url| is_image(url))
                .take(MAX_IMAGES)
                .map(str::to_owned)
                .collect(),
        },
        kind @ ("mcp_call" | "mcp_approval_request") => HostedCall::Mcp {
            server: text(&item["server_label"]).into(),
            name: text(&item["name"]).into(),
            arguments: text(&item["arguments"]).into(),
            error: match kind {
                "mcp_call" => error(&item["error"]),
                _ => Some(NOT_APPROVED.to_owned()),
            },
        },
        _ => web_search(&item["action"]),
    }
}

/// What a program gave of one kind: `logs`, or the `url` of an image.
fn outputs<'a>(item: &'a Value, member: &'a str) -> impl Iterator<Item = &'a str> {
    let outputs = item["outputs"].as_array().into_iter().flatten();
    outputs.filter_map(move |output| id(&output[member]))
}

/// Whether a page may load it.
fn is_image(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("data:image/")
}

/// A search names its query twice, alone and in a list; a look at a page names the page.
fn web_search(action: &Value) -> HostedCall {
    let mut queries = texts(&action["queries"]);
    if let Some(query) = id(&action["query"])
        && !queries.iter().any(|known| known == query)
    {
        queries.insert(0, query.to_owned());
    }
    let found = action["sources"].as_array().into_iter().flatten();
    let sources = std::iter::once(action).chain(found).filter_map(web_source);
    HostedCall::WebSearch { queries, sources: sources.take(MAX_ENTRIES).collect() }
}

fn web_source(value: &Value) -> Option<WebSource> {
    let url = id(&value["url"])?;
    let title = id(&value["title"]).unwrap_or(url);
    Some(WebSource { url: url.to_owned(), title: title.to_owned() })
}

fn texts(value: &Value) -> Vec<String> {
    let texts = value.as_array().into_iter().flatten().filter_map(id);
    texts.take(MAX_ENTRIES).map(str::to_owned).collect()
}

/// Each file once: a result is a passage, and a file may have several.
fn filenames(results: &Value) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in results.as_array().into_iter().flatten().filter_map(|hit| id(&hit["filename"])) {
        if names.len() < MAX_ENTRIES && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// A string, or an object with a message.
fn error(value: &Value) -> Option<String> {
    let message = id(value).or_else(|| id(&value["message"])).map(str::to_owned);
    message.or_else(|| value.is_object().then(|| value.to_string()))
}
