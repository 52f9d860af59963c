//! What users may choose in the composer for one message: a model, and a tool.
//!
//! ChatKit's page names both by identifiers of its own (`composer.models` and `composer.tools` in
//! its options). What is not offered here is refused before a message is stored.

use serde_json::Value;

use crate::{protocol::item::InferenceOptions, tools::registry::is_meant};

/// How much of an identifier that is not known is said back, in characters.
const SAID_BACK: usize = 64;

/// What may be chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    /// Models, besides the one that answers where none is named.
    pub models: Vec<ModelChoice>,
    /// Tools.
    pub tools: Vec<ComposerTool>,
}

/// A model that may be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelChoice {
    /// What the page calls it.
    pub id: String,
    /// What the model's server calls it.
    pub model: String,
}

/// A tool that may be chosen; to the model it may be several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComposerTool {
    /// What the page calls it.
    pub id: String,
    /// What it is to the model: names of functions, or types of the provider's tools; a `*` at the
    /// end stands for any end.
    pub tools: Vec<String>,
    /// Whether the model has to begin with a call of one of them.
    pub required: bool,
    /// Whether the model knows of them in no other turn.
    pub only_when_chosen: bool,
}

impl ComposerTool {
    fn names(&self, tool: &str) -> bool {
        self.tools.iter().any(|name| is_meant(name, tool))
    }
}

/// Why a choice is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOffered {
    /// There is no such model to be chosen.
    #[error("the model {0:?} cannot be chosen here")]
    Model(String),
    /// There is no such tool to be chosen.
    #[error("the tool {0:?} cannot be chosen here")]
    Tool(String),
}

impl Choices {
    /// Whether nothing may be chosen.
    pub fn is_empty(&self) -> bool {
        self.models.is_empty() && self.tools.is_empty()
    }

    /// Refuses what is not offered. `model` is the one that answers where none is named, which may
    /// be named as well.
    pub fn check(&self, options: &InferenceOptions, model: &str) -> Result<(), NotOffered> {
        let said_back = |id: &str| id.chars().take(SAID_BACK).collect::<String>();
        match &options.model {
            Some(id) if id != model && self.model(options).is_none() => {
                Err(NotOffered::Model(said_back(id)))
            }
            _ => match &options.tool_choice {
                Some(choice) if self.tool(options).is_none() => {
                    Err(NotOffered::Tool(said_back(&choice.id)))
                }
                _ => Ok(()),
            },
        }
    }

    /// A name in the tools that may be chosen which means none of these: most likely a misspelt one.
    /// Those that begin with one of `prefixes` may still come.
    pub fn misspelt<'a>(&'a self, known: &[String], prefixes: &[String]) -> Option<&'a str> {
        let may_come = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
        let is_known = |name: &str| known.iter().any(|tool| is_meant(name, tool));
        let mut names = self.tools.iter().flat_map(|entry| &entry.tools).map(String::as_str);
        names.find(|name| !is_known(name) && !may_come(name))
    }

    /// What the model's server calls the chosen model. `None` where none is chosen, or one that is
    /// offered no more.
    pub fn model(&self, options: &InferenceOptions) -> Option<&str> {
        let id = options.model.as_ref()?;
        self.models.iter().find(|choice| choice.id == *id).map(|choice| choice.model.as_str())
    }

    /// The chosen tool. `None` where none is chosen, or one that is offered no more.
    pub fn tool(&self, options: &InferenceOptions) -> Option<&ComposerTool> {
        let id = &options.tool_choice.as_ref()?.id;
        self.tools.iter().find(|tool| tool.id == *id)
    }

    /// What the model is offered in a turn with these options.
    pub(super) fn offer(&self, options: &InferenceOptions) -> Offer<'_> {
        Offer { choices: self, chosen: self.tool(options) }
    }
}

/// What the model is offered in one turn.
#[derive(Clone, Copy)]
pub(super) struct Offer<'a> {
    choices: &'a Choices,
    chosen: Option<&'a ComposerTool>,
}

impl<'a> Offer<'a> {
    /// Whether it is all there is, in every turn.
    pub(super) fn is_all(&self) -> bool {
        !self.choices.tools.iter().any(|tool| tool.only_when_chosen)
    }

    /// Whether a tool belongs to it.
    pub(super) fn has(&self, tool: &str) -> bool {
        let mut kept_back = self.choices.tools.iter().filter(|entry| entry.only_when_chosen);
        !kept_back.any(|entry| entry.names(tool))
            || self.chosen.is_some_and(|chosen| chosen.names(tool))
    }

