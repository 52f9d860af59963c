//! The body of a request.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::upstream::{FunctionTool, InputItem, InputPart, ModelRequest, profile::Profile};

/// `POST /responses`, with the members that the server takes.
#[derive(Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
    input: Vec<Item<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'static str>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(flatten)]
    background: Option<InBackground>,
    #[serde(flatten)]
    kept: Option<Kept>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_identifier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(flatten)]
    extra: &'a Map<String, Value>,
}

/// What lets an answer go on without its connection.
#[derive(Serialize)]
struct InBackground {
    background: bool,
    /// Only what is stored can be read again.
    store: bool,
}

/// For servers that keep answers, and give reasoning in a form that can be sent back.
#[derive(Serialize)]
struct Kept {
    /// The conversation is ours to keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<bool>,
    /// Without it reasoning cannot be sent back when nothing is stored.
    include: Vec<&'static str>,
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
    pub(super) fn new(
        request: &'a ModelRequest,
        profile: &'a Profile,
        is_background: bool,
    ) -> Self {
        let user = request.safety_identifier.as_deref();
        let functions = request.tools.iter().map(function).map(Tool::Function);
        Self {
            model: &request.model,
            instructions: request.instructions.as_deref(),
            input: request.input.iter().filter_map(|input| item(input, profile)).collect(),
            tools: functions.chain(request.hosted_tools.iter().map(Tool::Hosted)).collect(),
            tool_choice: request.must_call.then_some("required"),
            stream: true,
            background: is_background.then_some(InBackground { background: true, store: true }),
            max_output_tokens: profile.max_output_tokens,
            kept: profile.keeps_answers.then(|| Kept {
                store: (!is_background).then_some(false),
                include: include(&request.hosted_tools),
            }),
            stream_options: profile
                .obfuscation
                .then_some(StreamOptions { include_obfuscation: false }),
            prompt_cache_key: profile.cache_key(request.cache_key.as_deref()),
            safety_identifier: profile.safety_identifier(user),
            user: profile.user(user),
            extra: &profile.extra_body,
        }
    }
}

fn item<'a>(item: &'a InputItem, profile: &Profile) -> Option<Item<'a>> {
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
        InputItem::Hosted(value) => {
            Item::AsItCame(profile.keeps_answers.then(|| without_nulls(value))??)
        }
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
    if has("code_interpreter") {
        include.push("code_interpreter_call.outputs");
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
    use crate::upstream::profile::Server;

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

    fn body(request: &ModelRequest, server: Server) -> Value {
        serde_json::to_value(Body::new(request, &Profile::of(server), false)).unwrap()
    }

    #[test]
    fn openai_gets_its_own_members() {
        assert_eq!(
            body(&request(), Server::Openai),
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
        let body = body(&request(), Server::Compatible);

        let members: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
        assert_eq!(members, ["model", "instructions", "input", "stream"]);
    }

    #[test]
    fn azure_keeps_nothing_and_gives_reasoning_back() {
        let body = body(&request(), Server::Azure);

        let members: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
        assert_eq!(members, ["model", "instructions", "input", "stream", "store", "include"]);
        assert_eq!(body["store"], false);
    }

    #[test]
    fn a_limit_a_call_that_must_be_made_and_members_of_the_operators_are_sent() {
        let request = ModelRequest { must_call: true, ..request() };
        let mut profile = Profile::of(Server::Compatible);
        profile.max_output_tokens = Some(64);
        profile.extra_body.insert("temperature".to_owned(), json!(0));

        let body = serde_json::to_value(Body::new(&request, &profile, false)).unwrap();

        assert_eq!((&body["max_output_tokens"], &body["temperature"]), (&json!(64), &json!(0)));
        assert_eq!(body["tool_choice"], "required");
    }

    #[test]
    fn what_goes_on_in_the_background_is_stored_by_the_provider() {
        for server in [Server::Openai, Server::Azure, Server::Compatible] {
            let profile = Profile::of(server);
            let body = serde_json::to_value(Body::new(&request(), &profile, true)).unwrap();

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
        request.tools = [FunctionTool {
            name: "f".to_owned(),
            description: "d".to_owned(),
            parameters: json!({"type": "object"}),
        }]
        .into();

        let body = body(&request, Server::Openai);

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
            body(&request, Server::Openai)["input"],
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

        let openai = body(&request, Server::Openai);
        let other = body(&request, Server::Compatible);

        assert_eq!(openai["tools"], json!([{"type": "web_search"}, {"type": "file_search"}]));
        assert_eq!(openai["include"].as_array().unwrap().len(), 3);
        assert_eq!(openai["input"], json!([{"type": "web_search_call", "id": "ws"}]));
        assert_eq!(other["input"], json!([]));
    }
}
