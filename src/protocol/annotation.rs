//! Citations in an assistant's text.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A reference from a place in the text to its source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename = "annotation")]
pub struct Annotation {
    /// What is cited.
    pub source: Source,
    /// Character position of the marker in the part's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
}

/// What every source has. Its members come before those of the kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SourceInfo {
    /// Shown name.
    pub title: String,
    /// Shown below the title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Free text such as a date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// Heading under which sources are grouped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// A cited source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Source {
    /// The members that all sources share.
    #[serde(flatten)]
    pub info: SourceInfo,
    /// The members of its kind.
    #[serde(flatten)]
    pub kind: SourceKind,
}

/// What kind of thing a source is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SourceKind {
    /// A web page.
    Url {
        /// Its address, sent unchanged.
        url: String,
        /// Site name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attribution: Option<String>,
    },
    /// A file.
    File {
        /// Its name.
        filename: String,
    },
    /// A thing of the application.
    Entity {
        /// The application's identifier.
        id: String,
        /// A ChatKit icon.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        icon: Option<String>,
        /// Shown label.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
        /// Label inside the text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inline_label: Option<String>,
        /// Whether it can be clicked.
        #[serde(default)]
        interactive: bool,
        /// Given back to the page's handlers.
        #[serde(default)]
        data: Map<String, Value>,
        /// Deprecated and ignored by clients.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        preview: Option<String>,
    },
}