    /// The same for a tool that the provider runs itself.
    pub(super) fn has_hosted(&self, tool: &Value) -> bool {
        hosted_names(tool).iter().all(|name| self.has(name))
            || self.chosen.is_some_and(|chosen| names_hosted(chosen, tool))
    }

    /// What the model has to begin with.
    pub(super) fn required(&self) -> Option<Required<'a>> {
        self.chosen.filter(|chosen| chosen.required).map(Required)
    }
}

/// A choice that the model has to begin with.
#[derive(Clone, Copy)]
pub(super) struct Required<'a>(&'a ComposerTool);

impl<'a> Required<'a> {
    pub(super) fn id(self) -> &'a str {
        &self.0.id
    }

    pub(super) fn has(self, tool: &str) -> bool {
        self.0.names(tool)
    }

    pub(super) fn has_hosted(self, tool: &Value) -> bool {
        names_hosted(self.0, tool)
    }
}

fn names_hosted(entry: &ComposerTool, tool: &Value) -> bool {
    hosted_names(tool).iter().any(|name| entry.names(name))
}

/// What a tool of the provider's is called in a configuration: its type, and for an MCP server also
/// `mcp:LABEL`.
pub fn hosted_names(tool: &Value) -> Vec<String> {
    let kind = tool["type"].as_str().unwrap_or_default();
    let label = tool["server_label"].as_str().map(|label| format!("{kind}:{label}"));
    std::iter::once(kind.to_owned()).chain(label).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::item::ToolChoice;

    fn options(model: Option<&str>, tool: Option<&str>) -> InferenceOptions {
        InferenceOptions {
            model: model.map(str::to_owned),
            tool_choice: tool.map(|id| ToolChoice { id: id.to_owned() }),
        }
    }

    fn choices() -> Choices {
        let tool = |id: &str, tools: &[&str], only_when_chosen| ComposerTool {
            id: id.to_owned(),
            tools: tools.iter().map(|&name| name.to_owned()).collect(),
            required: true,
            only_when_chosen,
        };
        Choices {
            models: vec![ModelChoice { id: "fast".to_owned(), model: "m-nano".to_owned() }],
            tools: vec![
                tool("look", &["web_search", "files__*"], false),
                tool("draw", &["image_generation", "mcp:paint", "frame"], true),
            ],
        }
    }

    #[test]
    fn only_what_is_offered_may_be_chosen() {
        let check = |model, tool| choices().check(&options(model, tool), "m");

        for (model, tool) in [(None, None), (Some("m"), None), (Some("fast"), Some("look"))] {
            assert_eq!(check(model, tool), Ok(()), "{model:?} {tool:?}");
        }
        // The name that the server knows it by is not the one that may be chosen.
        assert_eq!(check(Some("m-nano"), None), Err(NotOffered::Model("m-nano".to_owned())));
        assert_eq!(check(Some("fast"), Some("x")), Err(NotOffered::Tool("x".to_owned())));
        let long = "é".repeat(100_000);
        assert_eq!(check(Some(&long), None), Err(NotOffered::Model("é".repeat(64))));
    }

    #[test]
    fn a_tool_that_is_kept_back_is_known_only_where_it_is_chosen() {
        let choices = choices();
        let (without, with) = (options(None, None), options(None, Some("draw")));
        let paint = json!({ "type": "mcp", "server_label": "paint" });

        let (without, with) = (choices.offer(&without), choices.offer(&with));

        assert!(!without.is_all());
        assert!(without.has("files__read") && with.has("files__read"));
        assert!(!without.has("frame") && with.has("frame"));
        assert!(!without.has_hosted(&json!({ "type": "image_generation" })));
        assert!(!without.has_hosted(&paint) && with.has_hosted(&paint));
        assert!(without.has_hosted(&json!({ "type": "mcp", "server_label": "other" })));
    }

    #[test]
    fn a_required_choice_names_what_the_model_begins_with() {
        let choices = choices();
        let chosen = options(None, Some("look"));

        let offer = choices.offer(&chosen);
        let required = offer.required().unwrap();

        assert!(required.has("files__read") && !required.has("add_task"));
        assert!(required.has_hosted(&json!({ "type": "web_search" })));
        assert!(choices.offer(&options(None, None)).required().is_none());
    }
}
