//! The body of a request.

use serde::Serialize;
use serde_json::Value;

use crate::upstream::{FunctionTool, InputItem, InputPart, ModelRequest};

/// `POST /responses`. Servers other than OpenAI's get only the members that all of them know.
#[derive(Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
    input: Vec<Item<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    stream: bool,
    #[serde(flatten)]
    background: Option<InBackground>,
    #[serde(flatten)]
    openai: Option<OpenAiOnly<'a>>,
}

/// What lets an answer go on without its connection.
#[derive(Serialize)]
struct InBackground {
    background: bool,
    /// Only what is stored can be read again.
    store: bool,
}

/// What only OpenAI's own API is known to take.
#[derive(Serialize)]
struct OpenAiOnly<'a> {
    /// The conversation is ours to keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<bool>,
    /// Without it reasoning cannot be sent back when nothing is stored.
    include: Vec<&'static str>,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_identifier: Option<&'a str>,
}

#[derive(Serialize)]
struct StreamOptions {
    /// Padding against listeners who measure packets; it doubles the size of a delta.
    include_obfuscation: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Item<'a> {
    Message {
        role: &'static str,
        content: Vec<Part<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        phase: Option<&'a str>,
    },
    FunctionCall {
        call_id: &'a str,
        name: &'a str,
        arguments: &'a str,
    },
    FunctionCallOutput {
        call_id: &'a str,
        output: &'a str,
    },
    #[serde(untagged)]
    AsItCame(Value),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part<'a> {
    InputText {
        text: &'a str,
    },
    /// OpenAI's own types want `detail`, whose default it is.
    InputImage {
        detail: &'static str,
        image_url: &'a str,
    },
    OutputText {
        text: &'a str,
    },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Tool<'a> {
    Function(Function<'a>),
    Hosted(&'a Value),
}

#[derive(Serialize)]
struct Function<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'a str,
    description: &'a str,
    parameters: &'a Value,
    /// When left out, OpenAI takes it for true and refuses most schemas.
    strict: bool,
}

impl<'a> Body<'a> {
    pub(super) fn new(request: &'a ModelRequest, is_openai: bool, is_background: bool) -> Self {
        let functions = request.tools.iter().map(function).map(Tool::Function);
        Self {
            model: &request.model,
            instructions: request.instructions.as_deref(),
            input: request.input.iter().filter_map(|input| item(input, is_openai)).collect(),
            tools: functions.chain(request.hosted_tools.iter().map(Tool::Hosted)).collect(),
            stream: true,
            background: is_background.then_some(InBackground { background: true, store: true }),
            openai: is_openai.then_some(OpenAiOnly {
                store: (!is_background).then_some(false),
                include: include(&request.hosted_tools),
                stream_options: StreamOptions { include_obfuscation: false },
                prompt_cache_key: request.cache_key.as_deref(),
                safety_identifier: request.safety_identifier.as_deref(),
            }),
        }
    }
}

fn item(item: &InputItem, is_openai: bool) -> Option<Item<'_>> {
    Some(match item {
        InputItem::User(parts) => {
            Item::Message { role: "user", content: parts.iter().map(part).collect(), phase: None }
        }
        InputItem::Assistant { text, phase } => Item::Message {
            role: "assistant",
            content: vec![Part::OutputText { text }],
            phase: phase.as_deref(),
        },
        InputItem::FunctionCall { call_id, name, arguments } => {
            Item::FunctionCall { call_id, name, arguments }
        }
        InputItem::FunctionCallOutput { call_id, output } => {
            Item::FunctionCallOutput { call_id, output }
        }
        InputItem::Reasoning(value) => Item::AsItCame(reasoning(value)?),
        // OpenAI refuses reasoning without the item behind it; others may not know the item.
        InputItem::Hosted(value) => Item::AsItCame(is_openai.then(|| without_nulls(value))??),
    })
}

fn part(part: &InputPart) -> Part<'_> {
    match part {
        InputPart::Text(text) => Part::InputText { text },
        InputPart::Image { url } => Part::InputImage { detail: "auto", image_url: url },
    }
}

/// What is left out unless it is asked for: what reasoning can be sent back with, and what the
/// provider's tools found, which is shown to people.
fn include(hosted_tools: &[Value]) -> Vec<&'static str> {
    let has = |kind: &str| {
        hosted_tools.iter().any(|tool| tool["type"].as_str().is_some_and(|is| is.starts_with(kind)))
    };
    let mut include = vec!["reasoning.encrypted_content"];
    if has("web_search") {
        include.push("web_search_call.action.sources");
    }
    if has("file_search") {
        include.push("file_search_call.results");
    }
    include
}

