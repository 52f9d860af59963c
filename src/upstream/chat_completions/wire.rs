//! Reading the JSON of chunks. Servers differ in everything but the outline, so that every member
//! may be missing, null or of another type than described.

use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::{Value, value::RawValue};

use crate::{store::record::Usage, upstream::json};

/// The chunk that makes up nearly all of an answer: one choice, nothing in it but text. What is
/// `null` counts as missing.
#[derive(Deserialize)]
struct TextChunk<'a> {
    #[serde(borrow)]
    choices: (TextChoice<'a>,),
    usage: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct TextChoice<'a> {
    index: Option<u64>,
    #[serde(borrow)]
    delta: TextDelta<'a>,
    finish_reason: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct TextDelta<'a> {
    #[serde(borrow)]
    content: &'a RawValue,
    refusal: Option<IgnoredAny>,
    reasoning_content: Option<IgnoredAny>,
    reasoning: Option<IgnoredAny>,
    tool_calls: Option<IgnoredAny>,
    function_call: Option<IgnoredAny>,
}

/// The text of a chunk that has nothing else, in one allocation; `None` for any other chunk, which
/// is then read the slow way.
pub(super) fn only_text(data: &str) -> Option<String> {
    let chunk: TextChunk<'_> = serde_json::from_str(data).ok()?;
    let (TextChoice { index, delta, finish_reason },) = chunk.choices;
    let others = [
        chunk.usage,
        chunk.error,
        finish_reason,
        delta.refusal,
        delta.reasoning_content,
        delta.reasoning,
        delta.tool_calls,
        delta.function_call,
    ];
    let has_others = others.iter().any(Option::is_some) || index.is_some_and(|index| index > 0);
    if has_others { None } else { json::string(delta.content.get()) }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_of_text_is_read_without_a_detour() {
        for chunk in [
            r#"{"choices":[{"delta":{"content":"a\n"}}]}"#,
            r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"a\n","refusal":null,"tool_calls":null},"logprobs":null,"finish_reason":null}],"usage":null,"error":null}"#,
        ] {
            assert_eq!(only_text(chunk).as_deref(), Some("a\n"), "{chunk}");
        }
    }

    #[test]
    fn other_chunks_are_left_to_the_slow_way() {
        let text = r#""content":"a""#;
        for chunk in [
            r#"{"choices":[]}"#.to_owned(),
            r#"{"choices":[{"delta":{"content":null}}]}"#.to_owned(),
            r#"{"choices":[{"delta":{"content":[{"type":"text","text":"a"}]}}]}"#.to_owned(),
            format!(r#"{{"choices":[{{"delta":{{{text}}}}},{{"delta":{{{text}}}}}]}}"#),
            format!(r#"{{"choices":[{{"index":1,"delta":{{{text}}}}}]}}"#),
            format!(r#"{{"choices":[{{"delta":{{{text}}},"finish_reason":"stop"}}]}}"#),
            format!(r#"{{"choices":[{{"delta":{{{text}}}}}],"usage":{{"prompt_tokens":1}}}}"#),
            format!(r#"{{"choices":[{{"delta":{{{text}}}}}],"error":{{"code":500}}}}"#),
            format!(r#"{{"choices":[{{"delta":{{{text},"reasoning":"b"}}}}]}}"#),
            format!(r#"{{"choices":[{{"delta":{{{text},"reasoning_content":"b"}}}}]}}"#),
            format!(r#"{{"choices":[{{"delta":{{{text},"refusal":"b"}}}}]}}"#),
            format!(r#"{{"choices":[{{"delta":{{{text},"tool_calls":[{{}}]}}}}]}}"#),
            format!(r#"{{"choices":[{{"delta":{{{text},"function_call":{{}}}}}}]}}"#),
        ] {
            assert_eq!(only_text(&chunk), None, "{chunk}");
        }
    }
}
