//! The body of a request.

use std::collections::HashMap;

use serde::{Serialize, de::IgnoredAny};
use serde_json::{Map, Value};

use crate::upstream::{
    FunctionTool, InputItem, InputPart, ModelRequest,
    profile::{InstructionsRole, Profile, TokenLimit},
};

/// What the model reads where a call of the history has no output: a call without one is refused.
const NO_OUTPUT: &str = "The call was interrupted; its result is not known.";
/// What stands for an image whose address the server would not fetch.
const NOT_FETCHED: &str = "(An image that cannot be shown here.)";
/// What stands for the arguments of a call that are broken: chat templates of open models want an
/// object, and their servers refuse the whole conversation for one that is none.
const NO_ARGUMENTS: &str = "{}";

/// `POST /chat/completions`, with the members that the server takes.
#[derive(Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'static str>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_identifier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(flatten)]
    extra: &'a Map<String, Value>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    include_obfuscation: Option<bool>,
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
enum Message<'a> {
    System {
        content: &'a str,
    },
    Developer {
        content: &'a str,
    },
    User {
        content: Content<'a>,
    },
    Assistant {
        content: Option<&'a str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Call<'a>>,
    },
    Tool {
        tool_call_id: &'a str,
        content: &'a str,
    },
}

/// One text stays a string: some servers take nothing else.
#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(&'a str),
    Parts(Vec<Part<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: ImageUrl<'a> },
}

#[derive(Serialize)]
struct ImageUrl<'a> {
    url: &'a str,
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: CalledFunction<'a>,
}

#[derive(Serialize)]
struct CalledFunction<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct Tool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    description: &'a str,
    parameters: &'a Value,
}

impl<'a> Body<'a> {
    pub(super) fn new(request: &'a ModelRequest, profile: &'a Profile) -> Self {
        let stream_options = StreamOptions {
            include_usage: profile.include_usage,
            include_obfuscation: profile.obfuscation.then_some(false),
        };
        let limit = |name| profile.max_output_tokens.filter(|_| profile.token_limit == name);
        let user = request.safety_identifier.as_deref();
        Self {
            model: &request.model,
            messages: messages(request, profile),
            tools: request.tools.iter().map(tool).collect(),
            tool_choice: request.must_call.then_some("required"),
            stream: true,
            stream_options: (profile.include_usage || profile.obfuscation)
                .then_some(stream_options),
            max_tokens: limit(TokenLimit::MaxTokens),
            max_completion_tokens: limit(TokenLimit::MaxCompletionTokens),
            prompt_cache_key: profile.cache_key(request.cache_key.as_deref()),
            safety_identifier: profile.safety_identifier(user),
            user: profile.user(user),
            extra: &profile.extra_body,
        }
    }
}

fn messages<'a>(request: &'a ModelRequest, profile: &Profile) -> Vec<Message<'a>> {
    let instructions =
        request.instructions.as_deref().map(|content| match profile.instructions_role {
            InstructionsRole::System => Message::System { content },
            InstructionsRole::Developer => Message::Developer { content },
        });
    let mut history = History {
        messages: instructions.into_iter().collect(),
        fetches_images: profile.fetches_images,
        open: None,
        outputs: outputs(&request.input),
    };
    for item in &request.input {
        history.push(item);
    }
    history.close();
    history.messages
}

fn outputs(input: &[InputItem]) -> HashMap<&str, &str> {
    let outputs = input.iter().filter_map(|item| match item {
        InputItem::FunctionCallOutput { call_id, output } => {
            Some((call_id.as_str(), output.as_str()))
        }
        _ => None,
    });
    outputs.collect()
}

/// Makes messages of items. What the model said and called in one go is one message, and the
/// outputs of its calls must follow it directly, one each.
struct History<'a> {
    messages: Vec<Message<'a>>,
    fetches_images: bool,
    /// The model's turn that may still get calls.
    open: Option<(Option<&'a str>, Vec<Call<'a>>)>,
    outputs: HashMap<&'a str, &'a str>,
}

impl<'a> History<'a> {
    fn push(&mut self, item: &'a InputItem) {
        match item {
            InputItem::User(parts) => {
                self.close();
                let content = content(parts, self.fetches_images);
                self.messages.push(Message::User { content });
            }
            InputItem::Assistant { text, .. } => {
                self.close();
                self.open = Some((Some(text), Vec::new()));
            }
            InputItem::FunctionCall { call_id, name, arguments } => {
                let arguments = if is_object(arguments) { arguments } else { NO_ARGUMENTS };
                let function = CalledFunction { name, arguments };
                let (_, calls) = self.open.get_or_insert_default();
                calls.push(Call { id: call_id, kind: "function", function });
            }
            // It was written behind its call: here only the turn ends.
            InputItem::FunctionCallOutput { .. } => self.close(),
            InputItem::Reasoning(_) | InputItem::Hosted(_) => {}
        }
    }

