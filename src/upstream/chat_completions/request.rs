//! The request's body.

use serde_json::{Value, json};

use crate::upstream::{FunctionTool, InputItem, InputPart, ModelRequest};

/// The body. To servers other than `OpenAI`'s it holds only what all of them know.
pub(super) fn body(request: &ModelRequest, is_openai: bool) -> Value {
    let mut body = json!({
        "model": request.model,
        "messages": messages(request),
        "stream": true,
        "stream_options": { "include_usage": true },
    });
    if !request.tools.is_empty() {
        body["tools"] = request.tools.iter().map(tool).collect();
    }
    if is_openai {
        body["stream_options"]["include_obfuscation"] = json!(false);
        body["prompt_cache_key"] = json!(request.cache_key);
        body["safety_identifier"] = json!(request.safety_identifier);
    }
    body
}

fn tool(tool: &FunctionTool) -> Value {
    json!({
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
        },
    })
}

/// Calls belong to the assistant's message before them, and their outputs follow it directly.
fn messages(request: &ModelRequest) -> Vec<Value> {
    let mut messages = Vec::new();
    if let Some(instructions) = &request.instructions {
        messages.push(json!({ "role": "system", "content": instructions }));
    }
    for item in &request.input {
        match item {
            InputItem::User(parts) => {
                messages.push(json!({ "role": "user", "content": content(parts) }));
            }
            InputItem::Assistant { text, .. } => {
                messages.push(json!({ "role": "assistant", "content": text }));
            }
            InputItem::FunctionCall { call_id, name, arguments } => {
                let function = json!({ "name": name, "arguments": arguments });
                let call = json!({ "id": call_id, "type": "function", "function": function });
                add_call(&mut messages, call);
            }
            InputItem::FunctionCallOutput { call_id, output } => messages.push(json!({
                "role": "tool",
                "tool_call_id": call_id,
                "content": output,
            })),
            InputItem::Reasoning(_) => {}
        }
    }
    messages
}

fn add_call(messages: &mut Vec<Value>, call: Value) {
    let last = messages.last_mut().filter(|last| last["role"] == "assistant");
    let message = match last {
        Some(message) => message,
        None => {
            messages.push(json!({ "role": "assistant", "content": null }));
            messages.last_mut().expect("it was just pushed")
        }
    };
    match message["tool_calls"].as_array_mut() {
        Some(calls) => calls.push(call),
        None => message["tool_calls"] = json!([call]),
    }
}

/// Plain text as a string, which is all that some servers take.
fn content(parts: &[InputPart]) -> Value {
    if let [InputPart::Text(text)] = parts {
        return json!(text);
    }
    parts
        .iter()
        .map(|part| match part {
            InputPart::Text(text) => json!({ "type": "text", "text": text }),
            InputPart::Image { url } => json!({ "type": "image_url", "image_url": { "url": url } }),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_join_the_message_before_them_and_outputs_follow() {
        let call = |id: &str| InputItem::FunctionCall {
            call_id: id.to_owned(),
            name: "f".to_owned(),
            arguments: "{}".to_owned(),
        };
        let output = |id: &str| InputItem::FunctionCallOutput {
            call_id: id.to_owned(),
            output: "o".to_owned(),
        };
        let request = ModelRequest {
            input: vec![
                InputItem::user_text("hi"),
                InputItem::Assistant { text: "let me".to_owned(), phase: None },
                call("a"),
                call("b"),
                output("a"),
                output("b"),
                call("c"),
                output("c"),
            ],
            ..ModelRequest::default()
        };

        let body = body(&request, false);

        let messages = body["messages"].as_array().unwrap();
        let roles: Vec<&str> = messages.iter().map(|m| m["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["user", "assistant", "tool", "tool", "assistant", "tool"]);
        assert_eq!(messages[1]["tool_calls"].as_array().unwrap().len(), 2);
        assert_eq!(messages[4]["content"], Value::Null);
    }
}
