//! The thread as clients see it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Page, ThreadId, ThreadItem, Timestamp};

/// A thread on the wire. Its metadata is private to the server and therefore always `{}` here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Thread {
    /// What the list of threads shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its identifier.
    pub id: ThreadId,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether the composer is open; a display matter only.
    #[serde(default)]
    pub status: ThreadStatus,
    /// Hosts from which widgets may show images; absent means any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_image_domains: Option<Vec<String>>,
    /// Always empty.
    #[serde(default)]
    pub metadata: EmptyObject,
    /// Filled by `threads.get_by_id` only.
    #[serde(default = "Page::empty")]
    pub items: Page<ThreadItem>,
}

/// `{}`, whatever was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EmptyObject {}

/// Whether a thread takes messages. ChatKit shows it; the server is not stopped by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ThreadStatus {
    /// Open.
    #[default]
    Active,
    /// Temporarily not accepting messages.
    Locked {
        /// Shown to the user.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Ended.
    Closed {
        /// Shown to the user.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}
