//! Threads: made, found, listed, changed, deleted.

use crate::{
    protocol::{Order, Page, ThreadId, Timestamp, UserId, request::ListParams},
    run::StopReason,
    store::{
        PageQuery,
        record::{NewThread, ThreadPatch, ThreadRecord},
    },
    telemetry::audit,
};

use super::{ChatError, ChatService, rules};

/// Entries of a page that says no number.
const DEFAULT_LIMIT: usize = 20;
/// The largest page of threads. The ChatKit page asks for 9999 and follows the cursor.
const MAX_THREADS: usize = 1_000;

/// How many entries to give for a number that was asked for.
pub(super) fn page_limit(asked: Option<i64>, max: usize) -> usize {
    match asked {
        Some(limit) if limit > 0 => usize::try_from(limit).unwrap_or(max).min(max),
        _ => DEFAULT_LIMIT,
    }
}

impl ChatService {
    /// Makes an empty thread.
    pub async fn create_thread(
        &self,
        user: &UserId,
        title: Option<String>,
    ) -> Result<ThreadRecord, ChatError> {
        if let Some(title) = &title {
            rules::check_title(title)?;
        }
        let thread =
            NewThread { id: ThreadId::new(), user_id: user.clone(), title, now: Timestamp::now() };
        Ok(self.store.insert_thread(thread).await?)
    }

    /// One of the user's threads.
    pub async fn find_thread(
        &self,
        user: &UserId,
        id: ThreadId,
    ) -> Result<ThreadRecord, ChatError> {
        self.store.find_thread(user, id).await?.ok_or(ChatError::NotFound)
    }

    /// The user's threads by their last change.
    pub async fn list_threads(
        &self,
        user: &UserId,
        archived: Option<bool>,
        page: &ListParams,
    ) -> Result<Page<ThreadRecord>, ChatError> {
        let query = PageQuery {
            limit: page_limit(page.limit, MAX_THREADS),
            order: page.order,
            after: page.after().map(ThreadId::parse_or_unknown),
        };
        self.store.list_threads(user, archived, query).await?.ok_or(ChatError::NotFound)
    }

    /// Another title, put away, or taken back.
    pub async fn update_thread(
        &self,
        user: &UserId,
        id: ThreadId,
        title: Option<String>,
        archived: Option<bool>,
    ) -> Result<ThreadRecord, ChatError> {
        if let Some(title) = &title {
            rules::check_title(title)?;
        }
        let now = Timestamp::now();
        let patch = ThreadPatch {
            title: title.map(Some),
            archived_at: archived.map(|archived| archived.then_some(now)),
            ..ThreadPatch::default()
        };
        self.store.update_thread(user, id, patch, now).await?.ok_or(ChatError::NotFound)
    }

    /// Deletes a thread and all that is in it, files included; its run is stopped.
    pub async fn delete_thread(&self, user: &UserId, id: ThreadId) -> Result<(), ChatError> {
        let files = self.files_of(user, id).await?;
        let deleted = self.store.delete_thread(user, id).await?.ok_or(ChatError::NotFound)?;
        audit::thread_deleted(user, id);
        if let Some(run) = deleted.active_run_id {
            match self.runs.find_live(run) {
                Some(run) => run.stop(StopReason::Deleted),
                None => self.runs.stop_elsewhere(run).await,
            }
        }
        self.delete_files(files).await;
        Ok(())
    }
}

/// How the threads of the REST routes are asked for.
pub fn latest_first(limit: Option<i64>, after: Option<String>) -> ListParams {
    ListParams { limit, order: Order::Desc, after }
}