    fn close(&mut self) {
        let Some((content, tool_calls)) = self.open.take() else { return };
        let ids: Vec<_> = tool_calls.iter().map(|call| call.id).collect();
        self.messages.push(Message::Assistant { content, tool_calls });
        self.messages.extend(ids.into_iter().map(|tool_call_id| Message::Tool {
            tool_call_id,
            content: self.outputs.get(tool_call_id).copied().unwrap_or(NO_OUTPUT),
        }));
    }
}

fn is_object(arguments: &str) -> bool {
    arguments.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(arguments).is_ok()
}

fn content(parts: &[InputPart], fetches_images: bool) -> Content<'_> {
    match parts {
        [InputPart::Text(text)] => Content::Text(text),
        parts => Content::Parts(parts.iter().map(|one| part(one, fetches_images)).collect()),
    }
}

fn part(part: &InputPart, fetches_images: bool) -> Part<'_> {
    match part {
        InputPart::Text(text) => Part::Text { text },
        InputPart::Image { url } if !fetches_images && !url.starts_with("data:") => {
            Part::Text { text: NOT_FETCHED }
        }
        InputPart::Image { url } => Part::ImageUrl { image_url: ImageUrl { url } },
    }
}

fn tool(tool: &FunctionTool) -> Tool<'_> {
    let function =
        Function { name: &tool.name, description: &tool.description, parameters: &tool.parameters };
    Tool { kind: "function", function }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::upstream::profile::Server;

    fn messages_of(input: Vec<InputItem>) -> Value {
        let request = ModelRequest { model: "m".to_owned(), input, ..ModelRequest::default() };
        body(&request, Server::Compatible)["messages"].take()
    }

    fn body(request: &ModelRequest, server: Server) -> Value {
        body_of(request, &Profile::of(server))
    }

    fn body_of(request: &ModelRequest, profile: &Profile) -> Value {
        serde_json::to_value(Body::new(request, profile)).unwrap()
    }

    fn call(id: &str) -> InputItem {
        InputItem::FunctionCall {
            call_id: id.to_owned(),
            name: "f".to_owned(),
            arguments: "{}".to_owned(),
        }
    }

    fn output(id: &str) -> InputItem {
        InputItem::FunctionCallOutput { call_id: id.to_owned(), output: format!("of {id}") }
    }

    fn wire_call(id: &str) -> Value {
        json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}})
    }

    #[test]
    fn only_openai_gets_its_own_members() {
        let request = ModelRequest {
            model: "m".to_owned(),
            instructions: Some("Be brief.".to_owned()),
            input: vec![InputItem::user_text("hi")],
            cache_key: Some("thread".to_owned()),
            safety_identifier: Some("user".to_owned()),
            tools: [FunctionTool {
                name: "f".to_owned(),
                description: "d".to_owned(),
                parameters: json!({"type": "object"}),
            }]
            .into(),
            ..ModelRequest::default()
        };
        let mut whole = json!({
            "model": "m",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
            "tools": [{"type": "function", "function":
                {"name": "f", "description": "d", "parameters": {"type": "object"}}}],
            "stream": true,
            "stream_options": {"include_usage": true},
        });
        for plain in [Server::Compatible, Server::Vllm, Server::LlamaCpp, Server::Ollama] {
            assert_eq!(body(&request, plain), whole, "{plain:?}");
        }
        assert_eq!(body(&request, Server::Azure), whole);

        whole["user"] = json!("user");
        assert_eq!(body(&request, Server::Openrouter), whole);
        whole.as_object_mut().unwrap().remove("user");

        whole["stream_options"]["include_obfuscation"] = json!(false);
        whole["prompt_cache_key"] = json!("thread");
        whole["safety_identifier"] = json!("user");
        assert_eq!(body(&request, Server::Openai), whole);
    }

    #[test]
    fn what_a_profile_says_is_what_is_sent() {
        let request = ModelRequest {
            instructions: Some("Be brief.".to_owned()),
            input: vec![InputItem::user_text("hi")],
            must_call: true,
            ..ModelRequest::default()
        };
        let with = |server, change: fn(&mut Profile)| {
            let mut profile = Profile::of(server);
            profile.max_output_tokens = Some(64);
            change(&mut profile);
            body_of(&request, &profile)
        };

        let plain = with(Server::Vllm, |profile| profile.include_usage = false);
        assert_eq!(plain.get("stream_options"), None);
        assert_eq!((&plain["max_tokens"], &plain["tool_choice"]), (&json!(64), &json!("required")));
        assert_eq!(plain.get("max_completion_tokens"), None);

        for server in [Server::Openai, Server::Azure] {
            let newer = with(server, |profile| {
                profile.instructions_role = InstructionsRole::Developer;
                profile.extra_body.insert("reasoning_effort".to_owned(), json!("none"));
            });
            assert_eq!(newer["max_completion_tokens"], 64);
            assert_eq!(newer.get("max_tokens"), None);
            assert_eq!(newer["messages"][0], json!({"role": "developer", "content": "Be brief."}));
            assert_eq!(newer["reasoning_effort"], "none");
        }
    }

    #[test]
    fn a_server_that_fetches_nothing_is_given_no_addresses() {
        let image = |url: &str| InputPart::Image { url: url.to_owned() };
        let parts = vec![image("https://a.example/b.png"), image("data:image/png;base64,")];
        let request =
            ModelRequest { input: vec![InputItem::User(parts)], ..ModelRequest::default() };

        let parts = |server| body(&request, server)["messages"][0]["content"].take();

        assert_eq!(parts(Server::Ollama)[0], json!({"type": "text", "text": NOT_FETCHED}));
        assert_eq!(parts(Server::Ollama)[1]["image_url"]["url"], "data:image/png;base64,");
        assert_eq!(parts(Server::Vllm)[0]["image_url"]["url"], "https://a.example/b.png");
    }

    #[test]
    fn broken_arguments_do_not_go_back() {
        for broken in ["", "{", "[1]", "null", "\"x\""] {
            let (mut call, output) = (call("a"), output("a"));
            if let InputItem::FunctionCall { arguments, .. } = &mut call {
                broken.clone_into(arguments);
            }

            let messages = messages_of(vec![call, output]);

            assert_eq!(messages[0]["tool_calls"][0]["function"]["arguments"], "{}", "{broken}");
        }
    }

    #[test]
    fn outputs_follow_the_turn_that_called_for_them() {
        let text = InputItem::Assistant { text: "Let me look.".to_owned(), phase: None };

        let parallel = messages_of(vec![
            text.clone(),
            call("a"),
            InputItem::Reasoning(json!({})),
            call("b"),
            output("b"),
            output("a"),
        ]);

        assert_eq!(
            parallel,
            json!([
                {"role": "assistant", "content": "Let me look.",
                    "tool_calls": [wire_call("a"), wire_call("b")]},
                {"role": "tool", "tool_call_id": "a", "content": "of a"},
                {"role": "tool", "tool_call_id": "b", "content": "of b"},
            ])
        );
    }

    #[test]
    fn calls_of_two_turns_stay_apart() {
        let messages = messages_of(vec![call("a"), output("a"), call("b"), output("b")]);

        assert_eq!(
            messages,
            json!([
                {"role": "assistant", "content": null, "tool_calls": [wire_call("a")]},
                {"role": "tool", "tool_call_id": "a", "content": "of a"},
                {"role": "assistant", "content": null, "tool_calls": [wire_call("b")]},
                {"role": "tool", "tool_call_id": "b", "content": "of b"},
            ])
        );
    }

    #[test]
    fn a_call_without_an_output_gets_one_and_an_output_without_a_call_goes() {
        let messages = messages_of(vec![output("x"), call("a"), InputItem::user_text("well?")]);

        assert_eq!(
            messages,
            json!([
                {"role": "assistant", "content": null, "tool_calls": [wire_call("a")]},
                {"role": "tool", "tool_call_id": "a", "content": NO_OUTPUT},
                {"role": "user", "content": "well?"},
            ])
        );
    }

    #[test]
    fn images_make_a_list_of_parts() {
        let image = InputPart::Image { url: "data:image/png;base64,".to_owned() };

        let messages =
            messages_of(vec![InputItem::User(vec![InputPart::Text("see".to_owned()), image])]);

        assert_eq!(
            messages[0]["content"],
            json!([{"type": "text", "text": "see"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}])
        );
    }
}
