//! `hosted_tools` of `[agent]`, checked, with the variables that they name.
//!
//! They go to the provider as they are written, so that what is new there can be used at once; only
//! what could not work is refused.

use serde_json::Value;

use super::{file::HostedTool, vars::Vars};

/// The tools as the provider is to get them.
pub(super) fn hosted_tools(vars: &mut Vars<'_>, file: &[HostedTool]) -> Vec<HostedTool> {
    let mut tools = Vec::new();
    for (number, HostedTool(tool)) in (1..).zip(file) {
        let kind = tool["type"].as_str().unwrap_or_default();
        let name = format!("gateway.toml, agent.hosted_tools {number} {kind:?}");
        for problem in problems(kind, tool) {
            vars.problem(&name, problem);
        }
        match filled(vars, tool) {
            Ok(tool) => tools.push(HostedTool(tool)),
            Err(problem) => vars.problem(&name, &problem),
        }
    }
    tools
}

/// What each kind needs, from OpenAI's reference of `POST /responses`.
fn problems(kind: &str, tool: &Value) -> Vec<&'static str> {
    let has = |member: &str| tool.get(member).is_some_and(|value| !value.is_null());
    let mut problems = Vec::new();
    let mut needs = |is_there: bool, problem| {
        if !is_there {
            problems.push(problem);
        }
    };
    match kind {
        "" => needs(false, "needs a type, such as \"web_search\""),
        "function" => needs(false, "is no tool of the provider's: use client_tools or mcp.servers"),
        "file_search" => needs(has("vector_store_ids"), "needs vector_store_ids"),
        "code_interpreter" => needs(has("container"), "needs container = { type = \"auto\" }"),
        "mcp" => {
            needs(has("server_label"), "needs a server_label");
            let has_place = ["server_url", "connector_id", "tunnel_id"].into_iter().any(has);
            needs(has_place, "needs a server_url, a connector_id or a tunnel_id");
            // Without it the provider asks before each call, and nobody would answer.
            let asks_never = match &tool["require_approval"] {
                Value::String(when) => when == "never",
                Value::Object(when) => when.contains_key("never") && !when.contains_key("always"),
                _ => false,
            };
            needs(
                asks_never,
                "needs require_approval = \"never\": the gateway cannot ask for an approval",
            );
        }
        _ => {}
    }
    problems
}

/// The tool with each `${NAME}` in its texts replaced by the variable's value.
fn filled(vars: &Vars<'_>, value: &Value) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => Value::String(vars.filled(text)?),
        Value::Array(values) => {
            Value::Array(values.iter().map(|value| filled(vars, value)).collect::<Result<_, _>>()?)
        }
        Value::Object(members) => {
            let members = members.iter();
            let members = members.map(|(name, value)| Ok((name.clone(), filled(vars, value)?)));
            Value::Object(members.collect::<Result<_, String>>()?)
        }
        other => other.clone(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(tool: Value) -> Result<Value, String> {
        let lookup = |name: &str| (name == "TOKEN").then(|| "hunter2".to_owned());
        let mut vars = Vars::new(&lookup);
        let tools = hosted_tools(&mut vars, &[HostedTool(tool)]);
        match vars.finish(()) {
            Ok(()) => Ok(tools[0].0.clone()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn each_kind_is_taken_with_what_it_needs() {
        let url = "https://a.example/mcp";
        for tool in [
            json!({ "type": "web_search", "filters": { "allowed_domains": ["a.example"] } }),
            json!({ "type": "file_search", "vector_store_ids": ["vs_1"] }),
            json!({ "type": "image_generation", "partial_images": 2 }),
            json!({ "type": "code_interpreter", "container": { "type": "auto" } }),
            json!({ "type": "mcp", "server_label": "a", "server_url": url,
                "require_approval": "never" }),
            json!({ "type": "mcp", "server_label": "a", "connector_id": "connector_dropbox",
                "require_approval": { "never": { "tool_names": ["search"] } } }),
            json!({ "type": "what_comes_next" }),
        ] {
            assert_eq!(read(tool.clone()), Ok(tool));
        }
    }

    #[test]
    fn what_could_not_work_is_a_problem() {
        for (tool, words) in [
            (json!({}), "needs a type"),
            (json!({ "type": "function", "name": "f" }), "client_tools"),
            (json!({ "type": "file_search" }), "vector_store_ids"),
            (json!({ "type": "code_interpreter" }), "container"),
            (json!({ "type": "mcp", "server_url": "u", "require_approval": "never" }), "label"),
            (json!({ "type": "mcp", "server_label": "a", "server_url": "u" }), "require_approval"),
            (
                json!({ "type": "mcp", "server_label": "a", "server_url": "u",
                    "require_approval": { "always": {}, "never": {} } }),
                "require_approval",
            ),
            (json!({ "type": "web_search", "x": ["${NONE}"] }), "NONE"),
        ] {
            let problem = read(tool).unwrap_err();
            assert!(problem.contains("hosted_tools 1") && problem.contains(words), "{problem}");
        }
    }

    #[test]
    fn secrets_come_from_variables_and_are_not_printed() {
        let tool = json!({ "type": "mcp", "server_label": "a", "server_url": "https://a.example",
            "require_approval": "never", "headers": { "X-Key": "k ${TOKEN}" } });

        let tool = read(tool).unwrap();

        assert_eq!(tool["headers"]["X-Key"], "k hunter2");
        assert_eq!(format!("{:?}", HostedTool(tool)), "\"mcp\"");
    }
}
