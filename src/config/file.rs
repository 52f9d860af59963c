//! `gateway.toml`.

use serde::Deserialize;

/// The structured part of the configuration. A member that is not known is an error: a misspelt
/// one would silently do nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// `[agent]`.
    #[serde(default)]
    pub agent: AgentFile,
}

/// `[agent]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentFile {
    /// What kind: only `model`.
    #[serde(default)]
    pub kind: AgentKind,
    /// The system's text for the model.
    pub instructions: Option<String>,
    /// What `inference_options.model` may name, besides the configured model.
    #[serde(default)]
    pub models: Vec<String>,
}

/// What kind of agent answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AgentKind {
    /// A model with tools.
    #[default]
    Model,
}
