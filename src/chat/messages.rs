//! A message in: checked, stored together with its run, answered by the run's events.

use std::time::Duration;

use crate::{
    protocol::{
        Attachment, AttachmentId, ItemId, ItemKind, ThreadId, ThreadItem, Timestamp, UserId,
        item::{InferenceOptions, UserContent, UserMessage},
    },
    run::Opening,
    store::record::{NewThread, RunThread},
};

use super::{ChatError, ChatService, Posting, Sent, rules};

/// How long an idempotency key holds.
pub const KEY_LIFE: Duration = Duration::from_hours(24);

/// A message to be sent.
#[derive(Clone, Debug)]
pub struct SendMessage {
    /// Where to; a new thread when absent.
    pub thread_id: Option<ThreadId>,
    /// Text and tags.
    pub content: Vec<UserContent>,
    /// What comes with it.
    pub attachments: Vec<AttachmentId>,
    /// The part of an earlier message that it answers.
    pub quoted_text: Option<String>,
    /// The user's choice of model and tool.
    pub options: InferenceOptions,
}

impl ChatService {
    /// Stores a message together with its run, which begins to answer.
    pub async fn send(
        &self,
        user: &UserId,
        message: SendMessage,
        posting: Posting,
    ) -> Result<Sent, ChatError> {
        rules::check_content(&message.content, !message.attachments.is_empty(), self.limits)?;
        rules::check_quote(message.quoted_text.as_deref())?;
        rules::check_options(&message.options)?;
        let offered = self.agent.check_options(&message.options);
        offered.map_err(|error| ChatError::invalid(error.to_string()))?;
        let now = Timestamp::now();
        let thread = match message.thread_id {
            Some(id) => RunThread::Existing(id),
            None => RunThread::New(NewThread {
                id: ThreadId::new(),
                user_id: user.clone(),
                title: None,
                now,
            }),
        };
        let attachments = self.attached(user, thread.id(), &message.attachments).await?;
        let input = ThreadItem {
            id: ItemId::new(),
            thread_id: thread.id(),
            created_at: now,
            kind: ItemKind::UserMessage(UserMessage {
                content: message.content,
                attachments,
                quoted_text: message.quoted_text,
                inference_options: message.options.clone(),
            }),
        };
        self.begin(user, thread, Opening::Message(input), message.options, posting).await
    }

    /// The attachments of a message as they stand in it.
    async fn attached(
        &self,
        user: &UserId,
        thread_id: ThreadId,
        ids: &[AttachmentId],
    ) -> Result<Vec<Attachment>, ChatError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        rules::check_attachments(ids, self.limits)?;
        let found = self.store.find_attachments(user, ids).await?;
        if found.len() != ids.len() {
            return Err(ChatError::NotFound);
        }
        let in_message = |attachment| Attachment {
            thread_id: Some(thread_id),
            // It was uploaded by now, and an address to write to has no place in a history.
            upload_descriptor: None,
            ..attachment
        };
        Ok(found.into_iter().map(|record| in_message(record.attachment)).collect())
    }
}
