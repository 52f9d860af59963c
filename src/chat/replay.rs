//! A run whose events are gone, told once more from what is in the thread: for a client that
//! repeats a request by its idempotency key, which outlives the events.

use crate::{
    protocol::{
        ItemKind, Order, RunId, Thread, ThreadEvent, ThreadId, UserId, event::ErrorEvent,
        event::StreamOptions,
    },
    run::RunEvents,
    store::{PageQuery, record::ItemRecord},
};

use super::{ChatError, ChatService};

/// How many of the newest items are looked through for those of the run.
const NEWEST: usize = 200;

impl ChatService {
    /// The events that would bring a page to where the run has brought its thread.
    pub(super) async fn retell(
        &self,
        user: &UserId,
        thread_id: ThreadId,
        run_id: RunId,
    ) -> Result<RunEvents, ChatError> {
        let run = self.find_run(user, run_id).await?;
        let thread = self.find_thread(user, thread_id).await?;
        let newest = PageQuery { limit: NEWEST, order: Order::Desc, after: None };
        let page = self.store.list_items(user, thread_id, newest).await?;
        let page = page.ok_or(ChatError::NotFound)?;
        let is_whole = !page.has_more;
        let of_run = |record: &ItemRecord| record.run_id == Some(run_id);
        // The run that made the first item made the thread.
        let made_thread = is_whole && page.data.last().is_some_and(of_run);
        let items = page.data.into_iter().rev().filter(of_run).map(|record| record.item);
        let (messages, others): (Vec<_>, Vec<_>) = items
            .filter(|item| !item.kind.is_hidden())
            .partition(|item| matches!(item.kind, ItemKind::UserMessage(_)));

        let done = |item| ThreadEvent::ItemDone { item: Box::new(item) };
        let mut events = Vec::new();
        if made_thread {
            events.push(ThreadEvent::ThreadCreated { thread: Box::new(Thread::from(&thread)) });
        }
        events.extend(messages.into_iter().map(done));
        let stream_options = StreamOptions { allow_cancel: false };
        events.push(ThreadEvent::StreamOptions { stream_options });
        events.extend(others.into_iter().map(done));
        if let Some(error) = run.error {
            events.push(ThreadEvent::Error(ErrorEvent::custom(error.message, true)));
        }
        Ok(RunEvents::of(&events))
    }
}
