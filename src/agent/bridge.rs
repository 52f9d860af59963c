//! From a model's events to the thread's, as the official SDK's bridge does it.
//!
//! One state machine for a whole run, over all its model calls: it makes the items' identifiers,
//! keeps the workflow that shows thoughts and tool calls, and ends it when a message begins.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    protocol::{
        Annotation, ItemId, ItemKind, ItemUpdate, Task, ThreadEvent, ThreadId, ThreadItem,
        Timestamp, Workflow,
        item::{AssistantContent, AssistantMessage},
        workflow::{StatusIndicator, TaskKind, WorkflowKind, WorkflowSummary},
    },
    upstream::{MessagePart, ModelEvent},
};

/// The state of one run.
pub struct Bridge {
    thread_id: ThreadId,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Messages of the model call under way, by output index.
    messages: BTreeMap<usize, OpenMessage>,
    /// A whole message, held back until the model says something else: most often that it has
    /// finished, and then its commit and that of the run are one.
    done: Option<ThreadEvent>,
    workflow: Option<OpenWorkflow>,
}

/// A message under way. Its text is not kept here: the whole part and the whole message bring it.
struct OpenMessage {
    id: ItemId,
    created_at: Timestamp,
    /// How many citations each part has.
    annotations: BTreeMap<usize, usize>,
}

struct OpenWorkflow {
    id: ItemId,
    created_at: Timestamp,
    workflow: Workflow,
    /// The summary part of the reasoning under way that is streamed, and its task's place.
    streamed_thought: Option<(usize, usize, usize)>,
}

