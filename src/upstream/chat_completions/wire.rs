//! Reading the JSON of chunks. Servers differ in everything but the outline, so that every member
//! may be missing, null or of another type than described.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::store::record::Usage;

/// What is read of a chunk; the rest is skipped without being copied.
#[derive(Deserialize)]
pub(super) struct Chunk {
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) choices: Vec<Choice>,
    #[serde(default)]
    pub(super) usage: Value,
    #[serde(default)]
    pub(super) error: Value,
}

#[derive(Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    pub(super) index: Value,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) delta: Delta,
    #[serde(default)]
    pub(super) finish_reason: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Delta {
    pub(super) content: Value,
    pub(super) refusal: Value,
    /// `DeepSeek`, llama.cpp, xAI.
    pub(super) reasoning_content: Value,
    /// vLLM, Ollama, OpenRouter.
    pub(super) reasoning: Value,
    pub(super) tool_calls: Value,
    /// The one call of the time before `tool_calls`.
    pub(super) function_call: Value,
}

fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A piece of what the model says, in the order of the content.
pub(super) enum Piece {
    Text(String),
    Thought(String),
}

/// The pieces of a `content`: a string, or a list of parts (Mistral, with its thoughts among
/// them).
pub(super) fn pieces(content: Value) -> Vec<Piece> {
    match content {
        Value::String(text) => vec![Piece::Text(text)],
        Value::Array(parts) => parts.iter().filter_map(piece).collect(),
        _ => Vec::new(),
    }
}

fn piece(part: &Value) -> Option<Piece> {
    match part["type"].as_str()? {
        "text" => Some(Piece::Text(part["text"].as_str()?.to_owned())),
        "thinking" => Some(Piece::Thought(match &part["thinking"] {
            Value::Array(texts) => texts.iter().filter_map(|text| text["text"].as_str()).collect(),
            thoughts => thoughts.as_str()?.to_owned(),
        })),
        _ => None,
    }
}

/// A text member, if it is one and not empty.
pub(super) fn non_empty(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

/// The tokens used. The details may be missing.
pub(super) fn usage(usage: &Value) -> Option<Usage> {
    usage.is_object().then(|| Usage {
        input_tokens: usage["prompt_tokens"].as_u64().unwrap_or(0),
        cached_tokens: usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap_or(0),
        output_tokens: usage["completion_tokens"].as_u64().unwrap_or(0),
        reasoning_tokens: usage["completion_tokens_details"]["reasoning_tokens"]
            .as_u64()
            .unwrap_or(0),
    })
}
