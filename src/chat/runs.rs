//! What becomes of a run: watched, waited for, stopped.

use std::time::Duration;

use crate::{
    protocol::{ItemKind, Order, RunId, ThreadId, UserId, item::Role},
    run::{RunEvents, StopReason},
    store::{
        PageQuery,
        record::{RunRecord, StopRequest},
    },
};

use super::{ChatError, ChatService, Message, Sent};

/// How long a Stop waits for its run's end before it answers.
const CANCEL_WAIT: Duration = Duration::from_secs(1);
/// Behind every event of a run: who reads from there waits for its end.
const BEHIND_ALL: u64 = i64::MAX.unsigned_abs();
/// How many of the newest items are looked through for those of a run.
const RUN_ITEMS: usize = 200;

/// What came of a run, once it has ended.
#[derive(Clone, Debug)]
pub struct RunResult {
    /// The run.
    pub run: RunRecord,
    /// What the user said.
    pub user_message: Option<Message>,
    /// The last thing that the assistant said.
    pub message: Option<Message>,
}

impl ChatService {
    /// Waits for the end of a run and answers what came of it.
    pub async fn wait(&self, user: &UserId, sent: Sent) -> Result<RunResult, ChatError> {
        let (run_id, thread_id) = (sent.run_id, sent.thread_id);
        sent.events.drained().await;
        let run = self.find_run(user, run_id).await?;
        let query = PageQuery { limit: RUN_ITEMS, order: Order::Desc, after: None };
        let newest = self.store.list_items(user, thread_id, query).await?;
        let of_run = newest.ok_or(ChatError::NotFound)?.data.into_iter();
        let of_run: Vec<Message> = of_run
            .filter(|record| record.run_id == Some(run_id))
            .filter(|record| !record.item.kind.is_hidden())
            .map(Message::from)
            .collect();
        let said_by = |role| {
            let is_message = |message: &&Message| {
                matches!(
                    message.item.kind,
                    ItemKind::AssistantMessage(_) | ItemKind::UserMessage(_)
                )
            };
            of_run.iter().filter(is_message).find(|message| message.role == role).cloned()
        };
        Ok(RunResult { run, user_message: said_by(Role::User), message: said_by(Role::Assistant) })
    }

    /// One of the user's runs.
    pub async fn find_run(&self, user: &UserId, id: RunId) -> Result<RunRecord, ChatError> {
        self.store.find_run(user, id).await?.ok_or(ChatError::NotFound)
    }

    /// The thread of one of the user's runs, and the run's events above `after`: those that were,
    /// then those that come.
    pub async fn watch_run(
        &self,
        user: &UserId,
        id: RunId,
        after: u64,
    ) -> Result<(ThreadId, RunEvents), ChatError> {
        Ok(self.runs.watch(user, id, after).await?)
    }

    /// Stops one of the user's runs. A run that has ended stays as it is.
    pub async fn cancel_run(&self, user: &UserId, id: RunId) -> Result<RunRecord, ChatError> {
        let is_asked = self.store.request_stop(user, id, StopRequest::Cancel).await?;
        if let Some(run) = self.runs.find_live(id).filter(|run| run.user_id == *user) {
            run.stop(StopReason::Cancelled);
            // Mostly it has ended by then, and the answer says so.
            let _ = tokio::time::timeout(CANCEL_WAIT, run.ended()).await;
        } else if is_asked {
            self.runs.stop_elsewhere(id).await;
            let ended = async {
                if let Ok((_, events)) = self.watch_run(user, id, BEHIND_ALL).await {
                    events.drained().await;
                }
            };
            let _ = tokio::time::timeout(CANCEL_WAIT, ended).await;
        }
        self.find_run(user, id).await
    }
}