impl Bridge {
    /// For a run in this thread.
    pub fn new(thread_id: ThreadId, clock: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Self {
        Self { thread_id, clock, messages: BTreeMap::new(), done: None, workflow: None }
    }

    /// Takes what the model says; appends what happens in the thread.
    pub fn feed(&mut self, event: ModelEvent, out: &mut Vec<ThreadEvent>) {
        out.extend(self.done.take());
        match event {
            ModelEvent::MessageStarted { index } => self.start_message(index, out),
            ModelEvent::PartStarted { index, part, text } => {
                self.start_part(index, part, text, out);
            }
            ModelEvent::TextDelta { index, part, delta } => self.add_text(index, part, delta, out),
            ModelEvent::Annotation { index, part, annotation } => {
                self.annotate(index, part, annotation, out);
            }
            ModelEvent::PartDone { index, part, text } => self.end_part(index, part, text, out),
            ModelEvent::MessageDone { index, parts, .. } => self.end_message(index, parts, out),
            ModelEvent::ReasoningStarted { .. } => {
                self.open_workflow(WorkflowKind::Reasoning, out);
            }
            ModelEvent::ReasoningDelta { index, part, delta } => {
                self.think(index, part, &delta, out);
            }
            ModelEvent::ReasoningPartDone { index, part, text } => {
                self.end_thought(index, part, text, out);
            }
            ModelEvent::ReasoningDone { .. } | ModelEvent::FunctionCall { .. } => {}
            ModelEvent::Finished { .. } => self.messages.clear(),
        }
    }

    /// The end of the run, or of what it can do: what was held back, and the workflow's end.
    pub fn finish(&mut self, out: &mut Vec<ThreadEvent>) {
        out.extend(self.done.take());
        self.end_workflow(out);
    }

    /// What was held back, when the model fails right behind a whole message.
    pub fn flush(&mut self) -> Option<ThreadEvent> {
        self.done.take()
    }

    // ---- messages ------------------------------------------------------------------------------

    fn start_message(&mut self, index: usize, out: &mut Vec<ThreadEvent>) {
        self.end_workflow(out);
        let message = OpenMessage {
            id: ItemId::new(),
            created_at: (self.clock)(),
            annotations: BTreeMap::new(),
        };
        out.push(ThreadEvent::ItemAdded {
            item: self.message_item(&message, AssistantMessage::default()),
        });
        self.messages.insert(index, message);
    }

    fn message_item(&self, message: &OpenMessage, content: AssistantMessage) -> Box<ThreadItem> {
        Box::new(ThreadItem {
            id: message.id,
            thread_id: self.thread_id,
            created_at: message.created_at,
            kind: ItemKind::AssistantMessage(content),
        })
    }

    /// The message at an index, begun if the server never said that it began.
    fn message(&mut self, index: usize, out: &mut Vec<ThreadEvent>) -> &mut OpenMessage {
        if !self.messages.contains_key(&index) {
            self.start_message(index, out);
        }
        self.messages.get_mut(&index).expect("it was just begun")
    }

    fn start_part(&mut self, index: usize, part: usize, text: String, out: &mut Vec<ThreadEvent>) {
        let item_id = self.message(index, out).id;
        let content = Box::new(AssistantContent::text(text));
        let update = ItemUpdate::ContentPartAdded { content_index: part, content };
        out.push(ThreadEvent::ItemUpdated { item_id, update });
    }

    fn add_text(&mut self, index: usize, part: usize, delta: String, out: &mut Vec<ThreadEvent>) {
        let item_id = self.message(index, out).id;
        out.push(ThreadEvent::text_delta(item_id, part, delta));
    }

    fn annotate(
        &mut self,
        index: usize,
        part: usize,
        annotation: Box<Annotation>,
        out: &mut Vec<ThreadEvent>,
    ) {
        let message = self.message(index, out);
        let item_id = message.id;
        let count = message.annotations.entry(part).or_default();
        let annotation_index = *count;
        *count += 1;
        let update =
            ItemUpdate::AnnotationAdded { content_index: part, annotation_index, annotation };
        out.push(ThreadEvent::ItemUpdated { item_id, update });
    }

    fn end_part(&mut self, index: usize, part: usize, text: String, out: &mut Vec<ThreadEvent>) {
        let item_id = self.message(index, out).id;
        let content = Box::new(AssistantContent::text(text));
        let update = ItemUpdate::ContentPartDone { content_index: part, content };
        out.push(ThreadEvent::ItemUpdated { item_id, update });
    }

    fn end_message(&mut self, index: usize, parts: Vec<MessagePart>, out: &mut Vec<ThreadEvent>) {
        self.message(index, out);
        let Some(message) = self.messages.remove(&index) else { return };
        let content = parts
            .into_iter()
            .map(|part| AssistantContent {
                annotations: part.annotations,
                ..AssistantContent::text(part.text)
            })
            .collect();
        let item = self.message_item(&message, AssistantMessage { content });
        self.done = Some(ThreadEvent::ItemDone { item });
    }

    // ---- workflow ------------------------------------------------------------------------------

    /// Begins a workflow unless one is open.
    fn open_workflow(
        &mut self,
        kind: WorkflowKind,
        out: &mut Vec<ThreadEvent>,
    ) -> &mut OpenWorkflow {
        if self.workflow.is_none() {
            let open = OpenWorkflow {
                id: ItemId::new(),
                created_at: (self.clock)(),
                workflow: Workflow { kind, tasks: Vec::new(), summary: None, expanded: false },
                streamed_thought: None,
            };
            out.push(ThreadEvent::ItemAdded { item: Box::new(open.item(self.thread_id)) });
            self.workflow = Some(open);
        }
        self.workflow.as_mut().expect("it was just begun")
    }

    /// Ends the workflow that is open with how long it took.
    fn end_workflow(&mut self, out: &mut Vec<ThreadEvent>) {
        let Some(mut open) = self.workflow.take() else { return };
        let duration = (self.clock)().since(open.created_at).as_secs();
        open.workflow.summary.get_or_insert(WorkflowSummary::Duration { duration });
        out.push(ThreadEvent::ItemDone { item: Box::new(open.item(self.thread_id)) });
    }

    /// Only one summary part at a time is streamed; others come whole.
    fn think(&mut self, index: usize, part: usize, delta: &str, out: &mut Vec<ThreadEvent>) {
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

    fn end_thought(&mut self, index: usize, part: usize, text: String, out: &mut Vec<ThreadEvent>) {
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

    // ---- tool calls ----------------------------------------------------------------------------

    /// A tool call begins. Answers the workflow that shows it and the place of its task there.
    pub fn start_tool(
        &mut self,
        title: &str,
        brief: String,
        out: &mut Vec<ThreadEvent>,
    ) -> (ItemId, usize) {
        out.extend(self.done.take());
        let open = self.open_workflow(WorkflowKind::Custom, out);
        (open.id, open.add_task(tool_task(title, brief), out))
    }

    /// A tool call has ended.
    pub fn end_tool(&mut self, place: usize, out: &mut Vec<ThreadEvent>) {
        let Some(open) = &mut self.workflow else { return };
        let Some(task) = open.workflow.tasks.get(place) else { return };
        let task = Task { status_indicator: StatusIndicator::Complete, ..task.clone() };
        open.set_task(place, task, out);
    }

    /// The workflow that is open, as it is now.
    pub fn workflow_item(&self) -> Option<ThreadItem> {
        self.workflow.as_ref().map(|open| open.item(self.thread_id))
    }
}

impl OpenWorkflow {
    fn item(&self, thread_id: ThreadId) -> ThreadItem {
        let workflow = self.workflow.clone();
        ThreadItem {
            id: self.id,
            thread_id,
            created_at: self.created_at,
            kind: ItemKind::Workflow { workflow },
        }
    }

    fn add_task(&mut self, task: Task, out: &mut Vec<ThreadEvent>) -> usize {
        let task_index = self.workflow.tasks.len();
        self.workflow.tasks.push(task.clone());
        let update = ItemUpdate::WorkflowTaskAdded { task_index, task };
        out.push(ThreadEvent::ItemUpdated { item_id: self.id, update });
        task_index
    }

    fn set_task(&mut self, task_index: usize, task: Task, out: &mut Vec<ThreadEvent>) {
        self.workflow.tasks[task_index] = task.clone();
        let update = ItemUpdate::WorkflowTaskUpdated { task_index, task };
        out.push(ThreadEvent::ItemUpdated { item_id: self.id, update });
    }
}

fn thought(content: impl Into<String>) -> Task {
    let kind = TaskKind::Thought { title: None, content: content.into() };
    Task { status_indicator: StatusIndicator::None, kind }
}

fn tool_task(title: &str, brief: String) -> Task {
    let kind = TaskKind::Custom { title: Some(title.to_owned()), icon: None, content: Some(brief) };
    Task { status_indicator: StatusIndicator::Loading, kind }
}
