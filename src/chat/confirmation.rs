//! The user's decision about a call of a tool: bound to the call that was shown, once, in time.

use crate::{
    agent::WidgetAction,
    protocol::{
        ItemKind, ThreadId, ThreadItem, Timestamp, UserId,
        confirmation::{self, Choice, Settled},
    },
    run::Opening,
    store::record::{RunThread, ToolCallRecord, ToolCallState},
};

use super::{ChatError, ChatService, OnBusy, Posting, Sent, client_tools::newest_options};

/// What the model is told of a call that the user did not want.
const DECLINED: &str = "The user declined this call. It was not made: do not repeat it unasked.";
/// What it is told of one about which the user decided too late.
const EXPIRED: &str = "The user did not answer in time. This call was not made.";

/// What the user pressed in a widget that asks about a call.
pub(super) struct Decision {
    choice: Choice,
    asked: ThreadItem,
    call: ToolCallRecord,
}

impl ChatService {
    /// Reads an action as a decision. `None` when it is none, which is so wherever the gateway did
    /// not ask.
    pub(super) async fn decision(
        &self,
        user: &UserId,
        thread_id: ThreadId,
        action: &WidgetAction,
    ) -> Result<Option<Decision>, ChatError> {
        let Some((choice, asked)) =
            confirmation::choice(&action.action).zip(action.sender.as_ref())
        else {
            return Ok(None);
        };
        let calls = self.store.list_item_calls(user, thread_id, asked.id).await?;
        if calls.is_empty() {
            return Ok(None);
        }
        let is_it = |call: &ToolCallRecord| {
            let ToolCallRecord { run_id, call_id, arguments, .. } = call;
            confirmation::is_bound_to(&action.action, *run_id, call_id, arguments)
        };
        let call = calls.into_iter().find(is_it);
        let call = call.ok_or_else(|| {
            ChatError::invalid("the action does not belong to the call that the widget shows")
        })?;
        Ok(Some(Decision { choice, asked: asked.clone(), call }))
    }

    /// Begins the run that makes the call or tells the model why not. Of several decisions about
    /// one call the first counts, also between instances: the store takes one.
    pub(super) async fn decide(
        &self,
        user: &UserId,
        decision: Decision,
        posting: Posting,
    ) -> Result<Sent, ChatError> {
        let Decision { choice, asked, mut call } = decision;
        if call.state != ToolCallState::Waiting {
            let error = ChatError::NotPending("the call has been decided about");
            return self.started_before(user, &posting, error).await;
        }
        let is_late = Timestamp::now().since(asked.created_at) > self.runs.run_timeout();
        let (settled, state, output) = match choice {
            _ if is_late => (Settled::Expired, ToolCallState::Failed, Some(EXPIRED)),
            Choice::Cancel => (Settled::Declined, ToolCallState::Failed, Some(DECLINED)),
            // From here nobody knows whether it acted, until its outcome is stored.
            Choice::Run => (Settled::Approved, ToolCallState::Started, None),
        };
        (call.state, call.output) = (state, output.map(str::to_owned));
        let mut answered = asked.clone();
        if let ItemKind::Widget(widget) = &mut answered.kind {
            confirmation::settle(widget, settled);
        }
        let thread_id = asked.thread_id;
        let options = newest_options(&self.newest_items(user, thread_id).await?);
        let opening = Opening::Answer { pending: asked, answered, calls: vec![call] };
        // A second click must not stop the run that the first one began, whoever watches it.
        let posting = Posting { on_busy: OnBusy::Refuse, ..posting };
        self.begin(user, RunThread::Existing(thread_id), opening, options, posting).await
    }
}
