//! What a tool shows in the thread while it runs.

use tokio::sync::mpsc;
use uuid::Uuid;

use crate::protocol::{
    ItemId, ItemKind, Source, Task, ThreadEvent, ThreadId, ThreadItem, Timestamp, Workflow,
    item::{StructuredInput, WidgetItem},
    workflow::WorkflowSummary,
};

/// How many things may wait until the run takes them. It takes them as fast as it can store items;
/// a tool that shows more waits meanwhile.
const CAPACITY: usize = 64;

/// Names a task that a tool shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShownTask(Uuid);

impl ShownTask {
    /// A new name.
    #[expect(clippy::new_without_default, reason = "two defaults would differ")]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

/// Something that a tool shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// Any event. An item ends the workflow that is open, unless it is a client tool call or
    /// hidden.
    Event(Box<ThreadEvent>),
    /// A widget that is whole.
    Widget {
        /// The widget.
        widget: WidgetItem,
        /// Whether it takes the place of the one whose action the call is for.
        replaces_sender: bool,
    },
    /// Sources of what the assistant says next: they become citations of its next message.
    Sources(Vec<Source>),
    /// Questions to the user. The run ends with them, when all calls under way have ended; the
    /// answers begin another.
    Ask(Vec<StructuredInput>),
    /// The model is to answer. Without it nobody says anything behind the action of a widget.
    Respond,
    /// A workflow begins, and ends the one that is open. A custom one without tasks is seen once
    /// it has its first; tasks that it begins with stay as they are.
    StartWorkflow(Workflow),
    /// A further task of the open workflow, or the first of a new one.
    AddTask {
        /// Names it in updates.
        name: ShownTask,
        /// The task.
        task: Task,
    },
    /// A task that was added is another now, unless its workflow has ended.
    UpdateTask {
        /// Which.
        name: ShownTask,
        /// The whole task.
        task: Task,
    },
    /// The open workflow ends.
    EndWorkflow {
        /// How long it took, where nothing else is said.
        summary: Option<WorkflowSummary>,
        /// Whether its tasks stay unfolded.
        expanded: bool,
    },
}

/// A tool's way into the thread: what it shows goes into the stream in order, while the tool runs.
///
/// Where nobody watches, as over MCP, all is dropped; so is what is shown after the call has ended.
/// Every method waits while the run is behind.
#[derive(Clone, Debug, Default)]
pub struct Display {
    thread: Option<(ThreadId, mpsc::Sender<Shown>)>,
}

impl Display {
    /// A display of this thread, and where to take what is shown.
    pub fn channel(thread_id: ThreadId) -> (Self, mpsc::Receiver<Shown>) {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        (Self { thread: Some((thread_id, sender)) }, receiver)
    }

    /// An item of the thread with an identifier of its own, to be sent in [events](Self::event):
    /// added, updated, done.
    pub fn new_item(&self, kind: ItemKind) -> ThreadItem {
        let thread_id = self.thread.as_ref().map_or(ThreadId::UNKNOWN, |(id, _)| *id);
        ThreadItem { id: ItemId::new(), thread_id, created_at: Timestamp::now(), kind }
    }

    /// Shows something.
    pub async fn show(&self, shown: Shown) {
        if let Some((_, sender)) = &self.thread {
            // The run may have ended before the tool: then nobody watches any more.
            let _ = sender.send(shown).await;
        }
    }

    /// Any event: a line of progress, an effect in the page, a notice, an item and its updates.
    pub async fn event(&self, event: ThreadEvent) {
        self.show(Shown::Event(Box::new(event))).await;
    }

    /// An item that is whole at once. It is stored.
    pub async fn item(&self, kind: ItemKind) {
        let item = Box::new(self.new_item(kind));
        self.event(ThreadEvent::ItemDone { item }).await;
    }

    /// A widget that is whole at once, and what its copy button copies.
    pub async fn widget(&self, widget: serde_json::Value, copy_text: Option<String>) {
        self.item(ItemKind::Widget(WidgetItem { widget, copy_text })).await;
    }

    /// See [`Shown::StartWorkflow`].
    pub async fn start_workflow(&self, workflow: Workflow) {
        self.show(Shown::StartWorkflow(workflow)).await;
    }

    /// See [`Shown::AddTask`]. Answers its name for updates.
    pub async fn add_task(&self, task: Task) -> ShownTask {
        let name = ShownTask::new();
        self.show(Shown::AddTask { name, task }).await;
        name
    }

    /// See [`Shown::UpdateTask`].
    pub async fn update_task(&self, name: ShownTask, task: Task) {
        self.show(Shown::UpdateTask { name, task }).await;
    }

    /// See [`Shown::EndWorkflow`].
    pub async fn end_workflow(&self, summary: Option<WorkflowSummary>, expanded: bool) {
        self.show(Shown::EndWorkflow { summary, expanded }).await;
    }
}
