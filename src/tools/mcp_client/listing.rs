//! A server's tools, within bounds.

use std::{collections::HashSet, sync::Arc};

use rmcp::{
    Peer, RoleClient, ServiceError,
    model::{PaginatedRequestParams, Tool as Listed, ToolAnnotations},
};
use serde_json::{Map, Value, json};

use crate::tools::{Tool, ToolSpec};

use super::{catalog::ToolList, naming::offered_name, supervision::Server, tool::McpTool};

/// How many pages of a list are read.
const MAX_PAGES: usize = 100;
/// How many of its tools a server may offer: more than that no model is offered in all.
const MAX_TOOLS: usize = 128;
/// How much of a description the model gets, in bytes.
const MAX_DESCRIPTION: usize = 4 * 1024;
/// The longest title that users see, in characters.
const MAX_TITLE: usize = 80;
/// The longest schema of a tool's arguments, in bytes of JSON.
const MAX_SCHEMA: usize = 32 * 1024;

/// Asks a server for its tools, page by page, and keeps those that are allowed and can be offered.
pub(super) async fn list(
    server: &Arc<Server>,
    peer: &Peer<RoleClient>,
) -> Result<ToolList, ServiceError> {
    let mut kept = Kept::new(server);
    let mut cursors = HashSet::new();
    let mut cursor: Option<String> = None;
    let mut pages = 0;
    let is_whole = loop {
        let params = PaginatedRequestParams::default().with_cursor(cursor.take());
        let page = peer.list_tools(Some(params)).await?;
        pages += 1;
        kept.take(page.tools);
        cursor = page.next_cursor.filter(|cursor| !cursor.is_empty());
        match &cursor {
            None => break true,
            // A cursor that comes back would come back for ever.
            Some(next) if !cursors.insert(next.clone()) => break false,
            Some(_) if pages == MAX_PAGES || kept.is_full() => break false,
            Some(_) => {}
        }
    };
    Ok(kept.finish(is_whole))
}

/// The tools of a list that are kept.
struct Kept<'a> {
    server: &'a Arc<Server>,
    names: HashSet<String>,
    tools: Vec<Arc<dyn Tool>>,
    not_allowed: usize,
    left_out: usize,
}

impl<'a> Kept<'a> {
    fn new(server: &'a Arc<Server>) -> Self {
        Self { server, names: HashSet::new(), tools: Vec::new(), not_allowed: 0, left_out: 0 }
    }

    fn is_full(&self) -> bool {
        self.tools.len() >= MAX_TOOLS
    }

    fn take(&mut self, page: Vec<Listed>) {
        for listed in page {
            if !self.server.settings.allowed_tools.contains(&listed.name) || !is_for_models(&listed)
            {
                self.not_allowed += 1;
            } else if self.is_full() {
                self.left_out += 1;
            } else {
                match spec(&self.server.settings.name, &listed) {
                    Ok(spec) if self.names.insert(spec.name.clone()) => {
                        let name = listed.name.into_owned();
                        self.tools.push(Arc::new(McpTool::new(self.server.clone(), name, spec)));
                    }
                    Ok(spec) => self.leave_out(&spec.name, "another one has its name"),
                    Err(reason) => {
                        self.leave_out(
                            &offered_name(&self.server.settings.name, &listed.name),
                            reason,
                        );
                    }
                }
            }
        }
    }

    fn leave_out(&mut self, name: &str, reason: &'static str) {
        self.left_out += 1;
        tracing::warn!(
            mcp.server = self.server.settings.name,
            tool.name = name,
            reason,
            "left out a tool"
        );
    }

    fn finish(self, is_whole: bool) -> ToolList {
        let server = self.server.settings.name.as_str();
        let Self { tools, not_allowed, left_out, .. } = self;
        tracing::info!(
            mcp.server = server,
            tools = tools.len(),
            not_allowed,
            "has listed its tools"
        );
        if left_out > 0 || !is_whole {
            tracing::warn!(
                mcp.server = server,
                tools = tools.len(),
                left_out,
                is_whole,
                "a tool server has more tools than are taken: name those that are needed in \
                 allowed_tools of mcp.servers"
            );
        }
        tools.into()
    }
}

