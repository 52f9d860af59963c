//! Something was done with a widget, or by the page itself.

use std::time::Duration;

use tokio::time::timeout;

use crate::{
    agent::{ActionCaller, WidgetAction},
    protocol::{
        ItemKind, ThreadItem, Timestamp, UserId, item::InferenceOptions, request::CustomAction,
    },
    run::Opening,
    store::record::RunThread,
};

use super::{ChatError, ChatService, Posting, Sent};

/// How long an agent may take for an answer at once: as long as a tool.
const AT_ONCE: Duration = Duration::from_secs(30);

impl ChatService {
    /// The agent answers an action with a run.
    pub async fn act(
        &self,
        user: &UserId,
        action: CustomAction,
        posting: Posting,
    ) -> Result<Sent, ChatError> {
        let thread_id = action.thread_id;
        let action = self.with_sender(user, action).await?;
        if let Some(decision) = self.decision(user, thread_id, &action).await? {
            return self.decide(user, decision, posting).await;
        }
        let (thread, opening) = (RunThread::Existing(thread_id), Opening::Action(action));
        self.begin(user, thread, opening, InferenceOptions::default(), posting).await
    }

    /// The agent answers an action at once: with the widget as it is now, which is kept, or with
    /// nothing.
    pub async fn act_at_once(
        &self,
        user: &UserId,
        action: CustomAction,
    ) -> Result<Option<ThreadItem>, ChatError> {
        let thread = self.find_thread(user, action.thread_id).await?;
        let action = self.with_sender(user, action).await?;
        let history = self.runs.history(thread.id);
        let caller = ActionCaller { user_id: user.clone(), thread, history };
        let chat = self.clone();
        // What was begun is finished, also when the client leaves: it may have acted already.
        let work = async move { timeout(AT_ONCE, chat.sync_action(caller, action)).await };
        match self.runs.finish(work).await {
            Some(Ok(answer)) => answer,
            Some(Err(_)) | None => Err(ChatError::AgentFailed(None)),
        }
    }

    async fn sync_action(
        &self,
        caller: ActionCaller,
        action: WidgetAction,
    ) -> Result<Option<ThreadItem>, ChatError> {
        let (user, thread_id) = (caller.user_id.clone(), caller.thread.id);
        let Some(item) = self.agent.sync_action(caller, action).await? else { return Ok(None) };
        let items = std::slice::from_ref(&item);
        let is_kept = self.store.upsert_items(&user, thread_id, items, Timestamp::now()).await?;
        if is_kept { Ok(Some(item)) } else { Err(ChatError::NotFound) }
    }

    async fn with_sender(
        &self,
        user: &UserId,
        request: CustomAction,
    ) -> Result<WidgetAction, ChatError> {
        let Some(item_id) = request.item_id else {
            return Ok(WidgetAction { action: request.action, sender: None });
        };
        let sender = self.find_item(user, request.thread_id, item_id).await?;
        let ItemKind::Widget(_) = sender.kind else {
            return Err(ChatError::invalid("item_id must name a widget"));
        };
        Ok(WidgetAction { action: request.action, sender: Some(sender) })
    }
}
