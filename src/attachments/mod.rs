//! Where the files of attachments are: not here. An [`AttachmentStore`] makes a place for each
//! file and takes it away again; the gateway keeps the records.

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::{
    protocol::{AttachmentId, UserId, attachment::AttachmentKind, attachment::UploadDescriptor},
    store::record::AttachmentRecord,
};

/// A file that a user is about to upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAttachment {
    /// The identifier that it will have.
    pub id: AttachmentId,
    /// Whose it is.
    pub user_id: UserId,
    /// File name, as the client says.
    pub name: String,
    /// Bytes, as the client says.
    pub size: u64,
    /// Media type, as the client says.
    pub mime_type: String,
}

/// A place for a file.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaceForFile {
    /// Shown as a file, or as a picture with a preview.
    pub kind: AttachmentKind,
    /// Where the client is to upload the content; absent when it needs no upload.
    pub upload: Option<UploadDescriptor>,
    /// Kept with the record and never sent to clients.
    pub metadata: Map<String, Value>,
}

/// Why there is no place for a file, or why it cannot be taken away.
#[derive(Debug, thiserror::Error)]
pub enum AttachmentError {
    /// The file is not welcome; the text is for the user.
    #[error("{0}")]
    Refused(String),
    /// The place cannot be reached.
    #[error("the place of the files is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Where files are.
#[async_trait]
pub trait AttachmentStore: Send + Sync + 'static {
    /// Makes a place for a file. The record is kept afterwards; when that fails, the place is left
    /// with nothing in it.
    async fn create(&self, attachment: NewAttachment) -> Result<PlaceForFile, AttachmentError>;

    /// Deletes a file; one that is not there counts as deleted. The record goes afterwards.
    async fn delete(&self, attachment: &AttachmentRecord) -> Result<(), AttachmentError>;
}