fn function(tool: &FunctionTool) -> Function<'_> {
    Function {
        kind: "function",
        name: &tool.name,
        description: &tool.description,
        parameters: &tool.parameters,
        strict: false,
    }
}

/// Reasoning as it came, without members that are null (servers answer `"status":null` and refuse
/// it as input). Left out when nothing is encrypted in it: OpenAI would look for the item in a
/// store that was not asked to keep it, and find nothing.
fn reasoning(item: &Value) -> Option<Value> {
    item.get("encrypted_content")?.as_str().filter(|content| !content.is_empty())?;
    without_nulls(item)
}

fn without_nulls(item: &Value) -> Option<Value> {
    let members = item.as_object()?;
    let kept = members.iter().filter(|(_, value)| !value.is_null());
    Some(Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request() -> ModelRequest {
        ModelRequest {
            model: "m".to_owned(),
            instructions: Some("Be brief.".to_owned()),
            input: vec![InputItem::user_text("hi")],
            cache_key: Some("thread".to_owned()),
            safety_identifier: Some("user".to_owned()),
            ..ModelRequest::default()
        }
    }

    fn body(request: &ModelRequest, is_openai: bool) -> Value {
        serde_json::to_value(Body::new(request, is_openai, false)).unwrap()
    }

    #[test]
    fn openai_gets_its_own_members() {
        assert_eq!(
            body(&request(), true),
            json!({
                "model": "m",
                "instructions": "Be brief.",
                "input": [{"type": "message", "role": "user",
                    "content": [{"type": "input_text", "text": "hi"}]}],
                "stream": true,
                "store": false,
                "include": ["reasoning.encrypted_content"],
                "stream_options": {"include_obfuscation": false},
                "prompt_cache_key": "thread",
                "safety_identifier": "user",
            })
        );
    }

    #[test]
    fn other_servers_get_the_least() {
        let body = body(&request(), false);

        let members: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
        assert_eq!(members, ["model", "instructions", "input", "stream"]);
    }

    #[test]
    fn what_goes_on_in_the_background_is_stored_by_the_provider() {
        for is_openai in [true, false] {
            let body = serde_json::to_value(Body::new(&request(), is_openai, true)).unwrap();

            assert_eq!((&body["background"], &body["store"]), (&json!(true), &json!(true)));
        }
    }

    #[test]
    fn a_turn_with_tools_goes_back_in_order() {
        let mut request = request();
        request.input = vec![
            InputItem::Reasoning(json!({"type": "reasoning", "id": "r", "summary": [],
                "encrypted_content": "e", "status": null})),
            InputItem::Assistant {
                text: "Let me look.".to_owned(),
                phase: Some("commentary".to_owned()),
            },
            InputItem::FunctionCall {
                call_id: "c".to_owned(),
                name: "f".to_owned(),
                arguments: "{}".to_owned(),
            },
            InputItem::FunctionCallOutput { call_id: "c".to_owned(), output: "[]".to_owned() },
        ];
        request.tools = vec![FunctionTool {
            name: "f".to_owned(),
            description: "d".to_owned(),
            parameters: json!({"type": "object"}),
        }];

        let body = body(&request, true);

        assert_eq!(
            body["input"],
            json!([
                {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "e"},
                {"type": "message", "role": "assistant", "phase": "commentary",
                    "content": [{"type": "output_text", "text": "Let me look."}]},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "[]"},
            ])
        );
        assert_eq!(
            body["tools"],
            json!([{"type": "function", "name": "f", "description": "d",
                "parameters": {"type": "object"}, "strict": false}])
        );
    }

    #[test]
    fn reasoning_that_nobody_stored_is_not_sent_back_without_its_content() {
        let mut request = request();
        request.input = vec![
            InputItem::Reasoning(json!({"type": "reasoning", "id": "r", "summary": []})),
            InputItem::User(vec![InputPart::Image { url: "data:image/png;base64,".to_owned() }]),
        ];

        assert_eq!(
            body(&request, true)["input"],
            json!([{"type": "message", "role": "user",
                "content": [{"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,"}]}])
        );
    }

    #[test]
    fn the_providers_tools_are_offered_as_they_are_and_their_calls_sent_back() {
        let mut request = request();
        request.hosted_tools = vec![json!({"type": "web_search"}), json!({"type": "file_search"})];
        let call = json!({"type": "web_search_call", "id": "ws", "status": null});
        request.input = vec![InputItem::Hosted(call)];

        let openai = body(&request, true);
        let other = body(&request, false);

        assert_eq!(openai["tools"], json!([{"type": "web_search"}, {"type": "file_search"}]));
        assert_eq!(openai["include"].as_array().unwrap().len(), 3);
        assert_eq!(openai["input"], json!([{"type": "web_search_call", "id": "ws"}]));
        assert_eq!(other["input"], json!([]));
    }
}
