//! A place for files as the recordings' server had one: it answers what the case says.

use std::collections::HashMap;

use async_trait::async_trait;
use chatkit_gateway::{
    attachments::{AttachmentError, AttachmentStore, NewAttachment, PlaceForFile},
    protocol::attachment::{AttachmentKind, UploadDescriptor},
    store::record::AttachmentRecord,
};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Answers each user by the case of that user's name.
#[derive(Default)]
pub(crate) struct ScriptedFiles {
    cases: HashMap<String, String>,
}

impl ScriptedFiles {
    /// Sets a case.
    pub(crate) fn add(&mut self, user: &str, case: String) {
        self.cases.insert(user.to_owned(), case);
    }
}

#[derive(Deserialize)]
struct Case {
    server: Server,
}

#[derive(Deserialize)]
struct Server {
    create_attachment: Created,
}

/// An attachment with `$ID` where its identifier stands.
#[derive(Deserialize)]
struct Created {
    #[serde(flatten)]
    kind: AttachmentKind,
    upload_descriptor: UploadDescriptor,
    #[serde(default)]
    metadata: Map<String, Value>,
}

#[async_trait]
impl AttachmentStore for ScriptedFiles {
    async fn create(&self, new: NewAttachment) -> Result<PlaceForFile, AttachmentError> {
        let case = self.cases[new.user_id.as_str()].replace("$ID", &new.id.to_string());
        let Case { server: Server { create_attachment } } = serde_json::from_str(&case).unwrap();
        let Created { kind, upload_descriptor, metadata } = create_attachment;
        Ok(PlaceForFile { kind, upload: Some(upload_descriptor), metadata })
    }

    async fn delete(&self, attachment: &AttachmentRecord) -> Result<(), AttachmentError> {
        assert!(self.cases.contains_key(attachment.user_id.as_str()));
        Ok(())
    }
}
