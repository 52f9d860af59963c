//! What is kept of a run that ends with items not done.

use crate::{
    protocol::{ItemId, ItemKind, ThreadItem, Timestamp},
    store::record::{ItemStatus, ItemWrite, RunEnd, RunWrite, Usage},
};

use super::{
    LiveRun,
    fold::OpenItems,
    outcome::{Outcome, StopReason},
};

/// What the official SDK leaves for the model when the user stops it.
const CANCELLED_CONTEXT: &str =
    "The user cancelled the stream. Stop responding to the prior request.";

/// What the end of a run writes besides its status.
pub(super) struct Closing {
    /// Items that were under way, and what is left for the model.
    pub(super) items: Vec<ItemWrite>,
}

impl Closing {
    /// For a live run; `staged` is on its way to the database and not to be written twice.
    pub(super) fn of(run: &LiveRun, outcome: &Outcome, staged: &RunWrite) -> Self {
        let (_, status) = outcome.statuses();
        let open = OpenItems::of(&run.log.segments()).into_vec();
        let open = open
            .into_iter()
            .filter(|item| staged.items.iter().all(|staged| staged.item.id != item.id));
        let mut items = kept(open, status);
        if matches!(outcome, Outcome::Stopped(StopReason::Cancelled | StopReason::Superseded)) {
            items.push(cancelled_context(run));
        }
        Self { items }
    }
}

/// Of items that were under way: messages with text, and what shows tool calls, which may have
/// acted. Half a widget or picture is worth nothing.
pub(super) fn kept(
    open: impl IntoIterator<Item = ThreadItem>,
    status: ItemStatus,
) -> Vec<ItemWrite> {
    open.into_iter()
        .filter(|item| match &item.kind {
            ItemKind::AssistantMessage(message) => !message.plain_text().trim().is_empty(),
            ItemKind::Workflow { workflow } => !workflow.tasks.is_empty(),
            _ => false,
        })
        .map(|item| ItemWrite { item, status })
        .collect()
}

fn cancelled_context(run: &LiveRun) -> ItemWrite {
    let item = ThreadItem {
        id: ItemId::new(),
        thread_id: run.thread_id,
        created_at: Timestamp::now(),
        kind: ItemKind::SdkHiddenContext { content: CANCELLED_CONTEXT.to_owned() },
    };
    ItemWrite { item, status: ItemStatus::Complete }
}

/// The end of a run as it is stored.
pub(super) fn run_end(outcome: &Outcome, usage: Option<Usage>) -> RunEnd {
    let (status, _) = outcome.statuses();
    RunEnd { status, error: outcome.failure().map(|failure| failure.error), usage }
}
