//! The request's body.

use serde_json::{Value, json};

use crate::upstream::{FunctionTool, InputItem, InputPart, ModelRequest};

/// The body. To servers other than `OpenAI`'s it holds only what all of them know.
pub(super) fn body(request: &ModelRequest, is_openai: bool) -> Value {
    let mut body = json!({
        "model": request.model,
        "input": request.input.iter().map(|item| input_item(item)).collect::<Vec<_>>(),
        "stream": true,
    });
    if let Some(instructions) = &request.instructions {
        body["instructions"] = json!(instructions);
    }
    if !request.tools.is_empty() {
        body["tools"] = request.tools.iter().map(tool).collect();
    }
    if is_openai {
        // Nothing is kept there that is not needed, so reasoning has to travel with the request.
        body["store"] = json!(false);
        body["include"] = json!(["reasoning.encrypted_content"]);
        body["stream_options"] = json!({ "include_obfuscation": false });
        body["prompt_cache_key"] = json!(request.cache_key);
        body["safety_identifier"] = json!(request.safety_identifier);
    }
    body
}

/// A function tool is flat here. Schemas of tools seldom fit OpenAI's strict mode.
fn tool(tool: &FunctionTool) -> Value {
    json!({
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": false,
    })
}

fn input_item(item: &InputItem) -> Value {
    match item {
        InputItem::User(parts) => {
            let content: Vec<Value> = parts.iter().map(input_part).collect();
            json!({ "type": "message", "role": "user", "content": content })
        }
        InputItem::Assistant { text, phase } => {
            let content = json!([{ "type": "output_text", "text": text, "annotations": [] }]);
            let mut item = json!({ "type": "message", "role": "assistant", "content": content });
            if let Some(phase) = phase {
                item["phase"] = json!(phase);
            }
            item
        }
        InputItem::FunctionCall { call_id, name, arguments } => json!({
            "type": "function_call",
            "call_id": call_id,
            "name": name,
            "arguments": arguments,
        }),
        InputItem::FunctionCallOutput { call_id, output } => json!({
            "type": "function_call_output",
            "call_id": call_id,
            "output": output,
        }),
        InputItem::Reasoning(item) => item.clone(),
    }
}

fn input_part(part: &InputPart) -> Value {
    match part {
        InputPart::Text(text) => json!({ "type": "input_text", "text": text }),
        InputPart::Image { url } => {
            json!({ "type": "input_image", "image_url": url, "detail": "auto" })
        }
    }
}
