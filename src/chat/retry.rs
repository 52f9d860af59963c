//! An earlier message answered anew.

use crate::{
    protocol::{ItemId, ItemKind, ThreadId, UserId},
    run::Opening,
    store::record::RunThread,
};

use super::{ChatError, ChatService, Posting, Sent};

impl ChatService {
    /// Deletes all that came after one of the user's messages and answers it anew: both happen in
    /// one transaction, or neither.
    pub async fn retry_after(
        &self,
        user: &UserId,
        thread_id: ThreadId,
        item_id: ItemId,
        posting: Posting,
    ) -> Result<Sent, ChatError> {
        let item = self.find_item(user, thread_id, item_id).await?;
        let ItemKind::UserMessage(message) = &item.kind else {
            return Err(ChatError::invalid("item_id must name a message of the user"));
        };
        let options = message.inference_options.clone();
        let thread = RunThread::Existing(thread_id);
        self.begin(user, thread, Opening::Retry(item), options, posting).await
    }
}
