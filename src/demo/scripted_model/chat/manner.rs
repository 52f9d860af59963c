//! How servers other than OpenAI's speak its Chat Completions API: what they refuse, and how their
//! streams differ. What each does is described, with its sources, in `docs/model-servers.md`.

use axum::http::{HeaderMap, header};
use bytes::BytesMut;
use serde_json::{Map, Value, json};

use crate::demo::scripted_model::wire::{put, put_json};

/// As which server the scripted model speaks Chat Completions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// OpenAI's own.
    #[default]
    Openai,
    /// Azure's, at the address of a deployment.
    Azure,
    /// vLLM.
    Vllm,
    /// llama.cpp's server.
    LlamaCpp,
    /// Ollama.
    Ollama,
    /// OpenRouter.
    Openrouter,
}

/// What Azure takes in 2024-10-21, as far as it matters here.
const AZURE_MEMBERS: [&str; 9] = [
    "max_completion_tokens",
    "messages",
    "model",
    "parallel_tool_calls",
    "stream",
    "stream_options",
    "tool_choice",
    "tools",
    "user",
];

impl Manner {
    /// What stands before the routes, and behind them.
    pub(in crate::demo::scripted_model) fn base(self) -> (&'static str, &'static str) {
        match self {
            Self::Azure => ("/openai/deployments/scripted", "?api-version=2024-10-21"),
            Self::Openrouter => ("/api/v1", ""),
            _ => ("/v1", ""),
        }
    }

    /// Refuses a request that this server would refuse: a status, and what is said with it.
    pub(in crate::demo::scripted_model) fn check(
        self,
        headers: &HeaderMap,
        query: Option<&str>,
        body: &Value,
    ) -> Result<(), (u16, Value)> {
        let refuse = |status, message: &str| Err((status, self.refusal(status, message)));
        match self {
            Self::Azure if !query.is_some_and(|query| query.contains("api-version=")) => {
                refuse(404, "Resource not found")
            }
            Self::Azure if !headers.contains_key("api-key") => {
                refuse(401, "Access denied due to invalid subscription key")
            }
            Self::Azure => match members(body).find(|name| !AZURE_MEMBERS.contains(name)) {
                Some(name) => {
                    refuse(400, &format!("Unrecognized request argument supplied: {name}"))
                }
                None => Ok(()),
            },
            // Its API takes other members, and leaves them unread.
            Self::Ollama if has_foreign_image(body) => refuse(400, "invalid image input"),
            // Both put arguments into the model's template as an object.
            Self::Ollama | Self::Vllm | Self::LlamaCpp if has_broken_arguments(body) => {
                refuse(400, "invalid tool call arguments")
            }
            Self::LlamaCpp if body["tool_choice"].is_object() => {
                refuse(400, "tool_choice must be a string")
            }
            Self::Openrouter if !headers.contains_key(header::AUTHORIZATION) => {
                refuse(401, "No auth credentials found")
            }
            _ => Ok(()),
        }
    }

    /// The body of a refusal.
    fn refusal(self, status: u16, message: &str) -> Value {
        match self {
            Self::Azure => json!({ "error": { "code": status.to_string(), "message": message } }),
            Self::Ollama => json!({ "error": {
                "message": message, "type": "invalid_request_error", "param": null, "code": null,
            } }),
            // Numbers, where OpenAI has texts.
            _ => json!({ "error": { "code": status, "message": message } }),
        }
    }

