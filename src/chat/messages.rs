//! A message in: checked, stored together with its run, answered by the run's events.

use std::{sync::Arc, time::Duration};

use crate::{
    protocol::{
        AttachmentId, ItemId, ItemKind, Order, RunId, ThreadId, ThreadItem, Timestamp, UserId,
        item::{InferenceOptions, Role, UserContent, UserMessage},
    },
    run::{LiveRun, RunEvents, StartError, StartRun, Started, StopReason},
    store::{
        PageQuery,
        record::{IdempotencyKey, NewThread, RunRecord, RunThread},
    },
};

use super::{ChatError, ChatService, Message, rules};

/// How long an idempotency key holds.
pub const KEY_LIFE: Duration = Duration::from_hours(24);
/// How long a Stop waits for its run's end before it answers.
const CANCEL_WAIT: Duration = Duration::from_secs(1);
/// How many of the newest items are looked through for those of a run.
const RUN_ITEMS: usize = 200;

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
    /// Whether the page shows a Stop button.
    pub allow_cancel: bool,
    /// The key that it was posted with.
    pub idempotency: Option<IdempotencyKey>,
    /// What to do when the thread is being answered.
    pub on_busy: OnBusy,
}

/// What to do when the thread is being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBusy {
    /// Refuse the message.
    Refuse,
    /// Stop an answer that nobody watches any more: its user has moved on. Refuse the message
    /// otherwise.
    SupersedeUnwatched,
}

/// A message that is stored, with the events of its run from the beginning.
pub struct Sent {
    /// The run.
    pub run_id: RunId,
    /// The thread.
    pub thread_id: ThreadId,
    /// Whether the same request made the run before.
    pub is_replay: bool,
    /// The run's events.
    pub events: RunEvents,
}

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
    /// Stores a message together with its run, which begins to answer.
    pub async fn send(&self, user: &UserId, message: SendMessage) -> Result<Sent, ChatError> {
        rules::check_content(&message.content)?;
        rules::check_quote(message.quoted_text.as_deref())?;
        rules::check_options(&message.options)?;
        if !message.attachments.is_empty() {
            // No attachment can exist before there is a place for files.
            return Err(ChatError::NotFound);
        }
        let on_busy = message.on_busy;
        let request = start_request(user, message);
        let started = match self.runs.start(request.clone()).await {
            Err(StartError::Busy(run)) if on_busy == OnBusy::SupersedeUnwatched => {
                self.supersede(run).await?;
                self.runs.start(request).await?
            }
            started => started?,
        };
        self.sent(user, started).await
    }

    /// Stops a run that nobody watches, and waits until its thread is free.
    async fn supersede(&self, run: RunId) -> Result<(), ChatError> {
        let live: Arc<LiveRun> = self
            .runs
            .find_live(run)
            .filter(|live| live.reader_count() == 0)
            .ok_or(ChatError::RunActive(run))?;
        live.stop(StopReason::Superseded);
        live.ended().await;
        Ok(())
    }

    async fn sent(&self, user: &UserId, started: Started) -> Result<Sent, ChatError> {
        Ok(match started {
            Started::Now(run) => Sent {
                run_id: run.id,
                thread_id: run.thread_id,
                is_replay: false,
                events: run.read(0).into(),
            },
            Started::Before { run_id, thread_id } => Sent {
                run_id,
                thread_id,
                is_replay: true,
                events: self.watch_run(user, run_id, 0).await?.1,
            },
        })
    }

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
        self.runs.watch(user, id, after).await?.ok_or(ChatError::NotFound)
    }

    /// Stops one of the user's runs. A run that has ended stays as it is.
    pub async fn cancel_run(&self, user: &UserId, id: RunId) -> Result<RunRecord, ChatError> {
        self.store.request_cancel(user, id).await?;
        if let Some(run) = self.runs.find_live(id).filter(|run| run.user_id == *user) {
            run.stop(StopReason::Cancelled);
            // Mostly it has ended by then, and the answer says so.
            let _ = tokio::time::timeout(CANCEL_WAIT, run.ended()).await;
        }
        self.find_run(user, id).await
    }
}

fn start_request(user: &UserId, message: SendMessage) -> StartRun {
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
    let input = ThreadItem {
        id: ItemId::new(),
        thread_id: thread.id(),
        created_at: now,
        kind: ItemKind::UserMessage(UserMessage {
            content: message.content,
            attachments: Vec::new(),
            quoted_text: message.quoted_text,
            inference_options: message.options.clone(),
        }),
    };
    StartRun {
        user_id: user.clone(),
        thread,
        input,
        options: message.options,
        allow_cancel: message.allow_cancel,
        idempotency: message.idempotency,
    }
}
