//! The input of Chat Completions: a list of messages.

use serde_json::Value;

use crate::{
    demo::scripted_model::{ModelCall, call},
    upstream::{FunctionTool, InputItem, InputPart},
};

/// Reads messages and tools into the call.
pub(in crate::demo::scripted_model) fn read_messages(
    call: &mut ModelCall,
    body: &Value,
) -> Result<(), String> {
    let messages = body["messages"].as_array().filter(|messages| !messages.is_empty());
    let messages = messages.ok_or("`messages` must be a list that is not empty")?;
    for (position, message) in messages.iter().enumerate() {
        read_message(call, message)
            .map_err(|problem| format!("messages[{position}]: {problem}"))?;
    }
    let tools = body["tools"].as_array().into_iter().flatten();
    call.tools.extend(tools.filter_map(read_tool));
    Ok(())
}

fn read_message(call: &mut ModelCall, message: &Value) -> Result<(), String> {
    let content = &message["content"];
    match message["role"].as_str() {
        Some("system" | "developer") => call::add_instructions(call, &text_of(content)),
        Some("user") => call.input.push(InputItem::User(read_parts(content)?)),
        Some("assistant") => read_assistant(call, message)?,
        Some("tool") => call.input.push(InputItem::FunctionCallOutput {
            call_id: message["tool_call_id"].as_str().unwrap_or_default().to_owned(),
            output: text_of(content),
        }),
        _ => return Err("`role` must be system, developer, user, assistant or tool".to_owned()),
    }
    Ok(())
}

fn read_assistant(call: &mut ModelCall, message: &Value) -> Result<(), String> {
    let text = text_of(&message["content"]);
    let calls = message["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default();
    if text.is_empty() && calls.is_empty() && !message["refusal"].is_string() {
        return Err("an assistant's message needs `content` or `tool_calls`".to_owned());
    }
    if !text.is_empty() {
        call.input.push(InputItem::Assistant { text, phase: None });
    }
    for made in calls {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        call.input.push(InputItem::FunctionCall {
            call_id: text(&made["id"]),
            name: text(&made["function"]["name"]),
            arguments: text(&made["function"]["arguments"]),
        });
    }
    Ok(())
}

fn read_parts(content: &Value) -> Result<Vec<InputPart>, String> {
    let parts = match content {
        Value::String(text) => return Ok(vec![InputPart::Text(text.clone())]),
        Value::Array(parts) => parts,
        _ => return Err("`content` must be a string or a list".to_owned()),
    };
    let mut read = Vec::new();
    for part in parts {
        match part["type"].as_str().unwrap_or_default() {
            "text" => read.push(InputPart::Text(text_of(&part["text"]))),
            "image_url" => {
                read.push(InputPart::Image { url: text_of(&part["image_url"]["url"]) });
            }
            "input_audio" | "file" => {}
            other => return Err(format!("a user's message cannot hold `{other}`")),
        }
    }
    Ok(read)
}

/// A string, or the texts of a list of parts.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

fn read_tool(tool: &Value) -> Option<FunctionTool> {
    let function = tool.get("function")?;
    Some(FunctionTool {
        name: function["name"].as_str().unwrap_or_default().to_owned(),
        description: function["description"].as_str().unwrap_or_default().to_owned(),
        parameters: function["parameters"].clone(),
    })
}
