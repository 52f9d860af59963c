//! The body of a request.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;

use crate::upstream::{FunctionTool, InputItem, InputPart, ModelRequest};

/// What the model reads where a call of the history has no output: a call without one is refused.
const NO_OUTPUT: &str = "The call was interrupted; its result is not known.";

/// `POST /chat/completions`. No limit of tokens is sent: its name differs between servers.
#[derive(Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_identifier: Option<&'a str>,
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
    pub(super) fn new(request: &'a ModelRequest, is_openai: bool, asks_for_usage: bool) -> Self {
        let stream_options = StreamOptions {
            include_usage: asks_for_usage,
            include_obfuscation: is_openai.then_some(false),
        };
        Self {
            model: &request.model,
            messages: messages(request),
            tools: request.tools.iter().map(tool).collect(),
            stream: true,
            stream_options: (asks_for_usage || is_openai).then_some(stream_options),
            prompt_cache_key: request.cache_key.as_deref().filter(|_| is_openai),
            safety_identifier: request.safety_identifier.as_deref().filter(|_| is_openai),
        }
    }
}

fn messages(request: &ModelRequest) -> Vec<Message<'_>> {
    let system = request.instructions.as_deref().map(|content| Message::System { content });
    let mut history = History {
        messages: system.into_iter().collect(),
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
    /// The model's turn that may still get calls.
    open: Option<(Option<&'a str>, Vec<Call<'a>>)>,
    outputs: HashMap<&'a str, &'a str>,
}

impl<'a> History<'a> {
    fn push(&mut self, item: &'a InputItem) {
        match item {
            InputItem::User(parts) => {
                self.close();
                self.messages.push(Message::User { content: content(parts) });
            }
            InputItem::Assistant { text, .. } => {
                self.close();
                self.open = Some((Some(text), Vec::new()));
            }
            InputItem::FunctionCall { call_id, name, arguments } => {
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

fn content(parts: &[InputPart]) -> Content<'_> {
    match parts {
        [InputPart::Text(text)] => Content::Text(text),
        parts => Content::Parts(parts.iter().map(part).collect()),
    }
}

fn part(part: &InputPart) -> Part<'_> {
    match part {
        InputPart::Text(text) => Part::Text { text },
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

    fn messages_of(input: Vec<InputItem>) -> Value {
        let request = ModelRequest { model: "m".to_owned(), input, ..ModelRequest::default() };
        serde_json::to_value(Body::new(&request, false, true)).unwrap()["messages"].take()
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
        assert_eq!(serde_json::to_value(Body::new(&request, false, true)).unwrap(), whole);

        whole["stream_options"]["include_obfuscation"] = json!(false);
        whole["prompt_cache_key"] = json!("thread");
        whole["safety_identifier"] = json!("user");
        assert_eq!(serde_json::to_value(Body::new(&request, true, true)).unwrap(), whole);

        let plain = serde_json::to_value(Body::new(&request, false, false)).unwrap();
        assert_eq!(plain.get("stream_options"), None);
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
