//! `gateway.toml`.

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
