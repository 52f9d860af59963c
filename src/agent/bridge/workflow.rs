//! The workflow: thoughts, tool calls and what tools show besides, as a list of tasks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    protocol::{
        ItemId, ItemKind, ItemUpdate, Task, ThreadEvent, ThreadId, ThreadItem, Timestamp, Workflow,
        workflow::{StatusIndicator, TaskKind, WorkflowKind, WorkflowSummary},
    },
    store::record::History,
    tools::ShownTask,
};

use super::Bridge;

/// A workflow that goes on. Written down between two model turns, see [`Bridge::open_workflow_now`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::agent) struct OpenWorkflow {
    pub(super) id: ItemId,
    thread_id: ThreadId,
    created_at: Timestamp,
    workflow: Workflow,
    /// Whether the thread has seen it: a custom one that a tool began is seen with its first task.
    is_announced: bool,
    /// An earlier run began it.
    pub(super) is_resumed: bool,
    /// The summary part of the reasoning under way that is streamed, and its task's place.
    streamed_thought: Option<(usize, usize, usize)>,
    /// The places of the tasks that tools added. Their names are this process's.
    #[serde(skip)]
    shown_tasks: BTreeMap<ShownTask, usize>,
}

impl Bridge {
    /// Goes on with the workflow that an earlier run left open: it is the newest item of the
    /// thread, or the one before a client tool call.
    pub fn resume(&mut self, history: &History) {
        let mut newest = history.items.iter().rev().map(|record| &record.item);
        let item = match newest.next() {
            Some(call) if matches!(call.kind, ItemKind::ClientToolCall(_)) => newest.next(),
            item => item,
        };
        let Some(ThreadItem { id, created_at, kind: ItemKind::Workflow { workflow }, .. }) = item
        else {
            return;
        };
        // What has a summary was ended.
        if workflow.summary.is_none() {
            self.workflow = Some(OpenWorkflow {
                id: *id,
                thread_id: self.thread_id,
                created_at: *created_at,
                workflow: workflow.clone(),
                is_announced: true,
                is_resumed: true,
                streamed_thought: None,
                shown_tasks: BTreeMap::new(),
            });
        }
    }

    /// The workflow that is open between two model turns.
    pub(in crate::agent) fn open_workflow_now(&self) -> Option<&OpenWorkflow> {
        self.workflow.as_ref()
    }

    /// Goes on with a workflow of this very run, as another process wrote it down.
    pub(in crate::agent) fn restore_workflow(&mut self, workflow: Option<OpenWorkflow>) {
        self.workflow = workflow;
    }

    /// The workflow that is open, begun and announced if there is none.
    pub(super) fn open_workflow(
        &mut self,
        kind: WorkflowKind,
        out: &mut Vec<ThreadEvent>,
    ) -> &mut OpenWorkflow {
        if self.workflow.is_none() {
            let workflow = Workflow { kind, tasks: Vec::new(), summary: None, expanded: false };
            let mut open = self.new_workflow(workflow);
            open.announce(out);
            self.workflow = Some(open);
        }
        self.workflow.as_mut().expect("it was just begun")
    }

    fn new_workflow(&mut self, workflow: Workflow) -> OpenWorkflow {
        OpenWorkflow {
            id: self.ids.next(),
            thread_id: self.thread_id,
            created_at: (self.clock)(),
            workflow,
            is_announced: false,
            is_resumed: false,
            streamed_thought: None,
            shown_tasks: BTreeMap::new(),
        }
    }

    /// Ends the workflow that is open with how long it took, because the assistant has gone on to
    /// something else: nothing in it is under way any more.
    pub(super) fn end_workflow(&mut self, out: &mut Vec<ThreadEvent>) {
        if let Some(open) = &mut self.workflow {
            for task in &mut open.workflow.tasks {
                complete(task);
            }
        }
        self.close_workflow(None, None, out);
    }

    /// Ends the workflow that is open, while calls that it shows may be under way.
    pub(super) fn close_workflow(
        &mut self,
        summary: Option<WorkflowSummary>,
        expanded: Option<bool>,
        out: &mut Vec<ThreadEvent>,
    ) {
        let Some(mut open) = self.workflow.take() else { return };
        if let Some(summary) = summary {
            open.workflow.summary = Some(summary);
        } else if open.workflow.summary.is_none() {
            let duration = (self.clock)().since(open.created_at).as_secs();
            open.workflow.summary = Some(WorkflowSummary::Duration { duration });
        }
        open.workflow.expanded = expanded.unwrap_or(open.workflow.expanded);
        if open.is_announced {
            out.push(ThreadEvent::ItemDone { item: Box::new(open.item()) });
        }
        if self.calls_shown_in == Some(open.id) {
            self.ended = Some(open);
        }
    }

