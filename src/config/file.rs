//! `gateway.toml`.

use std::{collections::BTreeMap, fmt, num::NonZeroU32};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::LimitsFile;
use crate::upstream::profile::{InstructionsRole, KeyHeader, Server, TokenLimit};

/// The structured part of the configuration. A member that is not known is an error: a misspelt
/// one would silently do nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// `[agent]`.
    #[serde(default)]
    pub agent: AgentFile,
    /// `[model_server]`: what the model's server takes.
    #[serde(default)]
    pub model_server: ModelServerFile,
    /// `[[client_tools]]`: tools that run in the user's page.
    #[serde(default)]
    pub client_tools: Vec<ClientToolFile>,
    /// `[[composer_tools]]`: tools that users may choose for a message.
    #[serde(default)]
    pub composer_tools: Vec<ComposerToolFile>,
    /// `[tools]`: the gateway's own.
    #[serde(default)]
    pub tools: ToolsFile,
    /// `[limits]`: what users and addresses may take.
    #[serde(default)]
    pub limits: LimitsFile,
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
    /// Which of the gateway's tools a remote agent may call: names, or beginnings of names with a
    /// `*` behind them.
    #[serde(default)]
    pub tools: Vec<String>,
    /// Which claims of the user's login a remote agent is told: "email", "name".
    #[serde(default)]
    pub claims: Vec<String>,
    /// The system's text for the model.
    pub instructions: Option<String>,
    /// How many tokens of the conversation the model is told, about; the oldest turns go first.
    pub history_tokens: Option<usize>,
    /// What `inference_options.model` may name, besides the configured model.
    #[serde(default)]
    pub models: Vec<ModelFile>,
    /// Tools that the provider runs itself, as its Responses API takes them: `{ type =
    /// "web_search" }`.
    #[serde(default)]
    pub hosted_tools: Vec<HostedTool>,
}

/// `[model_server]`: what is said here goes before what is known of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelServerFile {
    /// Which server it is, unless `OPENAI_PROFILE` says so; told from its address without both.
    pub profile: Option<Server>,
    /// How the key is presented.
    pub key_header: Option<KeyHeader>,
    /// Whether a stream is asked for its usage.
    pub include_usage: Option<bool>,
    /// In which role the instructions go.
    pub instructions_role: Option<InstructionsRole>,
    /// What the limit of an answer's tokens is called.
    pub token_limit: Option<TokenLimit>,
    /// Whether images may be given by an address that the server fetches.
    pub fetches_images: Option<bool>,
    /// The longest answer, in tokens.
    pub max_output_tokens: Option<NonZeroU32>,
    /// Members of every request, beside those that the gateway makes.
    #[serde(default)]
    pub extra_body: Map<String, Value>,
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

/// A tool that the provider runs itself. It may hold a secret, and is printed by its type alone.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct HostedTool(pub Value);

impl Eq for HostedTool {}

impl fmt::Debug for HostedTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0["type"])
    }
}

/// An entry of `models` in `[agent]`: a name, or `{ id = "fast", model = "gpt-5-nano" }` where the
/// page has another name for it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a model is a name, or has an id and a model")]
pub enum ModelFile {
    /// The name, for the page and the model's server.
    Name(String),
    /// A name for each.
    Named(NamedModelFile),
}

/// A model with a name for the page.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedModelFile {
    /// What the page calls it.
    pub id: String,
    /// What the model's server calls it.
    pub model: String,
}

/// An entry of `[[composer_tools]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComposerToolFile {
    /// What the page calls it.
    pub id: String,
    /// Names of tools, types of the provider's tools, or beginnings of names with a `*` behind them.
    pub tools: Vec<String>,
    /// Whether the model has to begin with a call of one of them.
    #[serde(default = "yes")]
    pub required: bool,
    /// Whether the model knows of them in no other turn.
    #[serde(default)]
    pub only_when_chosen: bool,
}

fn yes() -> bool {
    true
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
