//! The tools there are, and the one way to call them: bounded in time and size, whatever the tool
//! or the model does.

use std::{collections::HashSet, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use serde_json::{Map, Value};

use super::{Tool, ToolContext, ToolOutput};

/// The longest name of a tool, which is OpenAI's limit.
const MAX_NAME_LEN: usize = 64;

/// How long a call may take where nothing else is said: what people wait for.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// How much text the model gets of a call, in bytes, some 25,000 tokens; the rest is cut off with
/// a note.
pub const MAX_OUTPUT_BYTES: usize = 100 * 1024;

/// Why a set of tools cannot be offered: the program or its configuration is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The models' APIs would refuse the name.
    #[error("tool name {0:?} does not match ^[a-zA-Z0-9_-]{{1,64}}$")]
    InvalidName(String),
    /// The model could not tell the two apart.
    #[error("two tools are named {0:?}")]
    DuplicateName(String),
    /// The schema of the arguments is no JSON object.
    #[error("the parameters of tool {0:?} are no JSON Schema object")]
    InvalidParameters(String),
}

/// The tools there are, in the order in which the model is told of them. Cheap to clone.
#[derive(Clone, Default)]
pub struct ToolRegistry {
    tools: Arc<[Arc<dyn Tool>]>,
}

impl ToolRegistry {
    /// A registry of these tools.
    pub fn new(tools: Vec<Arc<dyn Tool>>) -> Result<Self, RegistryError> {
        let mut names = HashSet::new();
        for tool in &tools {
            let spec = tool.spec();
            if !is_valid_name(&spec.name) {
                return Err(RegistryError::InvalidName(spec.name.clone()));
            }
            if !names.insert(&spec.name) {
                return Err(RegistryError::DuplicateName(spec.name.clone()));
            }
            if !spec.parameters.is_object() {
                return Err(RegistryError::InvalidParameters(spec.name.clone()));
            }
        }
        Ok(Self { tools: tools.into() })
    }

    /// All tools.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Tool>> {
        self.tools.iter()
    }

    /// Whether it is a clone of the other.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.tools, &other.tools)
    }

    /// Those whose names are so.
    pub(crate) fn only(&self, is_wanted: impl Fn(&str) -> bool) -> Self {
        let wanted = self.iter().filter(|tool| is_wanted(&tool.spec().name));
        Self { tools: wanted.cloned().collect() }
    }

    /// The tool of that name.
    pub fn find(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.tools.iter().find(|tool| tool.spec().name == name)
    }

    /// Calls a tool with arguments as a model wrote them: the text of a JSON object, or nothing at
    /// all, which is what models send to a tool without arguments. `timeout` is for tools that do
    /// not say how long a call may take.
    ///
    /// Never fails and never panics: an unknown tool, bad arguments, a panic, the end of the time
    /// and a cancellation are error outputs that tell the model what to do.
    pub async fn call(
        &self,
        context: &ToolContext,
        name: &str,
        arguments: &str,
        timeout: Duration,
    ) -> ToolOutput {
        match parse_object(arguments) {
            Ok(arguments) => self.call_with(context, name, arguments, timeout).await,
            Err(problem) => ToolOutput::error(problem),
        }
    }

    /// Calls a tool with parsed arguments; otherwise as [`Self::call`].
    pub async fn call_with(
        &self,
        context: &ToolContext,
        name: &str,
        arguments: Map<String, Value>,
        timeout: Duration,
    ) -> ToolOutput {
        let Some(tool) = self.find(name) else {
            return ToolOutput::error(self.unknown_tool(name));
        };
        let output = run(tool.as_ref(), context, arguments, timeout).await;
        ToolOutput { text: cut(output.text, MAX_OUTPUT_BYTES), ..output }
    }

    fn unknown_tool(&self, name: &str) -> String {
        let names: Vec<&str> = self.iter().map(|tool| tool.spec().name.as_str()).collect();
        match names.as_slice() {
            [] => format!("there is no tool {name:.MAX_NAME_LEN$}, nor any other"),
            names => {
                format!("there is no tool {name:.MAX_NAME_LEN$}; there are: {}", names.join(", "))
            }
        }
    }
}

/// Whether a configuration that says `name` means this tool: a `*` at the end stands for any end.
pub fn is_meant(name: &str, tool: &str) -> bool {
    match name.strip_suffix('*') {
        Some(beginning) => tool.starts_with(beginning),
        None => tool == name,
    }
}

/// Runs a tool until it is done, its time is up, or it is cancelled.
async fn run(
    tool: &dyn Tool,
    context: &ToolContext,
    arguments: Map<String, Value>,
    timeout: Duration,
) -> ToolOutput {
    let name = tool.spec().name.as_str();
    let timeout = tool.timeout().unwrap_or(timeout);
    let cancel = context.cancel.child_token();
    // What a tool has handed to other tasks ends with the call, however the call ends.
    let _guard = cancel.clone().drop_guard();
    let context = ToolContext { cancel: cancel.clone(), ..context.clone() };
    // The block makes a panic before the first await one of the future too.
    let call = AssertUnwindSafe(async { tool.call(&context, arguments).await }).catch_unwind();
    tokio::select! {
        biased;
        () = cancel.cancelled() => ToolOutput::error("the call was cancelled"),
        done = tokio::time::timeout(timeout, call) => match done {
            Ok(Ok(output)) => output,
            Ok(Err(_panic)) => {
                tracing::error!(tool.name = name, "a tool panicked");
                ToolOutput::error(format!("{name} failed because of an internal error"))
            }
            Err(_elapsed) => {
                tracing::warn!(tool.name = name, "a tool ran out of time");
                ToolOutput::error(format!(
                    "{name} was stopped after {timeout:?}; it may or may not have acted"
                ))
            }
        },
    }
}

/// Whether the models' APIs take it as the name of a tool.
pub(crate) fn is_valid_name(name: &str) -> bool {
    (1..=MAX_NAME_LEN).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// The arguments of a call, or what to tell the model about them.
pub(crate) fn parse_object(text: &str) -> Result<Map<String, Value>, String> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(arguments)) => Ok(arguments),
        Ok(_) => Err("wrong arguments: not a JSON object".to_owned()),
        Err(error) => Err(format!("wrong arguments: not valid JSON: {error}")),
    }
}

/// At most `max` bytes of a text: its beginning up to a whole character, and a note.
fn cut(mut text: String, max: usize) -> String {
    if text.len() <= max {
        return text;
    }
    let note = format!("\n[cut: the whole output has {} bytes]", text.len());
    text.truncate(text.floor_char_boundary(max.saturating_sub(note.len())));
    text.push_str(&note);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_the_models_apis_take() {
        for valid in ["a", "add_task", "mcp-time_now", &"x".repeat(64)] {
            assert!(is_valid_name(valid), "{valid}");
        }
        for invalid in ["", "add task", "a.b", "tâche", &"x".repeat(65)] {
            assert!(!is_valid_name(invalid), "{invalid}");
        }
    }

    #[test]
    fn arguments_are_an_object_or_nothing() {
        assert_eq!(parse_object(" \n").unwrap(), Map::new());
        assert_eq!(parse_object(r#"{"a":1}"#).unwrap()["a"], 1);
        for wrong in ["[]", "null", "\"{}\"", "{", "{} {}"] {
            assert!(parse_object(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_says_so() {
        let text = "€".repeat(100);

        let short = cut(text, 100);

        assert!(short.len() <= 100);
        assert!(short.starts_with("€€"));
        assert!(short.ends_with("\n[cut: the whole output has 300 bytes]"));
        assert_eq!(cut("as it is".to_owned(), 8), "as it is");
    }
}
