//! Gives a thread its title, beside the answer to its first message.

use std::{sync::Arc, time::Duration};

use crate::{
    agent::TitleMaker,
    protocol::{Thread, ThreadEvent, Timestamp},
    store::{StoreError, record::ThreadPatch},
};

use super::{LiveRun, Runs, log::Interjection};

/// The pause before another try while an event is being committed.
const PAUSE: Duration = Duration::from_millis(10);

/// Makes and keeps the title; shows it while the answer is still under way.
pub(super) async fn give_title(
    runs: Runs,
    run: Arc<LiveRun>,
    maker: Arc<dyn TitleMaker>,
    message: String,
) {
    let title = tokio::select! {
        title = maker.title(&message) => title,
        // Nobody waits for a title.
        () = runs.inner.closing.cancelled() => None,
    };
    let Some(title) = title else { return };
    match keep(&runs, &run, &title).await {
        Ok(Some(thread)) => show(&run, thread).await,
        Ok(None) => {}
        Err(error) => tracing::warn!(thread.id = %run.thread_id, error = %error, "no title kept"),
    }
}

/// Keeps the title unless the thread has one by now, or is gone.
async fn keep(runs: &Runs, run: &LiveRun, title: &str) -> Result<Option<Thread>, StoreError> {
    let store = &runs.inner.store;
    let thread = store.find_thread(&run.user_id, run.thread_id).await?;
    if thread.is_none_or(|thread| thread.title.is_some()) {
        return Ok(None);
    }
    let patch = ThreadPatch { title: Some(Some(title.to_owned())), ..ThreadPatch::default() };
    let now = Timestamp::now();
    let thread = store.update_thread(&run.user_id, run.thread_id, patch, now).await?;
    run.thread.note_title(title);
    Ok(thread.as_ref().map(Thread::from))
}

async fn show(run: &LiveRun, thread: Thread) {
    let event = ThreadEvent::ThreadUpdated { thread: Box::new(thread) };
    while run.log.interject(&event) == Interjection::NotNow {
        tokio::time::sleep(PAUSE).await;
    }
}
