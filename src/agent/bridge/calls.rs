//! Calls of tools: those of the gateway, what they show while they run, and those of the page.

use serde_json::{Map, Value};

use crate::{
    agent::AgentEvent,
    protocol::{
        ItemId, ItemKind, Task, ThreadEvent, ThreadItem,
        item::{ClientToolCall, ClientToolStatus},
        workflow::{StatusIndicator, TaskKind, WorkflowKind},
    },
    tools::Shown,
};

use super::{Bridge, OpenWorkflow};

impl Bridge {
    /// A tool call begins. Answers the workflow that shows it and the place of its task there.
    pub fn start_tool(
        &mut self,
        title: &str,
        brief: String,
        out: &mut Vec<ThreadEvent>,
    ) -> (ItemId, usize) {
        out.extend(self.done.take());
        let open = self.open_workflow(WorkflowKind::Custom, out);
        let shown = (open.id, open.add_task(tool_task(title, brief), out));
        self.calls_shown_in = Some(shown.0);
        shown
    }

    /// A tool call has ended.
    pub fn end_tool(&mut self, workflow: ItemId, place: usize, out: &mut Vec<ThreadEvent>) {
        let is_it = |open: &&mut OpenWorkflow| open.id == workflow;
        if let Some(open) = self.workflow.as_mut().filter(is_it) {
            if let Some(task) = open.complete_task(place) {
                open.set_task(place, task, out);
            }
        } else if let Some(ended) = self.ended.as_mut().filter(is_it) {
            ended.complete_task(place);
        }
    }

    /// The workflow that shows the tool calls under way, as it is now.
    pub fn calls_item(&self) -> Option<ThreadItem> {
        let mut workflows = self.workflow.iter().chain(&self.ended);
        let shows_them = |open: &&OpenWorkflow| Some(open.id) == self.calls_shown_in;
        workflows.find(shows_them).map(OpenWorkflow::item)
    }

    /// All calls under way have ended. A workflow that was ended before them is shown once more,
    /// with them as they are now.
    pub fn end_tools(&mut self, out: &mut Vec<ThreadEvent>) {
        self.calls_shown_in = None;
        if let Some(ended) = self.ended.take() {
            out.push(ThreadEvent::ItemReplaced { item: Box::new(ended.item()) });
        }
    }

    /// A tool shows something while it runs.
    pub fn show(&mut self, shown: Shown, out: &mut Vec<ThreadEvent>) {
        out.extend(self.done.take());
        match shown {
            Shown::Event(event) => {
                if self.is_ended_by(&event) {
                    self.close_workflow(None, None, out);
                }
                out.push(*event);
            }
            Shown::Widget { widget, replaces_sender } => {
                self.show_widget(widget, replaces_sender, out);
            }
            Shown::Sources(sources) => self.for_later.cite(sources),
            Shown::Ask(questions) => self.for_later.ask(questions),
            Shown::Respond => self.for_later.respond(),
            Shown::StartWorkflow(workflow) => self.start_workflow(workflow, out),
            Shown::AddTask { name, task } => self.show_task(name, task, out),
            Shown::UpdateTask { name, task } => self.update_task(name, task, out),
            Shown::EndWorkflow { summary, expanded } => {
                self.close_workflow(summary, Some(expanded), out);
            }
        }
    }

    /// Whether something to see begins behind the open workflow.
    fn is_ended_by(&self, event: &ThreadEvent) -> bool {
        let (ThreadEvent::ItemAdded { item } | ThreadEvent::ItemDone { item }) = event else {
            return false;
        };
        let is_workflow = self.workflow.as_ref().is_some_and(|open| open.id == item.id);
        !is_workflow && !item.kind.is_hidden() && !matches!(item.kind, ItemKind::ClientToolCall(_))
    }

    /// The run waits for the page: what was held back, and the open workflow, which stays open and
    /// is stored. The next run goes on with it, see [`Self::resume`].
    pub fn pause(&mut self, out: &mut Vec<AgentEvent>) {
        out.extend(self.done.take().map(AgentEvent::from));
        match self.workflow.take() {
            Some(open) if open.is_empty() => {
                self.workflow = Some(open);
                let mut events = Vec::new();
                self.end_workflow(&mut events);
                out.extend(events.into_iter().map(AgentEvent::from));
            }
            // This run's events do not hold all of it, so that they cannot say what to store.
            Some(open) if open.is_resumed => {
                out.push(ThreadEvent::ItemReplaced { item: Box::new(open.item()) }.into());
            }
            Some(open) => out
                .push(AgentEvent::ToolCalls { calls: Vec::new(), workflow: Box::new(open.item()) }),
            None => {}
        }
    }

    /// The item of a call that the page is to make: the last of its run.
    pub fn client_call(
        &mut self,
        call_id: String,
        name: String,
        arguments: Map<String, Value>,
    ) -> ThreadItem {
        let status = ClientToolStatus::Pending;
        let call = ClientToolCall { status, call_id, name, arguments, output: None };
        self.new_item(ItemKind::ClientToolCall(call))
    }

    /// A further item of the run, made now.
    pub fn new_item(&mut self, kind: ItemKind) -> ThreadItem {
        let created_at = (self.clock)();
        ThreadItem { id: self.ids.next(), thread_id: self.thread_id, created_at, kind }
    }
}

fn tool_task(title: &str, brief: String) -> Task {
    let kind = TaskKind::Custom { title: Some(title.to_owned()), icon: None, content: Some(brief) };
    Task { status_indicator: StatusIndicator::Loading, kind }
}
