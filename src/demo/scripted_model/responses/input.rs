//! The input of the Responses API: a string, or a list of items.

use serde_json::Value;

use crate::{
    demo::scripted_model::{ModelCall, call},
    upstream::{FunctionTool, InputItem, InputPart},
};

/// Reads input and tools into the call.
pub(in crate::demo::scripted_model) fn read_input(
    call: &mut ModelCall,
    body: &Value,
) -> Result<(), String> {
    match &body["input"] {
        Value::String(text) => call.input.push(InputItem::user_text(text)),
        Value::Array(items) if !items.is_empty() => {
            for (position, item) in items.iter().enumerate() {
                read_item(call, item).map_err(|problem| format!("input[{position}]: {problem}"))?;
            }
        }
        _ => return Err("one of `input` or `prompt` must be provided".to_owned()),
    }
    let tools = body["tools"].as_array().into_iter().flatten();
    call.tools.extend(tools.filter_map(read_tool));
    Ok(())
}

fn read_item(call: &mut ModelCall, item: &Value) -> Result<(), String> {
    let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
    match item["type"].as_str().unwrap_or("message") {
        "message" => return read_message(call, item),
        "function_call" => call.input.push(InputItem::FunctionCall {
            call_id: text("call_id"),
            name: text("name"),
            arguments: text("arguments"),
        }),
        "function_call_output" => call.input.push(InputItem::FunctionCallOutput {
            call_id: text("call_id"),
            output: match &item["output"] {
                Value::String(output) => output.clone(),
                Value::Array(parts) => join_texts(parts),
                _ => return Err("`output` must be a string or a list".to_owned()),
            },
        }),
        "reasoning" => call.input.push(InputItem::Reasoning(item.clone())),
        "web_search_call"
        | "file_search_call"
        | "code_interpreter_call"
        | "mcp_call"
        | "mcp_list_tools"
        | "image_generation_call" => call.input.push(InputItem::Hosted(item.clone())),
        "compaction" | "item_reference" => {}
        other => return Err(format!("invalid value: `{other}`")),
    }
    Ok(())
}

fn read_message(call: &mut ModelCall, message: &Value) -> Result<(), String> {
    match message["role"].as_str() {
        Some("user") => {
            let parts = read_parts(&message["content"])?;
            call.input.push(InputItem::User(parts));
        }
        Some("assistant") => call.input.push(InputItem::Assistant {
            text: assistant_text(&message["content"])?,
            phase: message["phase"].as_str().map(str::to_owned),
        }),
        Some("system" | "developer") => {
            let parts = read_parts(&message["content"])?;
            for part in parts {
                if let InputPart::Text(text) = part {
                    call::add_instructions(call, &text);
                }
            }
        }
        _ => return Err("`role` must be user, assistant, system or developer".to_owned()),
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
            "input_text" => {
                let text = part["text"].as_str().ok_or("`text` is missing")?;
                read.push(InputPart::Text(text.to_owned()));
            }
            "input_image" => {
                let url = part["image_url"].as_str().or_else(|| part["file_id"].as_str());
                let url = url.ok_or("`image_url` is missing")?;
                read.push(InputPart::Image { url: url.to_owned() });
            }
            "input_file" | "input_audio" => {}
            other => return Err(format!("a user's message cannot hold `{other}`")),
        }
    }
    Ok(read)
}

fn assistant_text(content: &Value) -> Result<String, String> {
    let parts = match content {
        Value::String(text) => return Ok(text.clone()),
        Value::Array(parts) => parts,
        _ => return Err("`content` must be a string or a list".to_owned()),
    };
    let foreign = |part: &&Value| !matches!(part["type"].as_str(), Some("output_text" | "refusal"));
    match parts.iter().find(foreign) {
        Some(part) => Err(format!("an assistant's message cannot hold {}", part["type"])),
        None => Ok(join_texts(parts)),
    }
}

fn join_texts(parts: &[Value]) -> String {
    let texts = parts.iter().filter_map(|part| part["text"].as_str().or(part["refusal"].as_str()));
    texts.collect()
}

/// A function; hosted tools are left out.
fn read_tool(tool: &Value) -> Option<FunctionTool> {
    (tool["type"] == "function").then(|| FunctionTool {
        name: tool["name"].as_str().unwrap_or_default().to_owned(),
        description: tool["description"].as_str().unwrap_or_default().to_owned(),
        parameters: tool["parameters"].clone(),
    })
}
