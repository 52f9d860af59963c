//! What a tool in the user's page gave.

use serde_json::Value;

use crate::{
    protocol::{
        ItemKind, Order, ThreadId, ThreadItem, UserId,
        item::{ClientToolStatus, InferenceOptions},
    },
    run::Opening,
    store::{PageQuery, record::RunThread},
};

use super::{ChatError, ChatService, Posting, Sent};

/// How many of the newest items are looked at.
const NEWEST: usize = 20;

impl ChatService {
    /// Completes the client tool call that is the thread's newest item; the answer goes on. Older
    /// calls that wait among the newest items are deleted: the request does not say which call it
    /// means, and the page answers the newest.
    pub async fn add_client_tool_output(
        &self,
        user: &UserId,
        thread_id: ThreadId,
        output: Value,
        posting: Posting,
    ) -> Result<Sent, ChatError> {
        let mut newest = self.newest_items(user, thread_id).await?.into_iter();
        let Some(pending) = newest.next().filter(is_pending) else {
            let error = ChatError::NotPending("the newest item is no client tool call that waits");
            return self.started_before(user, &posting, error).await;
        };
        let older: Vec<ThreadItem> = newest.collect();
        let stale = older.iter().filter(|item| is_pending(item)).map(|item| item.id).collect();
        let mut completed = pending.clone();
        if let ItemKind::ClientToolCall(call) = &mut completed.kind {
            call.status = ClientToolStatus::Completed;
            // As in the SDK, `null` is kept as no output.
            call.output = Some(output).filter(|output| !output.is_null());
        }
        let opening = Opening::ClientToolOutput { pending, completed, stale };
        let thread = RunThread::Existing(thread_id);
        self.begin(user, thread, opening, newest_options(&older), posting).await
    }

    /// The newest items, newest first.
    pub(super) async fn newest_items(
        &self,
        user: &UserId,
        thread_id: ThreadId,
    ) -> Result<Vec<ThreadItem>, ChatError> {
        let query = PageQuery { limit: NEWEST, order: Order::Desc, after: None };
        let page = self.store.list_items(user, thread_id, query).await?;
        let page = page.ok_or(ChatError::NotFound)?;
        Ok(page.data.into_iter().map(|record| record.item).collect())
    }
}

fn is_pending(item: &ThreadItem) -> bool {
    matches!(&item.kind, ItemKind::ClientToolCall(call) if call.status == ClientToolStatus::Pending)
}

/// The choice of model and tool that the user made last, for a turn that goes on with it.
pub(super) fn newest_options(newest_first: &[ThreadItem]) -> InferenceOptions {
    let message = newest_first.iter().find_map(|item| match &item.kind {
        ItemKind::UserMessage(message) => Some(message),
        _ => None,
    });
    message.map(|message| message.inference_options.clone()).unwrap_or_default()
}
