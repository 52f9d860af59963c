//! What a run has under way: items that are not done, as far as they have come, for whoever loads
//! the thread in the middle of an answer.

use crate::{
    protocol::{ItemKind, ThreadId, ThreadItem, UserId},
    store::StoreError,
};

use super::{Runs, fold::OpenItems, relay};

impl Runs {
    /// The items that the user's thread has under way, in the order of their beginning; those
    /// without anything to see are left out. Of a run of another process it is what that has
    /// stored.
    ///
    /// Look here before the thread's items are read: an item that is done in between is then found
    /// in both places, and never in neither.
    pub async fn items_under_way(
        &self,
        user: &UserId,
        thread_id: ThreadId,
    ) -> Result<Vec<ThreadItem>, StoreError> {
        let live = self.live().values().find(|run| run.thread_id == thread_id).cloned();
        let segments = match live {
            Some(run) if run.user_id == *user => run.log.visible_segments(),
            Some(_) => return Ok(Vec::new()),
            None => match self.find_run_elsewhere(user, thread_id).await? {
                Some(run_id) => relay::read_all(&*self.inner.store, run_id).await?,
                None => return Ok(Vec::new()),
            },
        };
        let mut items = OpenItems::of(&segments).into_vec();
        items.retain(|item| !item.kind.is_hidden() && has_something_to_see(&item.kind));
        Ok(items)
    }
}

fn has_something_to_see(kind: &ItemKind) -> bool {
    match kind {
        ItemKind::AssistantMessage(message) => {
            message.content.iter().any(|part| !part.text.is_empty())
        }
        ItemKind::Workflow { workflow } => !workflow.tasks.is_empty(),
        ItemKind::GeneratedImage { image } => image.is_some(),
        _ => true,
    }
}
