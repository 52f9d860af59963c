//! Workflows and tasks: what the assistant did on the way to its answer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::annotation::Source;

/// A list of steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Workflow {
    /// What it shows.
    #[serde(rename = "type")]
    pub kind: WorkflowKind,
    /// The steps.
    pub tasks: Vec<Task>,
    /// Shown once it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<WorkflowSummary>,
    /// Whether the steps are unfolded.
    #[serde(default)]
    pub expanded: bool,
}

/// What a workflow shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum WorkflowKind {
    /// Steps of the application, such as tool calls.
    Custom,
    /// The model's thoughts.
    Reasoning,
}

/// The line that stands for an ended workflow. With both members, the title wins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum WorkflowSummary {
    /// A text of one's own.
    Title {
        /// The text.
        title: String,
        /// A ChatKit icon.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        icon: Option<String>,
    },
    /// How long it took.
    Duration {
        /// Whole seconds.
        duration: u64,
    },
}

/// A step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Task {
    /// How far it is.
    #[serde(default)]
    pub status_indicator: StatusIndicator,
    /// What it is.
    #[serde(flatten)]
    pub kind: TaskKind,
}

/// How far a task is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StatusIndicator {
    /// Not shown.
    #[default]
    None,
    /// Under way.
    Loading,
    /// Over.
    Complete,
}

/// What a task is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TaskKind {
    /// A step of the application.
    Custom {
        /// Its name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// A ChatKit icon.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        icon: Option<String>,
        /// Markdown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<String>,
    },
    /// A search on the web.
    WebSearch {
        /// Its name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// The query that stands in the title.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title_query: Option<String>,
        /// All queries.
        #[serde(default)]
        queries: Vec<String>,
        /// What was found: URL sources.
        #[serde(default)]
        sources: Vec<Source>,
    },
    /// A thought of the model.
    Thought {
        /// Its heading.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// Markdown.
        content: String,
    },
    /// A search in files.
    File {
        /// Its name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// What was found: file sources.
        #[serde(default)]
        sources: Vec<Source>,
    },
    /// An image being made.
    Image {
        /// Its name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
    },
}
