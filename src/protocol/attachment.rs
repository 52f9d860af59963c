//! Files and images that a user attaches.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AttachmentId, ThreadId};

/// An attachment on the wire. What the server keeps about it privately is not part of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Attachment {
    /// Its identifier.
    pub id: AttachmentId,
    /// File name.
    pub name: String,
    /// Media type, parameters included.
    pub mime_type: String,
    /// Where the client is to upload the content; gone once that has happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_descriptor: Option<UploadDescriptor>,
    /// The thread of the message that it came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<ThreadId>,
    /// File or image.
    #[serde(flatten)]
    pub kind: AttachmentKind,
}

/// File or image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AttachmentKind {
    /// Shown as a file.
    File,
    /// Shown as a picture.
    Image {
        /// Where a small version can be had.
        preview_url: String,
    },
}

/// How to upload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UploadDescriptor {
    /// Where to.
    pub url: String,
    /// `POST` or `PUT`.
    pub method: String,
    /// Headers to send along.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}