    // ---- thoughts ------------------------------------------------------------------------------

    /// Only one summary part at a time is streamed; others come whole.
    pub(super) fn think(
        &mut self,
        index: usize,
        part: usize,
        delta: &str,
        out: &mut Vec<ThreadEvent>,
    ) {
        let open = self.open_workflow(WorkflowKind::Reasoning, out);
        match open.streamed_thought {
            None => {
                let place = open.add_task(thought(delta), out);
                open.streamed_thought = Some((index, part, place));
            }
            Some((of_index, of_part, place)) if (of_index, of_part) == (index, part) => {
                let mut task = open.workflow.tasks[place].clone();
                if let TaskKind::Thought { content, .. } = &mut task.kind {
                    content.push_str(delta);
                }
                open.set_task(place, task, out);
            }
            Some(_) => {}
        }
    }

    pub(super) fn end_thought(
        &mut self,
        index: usize,
        part: usize,
        text: String,
        out: &mut Vec<ThreadEvent>,
    ) {
        let open = self.open_workflow(WorkflowKind::Reasoning, out);
        match open.streamed_thought {
            Some((of_index, of_part, place)) if (of_index, of_part) == (index, part) => {
                open.set_task(place, thought(text), out);
            }
            _ => {
                open.add_task(thought(text), out);
            }
        }
    }

    // ---- what tools show -----------------------------------------------------------------------

    pub(super) fn start_workflow(&mut self, workflow: Workflow, out: &mut Vec<ThreadEvent>) {
        self.close_workflow(None, None, out);
        let mut open = self.new_workflow(workflow);
        if open.workflow.kind == WorkflowKind::Reasoning || !open.workflow.tasks.is_empty() {
            open.announce(out);
        }
        self.workflow = Some(open);
    }

    pub(super) fn show_task(&mut self, name: ShownTask, task: Task, out: &mut Vec<ThreadEvent>) {
        let mut open = self.workflow.take().unwrap_or_else(|| {
            let kind = WorkflowKind::Custom;
            self.new_workflow(Workflow { kind, tasks: Vec::new(), summary: None, expanded: false })
        });
        let place = open.add_task(task, out);
        open.shown_tasks.insert(name, place);
        self.workflow = Some(open);
    }

    pub(super) fn update_task(&mut self, name: ShownTask, task: Task, out: &mut Vec<ThreadEvent>) {
        let open = self.workflow.as_mut();
        if let Some((place, open)) =
            open.and_then(|open| Some((*open.shown_tasks.get(&name)?, open)))
        {
            open.set_task(place, task, out);
        } else {
            tracing::debug!("a tool updates a task of a workflow that has ended");
        }
    }
}

impl OpenWorkflow {
    pub(super) fn item(&self) -> ThreadItem {
        let workflow = self.workflow.clone();
        ThreadItem {
            id: self.id,
            thread_id: self.thread_id,
            created_at: self.created_at,
            kind: ItemKind::Workflow { workflow },
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.workflow.tasks.is_empty()
    }

    fn announce(&mut self, out: &mut Vec<ThreadEvent>) {
        self.is_announced = true;
        out.push(ThreadEvent::ItemAdded { item: Box::new(self.item()) });
    }

    pub(super) fn add_task(&mut self, task: Task, out: &mut Vec<ThreadEvent>) -> usize {
        let task_index = self.workflow.tasks.len();
        self.workflow.tasks.push(task.clone());
        if self.is_announced {
            let update = ItemUpdate::WorkflowTaskAdded { task_index, task };
            out.push(ThreadEvent::ItemUpdated { item_id: self.id, update });
        } else {
            self.announce(out);
        }
        task_index
    }

    pub(super) fn set_task(&mut self, task_index: usize, task: Task, out: &mut Vec<ThreadEvent>) {
        self.workflow.tasks[task_index] = task.clone();
        let update = ItemUpdate::WorkflowTaskUpdated { task_index, task };
        out.push(ThreadEvent::ItemUpdated { item_id: self.id, update });
    }

    /// The task at a place is over. Answers it if that is news.
    pub(super) fn complete_task(&mut self, place: usize) -> Option<Task> {
        let task = self.workflow.tasks.get_mut(place)?;
        complete(task).then(|| task.clone())
    }
}

/// Whether the task was under way.
fn complete(task: &mut Task) -> bool {
    let was_loading = task.status_indicator == StatusIndicator::Loading;
    if was_loading {
        task.status_indicator = StatusIndicator::Complete;
    }
    was_loading
}

fn thought(content: impl Into<String>) -> Task {
    let kind = TaskKind::Thought { title: None, content: content.into() };
    Task { status_indicator: StatusIndicator::None, kind }
}