    /// The member of a delta that holds thoughts.
    pub(super) fn reasoning_member(self) -> &'static str {
        match self {
            Self::Openai | Self::Azure | Self::LlamaCpp => "reasoning_content",
            Self::Vllm | Self::Ollama | Self::Openrouter => "reasoning",
        }
    }

    /// Whether a call comes in one piece.
    pub(super) fn sends_whole_calls(self) -> bool {
        self == Self::Ollama
    }

    /// Whether the answer begins with a chunk that has nothing but the role.
    pub(super) fn begins_with_role(self) -> bool {
        self != Self::Ollama
    }

    /// What stands before the first chunk.
    pub(super) fn put_beginning(self, model: &str, out: &mut BytesMut) {
        match self {
            Self::Azure => put_data(
                out,
                &json!({
                    "choices": [], "created": 0, "id": "", "model": "", "object": "",
                    "prompt_filter_results": [{ "prompt_index": 0, "content_filter_results": {
                        "hate": { "filtered": false, "severity": "safe" },
                    } }],
                }),
            ),
            Self::Openrouter => {
                put(out, ": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n");
            }
            Self::LlamaCpp => put(out, ":\n\n"),
            Self::Ollama => put_data(
                out,
                &json!({
                    "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model,
                    "system_fingerprint": "fp_ollama", "choices": [{
                        "index": 0, "delta": { "role": "assistant", "content": "" },
                        "finish_reason": null,
                    }],
                }),
            ),
            Self::Openai | Self::Vllm => {}
        }
    }

    /// Members of a choice beside `index`, `delta` and `finish_reason`.
    pub(super) fn choice_members(self, finish_reason: Option<&str>) -> Map<String, Value> {
        let members = match self {
            Self::Azure => json!({ "content_filter_results": {} }),
            Self::Vllm if finish_reason.is_some() => json!({ "stop_reason": null }),
            Self::Openrouter => json!({ "native_finish_reason": finish_reason }),
            _ => json!({}),
        };
        match members {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    }

    /// Members of the chunk with the usage, beside it.
    pub(super) fn usage_members(self) -> Value {
        match self {
            Self::LlamaCpp => json!({ "choices": [], "timings": { "predicted_ms": 7.5 } }),
            // It repeats the last choice, and names the price within the usage.
            Self::Openrouter => json!({ "provider": "Scripted", "choices": [{
                "index": 0, "delta": { "role": "assistant", "content": "" },
                "finish_reason": "stop",
            }] }),
            _ => json!({ "choices": [] }),
        }
    }

    /// An error in the stream. `None` where OpenAI's form is used.
    pub(super) fn put_error(self, message: &str, out: &mut BytesMut) -> Option<()> {
        match self {
            Self::Openai | Self::Azure => return None,
            Self::Vllm => {
                let error = json!({ "message": message, "type": "InternalServerError",
                    "param": null, "code": 500 });
                put_data(out, &json!({ "error": error }));
                put(out, "data: [DONE]\n\n");
            }
            Self::LlamaCpp => {
                let error = json!({ "code": 500, "message": message, "type": "server_error" });
                put_data(out, &json!({ "error": error }));
            }
            // It does not see that it is one: an empty chunk, and the end.
            Self::Ollama => put_data(
                out,
                &json!({
                    "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "",
                    "choices": [{ "index": 0, "delta": { "role": "assistant", "content": "" },
                        "finish_reason": null }],
                }),
            ),
            Self::Openrouter => put_data(
                out,
                &json!({
                    "id": "gen-1", "object": "chat.completion.chunk", "provider": "Scripted",
                    "error": { "code": 502, "message": message },
                    "choices": [{ "index": 0, "delta": { "content": "" }, "finish_reason": "error" }],
                }),
            ),
        }
        Some(())
    }
}

fn put_data(out: &mut BytesMut, value: &Value) {
    put(out, "data: ");
    put_json(out, value);
    put(out, "\n\n");
}

fn members(body: &Value) -> impl Iterator<Item = &str> {
    body.as_object().into_iter().flat_map(|members| members.keys().map(String::as_str))
}

fn messages(body: &Value) -> impl Iterator<Item = &Value> {
    body["messages"].as_array().into_iter().flatten()
}

fn has_foreign_image(body: &Value) -> bool {
    let parts = messages(body).filter_map(|message| message["content"].as_array()).flatten();
    let mut urls = parts.filter_map(|part| part["image_url"]["url"].as_str());
    urls.any(|url| !url.starts_with("data:"))
}

fn has_broken_arguments(body: &Value) -> bool {
    let calls = messages(body).filter_map(|message| message["tool_calls"].as_array()).flatten();
    let mut arguments = calls.filter_map(|call| call["function"]["arguments"].as_str());
    arguments.any(|text| serde_json::from_str::<Map<String, Value>>(text).is_err())
}
