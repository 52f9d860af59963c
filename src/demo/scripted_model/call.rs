//! A request to the model, in a form that both dialects share.

use std::collections::HashSet;

use axum::http::{HeaderMap, header};
use serde_json::Value;

use super::Manner;
use crate::upstream::{FunctionTool, InputItem, InputPart};

/// Which API was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `POST /v1/responses`.
    Responses,
    /// `POST /v1/chat/completions`.
    ChatCompletions,
}

/// A request to the model.
#[derive(Clone, Debug)]
pub struct ModelCall {
    /// Counts the calls of this server, from 1.
    pub number: u64,
    /// Which API was asked.
    pub dialect: Dialect,
    /// As which server Chat Completions are spoken.
    pub manner: Manner,
    /// Whether the answer is a stream of events or one JSON object.
    pub stream: bool,
    /// Whether a Chat Completions stream ends with its usage.
    pub include_usage: bool,
    /// The model's name.
    pub model: String,
    /// The system's text; several system messages are joined by newlines.
    pub instructions: Option<String>,
    /// The conversation, oldest first. Parts other than text and images are left out.
    pub input: Vec<InputItem>,
    /// What may be called.
    pub tools: Vec<FunctionTool>,
    /// The request's headers, credentials included.
    pub headers: HeaderMap,
    /// The whole request as it came.
    pub body: Value,
    /// Tokens that the request is said to be: four bytes each.
    pub input_tokens: u64,
}

impl ModelCall {
    /// Reads a request.
    ///
    /// # Errors
    ///
    /// A sentence for a 400 when OpenAI would refuse the request: no JSON, no model, no input, a
    /// call without its output or an output without its call, a part of the wrong kind.
    pub(super) fn read(dialect: Dialect, headers: HeaderMap, bytes: &[u8]) -> Result<Self, String> {
        let body: Value = serde_json::from_slice(bytes)
            .map_err(|error| format!("could not parse the JSON body of your request: {error}"))?;
        let model = body["model"].as_str().unwrap_or_default();
        if model.is_empty() {
            return Err("you must provide a model parameter".to_owned());
        }
        let mut call = Self {
            number: 0,
            dialect,
            manner: Manner::default(),
            stream: body["stream"].as_bool().unwrap_or(false),
            include_usage: body["stream_options"]["include_usage"].as_bool().unwrap_or(false),
            model: model.to_owned(),
            instructions: body["instructions"].as_str().map(str::to_owned),
            input: Vec::new(),
            tools: Vec::new(),
            headers,
            body: Value::Null,
            input_tokens: (bytes.len() as u64).div_ceil(4),
        };
        match dialect {
            Dialect::Responses => super::responses::read_input(&mut call, &body)?,
            Dialect::ChatCompletions => super::chat::read_messages(&mut call, &body)?,
        }
        check_calls(&call.input)?;
        call.body = body;
        Ok(call)
    }

    /// Whether the answer goes on when its reader leaves.
    pub fn is_background(&self) -> bool {
        self.dialect == Dialect::Responses && self.body["background"] == true
    }

    /// What the user said last, its text parts joined by newlines; empty when there is none.
    pub fn last_user_text(&self) -> String {
        self.input.iter().rev().find_map(user_text).unwrap_or_default()
    }

    /// What the user said first; empty when there is none.
    pub fn first_user_text(&self) -> String {
        self.input.iter().find_map(user_text).unwrap_or_default()
    }

    /// What followed the user's last message: calls, outputs, the model's own text.
    pub fn since_last_user(&self) -> &[InputItem] {
        let user = self.input.iter().rposition(|item| matches!(item, InputItem::User(_)));
        user.map_or(&[], |position| &self.input[position + 1..])
    }

    /// The outputs of the calls that the model made last, each with its function's name; empty
    /// unless the input ends with one.
    pub fn new_outputs(&self) -> Vec<(&str, &str)> {
        if !matches!(self.input.last(), Some(InputItem::FunctionCallOutput { .. })) {
            return Vec::new();
        }
        let is_said =
            |item: &InputItem| matches!(item, InputItem::User(_) | InputItem::Assistant { .. });
        let begin = self.input.iter().rposition(is_said).map_or(0, |position| position + 1);
        let outputs = self.input[begin..].iter().filter_map(|item| match item {
            InputItem::FunctionCallOutput { call_id, output } => {
                Some((self.name_of(call_id), output.as_str()))
            }
            _ => None,
        });
        outputs.collect()
    }

    /// Whether this function may be called.
    pub fn offers(&self, name: &str) -> bool {
        self.tools.iter().any(|tool| tool.name == name)
    }

    /// Whether it asks for the title of a thread.
    pub fn wants_title(&self) -> bool {
        let begins = |text: &str| text.trim_start().to_lowercase().starts_with("write a title");
        self.instructions.as_deref().is_some_and(begins)
    }

    /// The key that was presented.
    pub fn bearer(&self) -> Option<&str> {
        self.headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
    }

    fn name_of(&self, wanted: &str) -> &str {
        let mut calls = self.input.iter().filter_map(|item| match item {
            InputItem::FunctionCall { call_id, name, .. } => Some((call_id, name)),
            _ => None,
        });
        calls.rfind(|(id, _)| *id == wanted).map_or("", |(_, name)| name)
    }
}

/// Adds a line to the system's text.
pub(super) fn add_instructions(call: &mut ModelCall, text: &str) {
    match &mut call.instructions {
        Some(instructions) => {
            instructions.push('\n');
            instructions.push_str(text);
        }
        None => call.instructions = Some(text.to_owned()),
    }
}

fn user_text(item: &InputItem) -> Option<String> {
    let InputItem::User(parts) = item else { return None };
    let texts = parts.iter().filter_map(|part| match part {
        InputPart::Text(text) => Some(text.as_str()),
        InputPart::Image { .. } => None,
    });
    Some(texts.collect::<Vec<_>>().join("\n"))
}

/// Every call has exactly one output, after it.
fn check_calls(input: &[InputItem]) -> Result<(), String> {
    let mut open = HashSet::new();
    for item in input {
        match item {
            InputItem::FunctionCall { call_id, .. } => {
                if call_id.is_empty() || !open.insert(call_id) {
                    return Err(format!("function call `{call_id}` has no id of its own"));
                }
            }
            InputItem::FunctionCallOutput { call_id, .. } => {
                if !open.remove(call_id) {
                    return Err(format!("no function call found for output `{call_id}`"));
                }
            }
            InputItem::User(_)
            | InputItem::Assistant { .. }
            | InputItem::Reasoning(_)
            | InputItem::Hosted(_) => {}
        }
    }
    match open.into_iter().next() {
        Some(call_id) => Err(format!("no tool output found for function call `{call_id}`")),
        None => Ok(()),
    }
}
