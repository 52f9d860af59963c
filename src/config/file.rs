//! `gateway.toml`.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;
use serde_json::{Value, json};

/// The structured part of the configuration. A member that is not known is an error: a misspelt
/// one would silently do nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// `[agent]`.
    #[serde(default)]
    pub agent: AgentFile,
    /// `[[client_tools]]`: tools that run in the user's page.
    #[serde(default)]
    pub client_tools: Vec<ClientToolFile>,
    /// `[tools]`: the gateway's own.
    #[serde(default)]
    pub tools: ToolsFile,
    /// `[mcp]`: tools of other servers.
    #[serde(default)]
    pub mcp: McpFile,
}

/// `[agent]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentFile {
    /// What kind.
    #[serde(default)]
    pub kind: AgentKind,
    /// Where a remote agent is asked.
    pub url: Option<String>,
    /// The variable that holds the secret which requests to it are signed with.
    pub secret_env: Option<String>,
    /// The system's text for the model.
    pub instructions: Option<String>,
    /// How many tokens of the conversation the model is told, about; the oldest turns go first.
    pub history_tokens: Option<usize>,
    /// What `inference_options.model` may name, besides the configured model.
    #[serde(default)]
    pub models: Vec<String>,
    /// Tools that the provider runs itself, as its Responses API takes them: `{ type =
    /// "web_search" }`.
    #[serde(default)]
    pub hosted_tools: Vec<Value>,
}

/// An entry of `[[client_tools]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientToolFile {
    /// What the model calls and the page knows it by.
    pub name: String,
    /// What the model reads.
    pub description: String,
    /// JSON Schema of an object; without one the tool takes no arguments.
    #[serde(default = "no_arguments")]
    pub parameters: Value,
}

fn no_arguments() -> Value {
    json!({ "type": "object", "properties": {} })
}

/// What kind of agent answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AgentKind {
    /// A model with tools.
    #[default]
    Model,
    /// A service in another process.
    Remote,
}

/// `[tools]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolsFile {
    /// Whether the model may ask the user by a form.
    #[serde(default)]
    pub ask_user: bool,
}

/// `[mcp]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpFile {
    /// `[[mcp.servers]]`.
    #[serde(default)]
    pub servers: Vec<McpServerFile>,
}

/// An entry of `[[mcp.servers]]`: it has either a `url` or a `command`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpServerFile {
    /// Stands before the names of its tools.
    pub name: String,
    /// Where it speaks Streamable HTTP.
    pub url: Option<Hidden>,
    /// Sent with every request; `${NAME}` stands for a variable, `{user_id}` for the caller.
    #[serde(default)]
    pub headers: BTreeMap<String, Hidden>,
    /// The program that is started.
    pub command: Option<String>,
    /// Its arguments.
    #[serde(default)]
    pub args: Vec<Hidden>,
    /// Its variables; `${NAME}` stands for one of the gateway's.
    #[serde(default)]
    pub env: BTreeMap<String, Hidden>,
    /// Which of its tools are offered: names, or beginnings of names with a `*` behind them.
    pub allowed_tools: Option<Vec<String>>,
    /// How long a call may take, in seconds.
    pub timeout_s: Option<u64>,
    /// Whether the user is asked before a call, unless the tool only reads.
    #[serde(default)]
    pub confirm: bool,
    /// Whether its results may show widgets and the like, and act in the page.
    #[serde(default)]
    pub show: bool,
}

/// A text that may hold a secret and is therefore never printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
