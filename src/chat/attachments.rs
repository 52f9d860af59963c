//! Files that come with messages.

use std::sync::Arc;

use crate::{
    attachments::{AttachmentError, AttachmentStore, NewAttachment, PlaceForFile},
    protocol::{Attachment, AttachmentId, ThreadId, Timestamp, UserId},
    store::record::AttachmentRecord,
};

use super::{ChatError, ChatService, rules};

impl ChatService {
    fn files(&self) -> Result<&Arc<dyn AttachmentStore>, ChatError> {
        self.files.as_ref().ok_or(ChatError::NotSupported("this server takes no attachments"))
    }

    /// Whether there is a place for files.
    pub fn takes_attachments(&self) -> bool {
        self.files.is_some()
    }

    /// Makes a place for a file that the user is about to upload.
    pub async fn create_attachment(
        &self,
        user: &UserId,
        name: String,
        size: i64,
        mime_type: String,
    ) -> Result<Attachment, ChatError> {
        let files = self.files()?;
        let size = rules::check_file(&name, size, &mime_type)?;
        let id = AttachmentId::new();
        let new = NewAttachment {
            id,
            user_id: user.clone(),
            name: name.clone(),
            size,
            mime_type: mime_type.clone(),
        };
        let PlaceForFile { kind, upload, metadata } = files.create(new).await?;
        let attachment =
            Attachment { id, name, mime_type, upload_descriptor: upload, thread_id: None, kind };
        let record = AttachmentRecord {
            attachment: attachment.clone(),
            user_id: user.clone(),
            metadata,
            created_at: Timestamp::now(),
        };
        self.store.insert_attachment(record).await?;
        Ok(attachment)
    }

    /// Deletes a file, then its record: whoever is interrupted in between can delete again.
    pub async fn delete_attachment(
        &self,
        user: &UserId,
        id: AttachmentId,
    ) -> Result<(), ChatError> {
        let files = self.files()?;
        let found = self.store.find_attachments(user, &[id]).await?;
        let record = found.first().ok_or(ChatError::NotFound)?;
        files.delete(record).await?;
        self.store.delete_attachment(user, id).await?;
        Ok(())
    }

    /// The files of a thread that is about to be deleted.
    pub(super) async fn files_of(
        &self,
        user: &UserId,
        thread_id: ThreadId,
    ) -> Result<Vec<AttachmentRecord>, ChatError> {
        match &self.files {
            Some(_) => Ok(self.store.list_thread_attachments(user, thread_id).await?),
            None => Ok(Vec::new()),
        }
    }

    /// Deletes the files of a thread that is gone. One that cannot be deleted is named in the log.
    pub(super) async fn delete_files(&self, records: Vec<AttachmentRecord>) {
        let Some(files) = &self.files else { return };
        for record in records {
            if let Err(error) = files.delete(&record).await {
                tracing::error!(
                    attachment.id = %record.attachment.id,
                    error = &error as &dyn std::error::Error,
                    "the file of a deleted thread is left behind",
                );
            }
        }
    }
}

impl From<AttachmentError> for ChatError {
    fn from(error: AttachmentError) -> Self {
        match error {
            AttachmentError::Refused(reason) => Self::Invalid(reason),
            AttachmentError::Unavailable(source) => Self::FilesUnavailable(source),
        }
    }
}