/// Whether models may see it. MCP Apps have tools for their own pages alone, which do not name the
/// model in `_meta.ui.visibility`.
fn is_for_models(listed: &Listed) -> bool {
    let meta = listed.meta.as_ref().and_then(|meta| serde_json::to_value(meta).ok());
    let visibility = meta.as_ref().and_then(|meta| meta["ui"]["visibility"].as_array());
    visibility.is_none_or(|visible_to| visible_to.iter().any(|who| who == "model"))
}

pub(super) fn spec(server: &str, listed: &Listed) -> Result<ToolSpec, &'static str> {
    let hints = listed.annotations.as_ref();
    let title = listed.title.as_deref().or_else(|| hints.and_then(|hints| hints.title.as_deref()));
    let read_only = hints.and_then(|hints| hints.read_only_hint).unwrap_or(false);
    Ok(ToolSpec {
        name: offered_name(server, &listed.name),
        title: shown(title.unwrap_or(&listed.name)),
        description: cut(listed.description.as_deref().unwrap_or_default()),
        parameters: parameters(&listed.input_schema)?,
        read_only,
        // By the protocol's own defaults; of a tool that only reads they say nothing.
        destructive: !read_only && hints.is_none_or(ToolAnnotations::is_destructive),
        idempotent: read_only || hints.is_some_and(ToolAnnotations::is_idempotent),
    })
}

/// A line that people read.
fn shown(title: &str) -> String {
    let title = title.trim().chars().take(MAX_TITLE);
    title.map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_DESCRIPTION)].to_owned()
}

/// A schema as the models' APIs take it: of an object, with its properties named, be it none.
fn parameters(schema: &Map<String, Value>) -> Result<Value, &'static str> {
    let size = serde_json::to_string(schema).map_or(usize::MAX, |json| json.len());
    if size > MAX_SCHEMA {
        return Err("the schema of its arguments is too long");
    }
    let mut schema = schema.clone();
    if schema.get("type").is_some_and(|kind| kind != "object") {
        return Err("its arguments are no object");
    }
    schema.remove("$schema");
    schema.entry("type").or_insert_with(|| json!("object"));
    schema.entry("properties").or_insert_with(|| json!({}));
    Ok(Value::Object(schema))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(value: Value) -> Listed {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn hints_are_kept_and_without_them_a_tool_may_do_anything() {
        let schema = json!({ "type": "object" });
        let silent = listed(json!({ "name": "a", "inputSchema": schema }));
        let hints = json!({ "title": "Read\nit", "readOnlyHint": true });
        let reader = listed(json!({ "name": "b", "inputSchema": schema, "annotations": hints }));
        let hints = json!({ "idempotentHint": true, "destructiveHint": false });
        let setter = listed(json!({ "name": "c", "inputSchema": schema, "annotations": hints }));

        let of = |listed| {
            let spec = spec("s", &listed).unwrap();
            (spec.title, spec.read_only, spec.destructive, spec.idempotent)
        };
        assert_eq!(of(silent), ("a".to_owned(), false, true, false));
        assert_eq!(of(reader), ("Read it".to_owned(), true, false, true));
        assert_eq!(of(setter), ("c".to_owned(), false, false, true));
    }

    #[test]
    fn a_schema_is_made_one_that_models_take_or_refused() {
        let schema = |value: Value| parameters(value.as_object().unwrap());

        let bare = schema(json!({ "$schema": "https://json-schema.org/draft/2020-12/schema" }));
        assert_eq!(bare, Ok(json!({ "type": "object", "properties": {} })));
        assert!(schema(json!({ "type": "array" })).is_err());
        assert!(schema(json!({ "type": "object", "title": "x".repeat(MAX_SCHEMA) })).is_err());
    }

    #[test]
    fn tools_of_an_apps_page_alone_are_not_for_models() {
        let of = |visibility: Value| {
            let meta = json!({ "ui": { "visibility": visibility } });
            is_for_models(&listed(json!({ "name": "a", "inputSchema": {}, "_meta": meta })))
        };

        assert!(of(json!(["model", "app"])));
        assert!(!of(json!(["app"])));
        assert!(is_for_models(&listed(json!({ "name": "a", "inputSchema": {} }))));
    }
}
