//! Plays a recorded model run through the gateway's own parts: the events of the Responses API
//! through its reader, all that comes of them and of tools through its bridge.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::Duration;

use async_stream::try_stream;
use chatkit_gateway::{
    agent::{AgentError, AgentEvent, AgentStream, Turn, bridge::Bridge},
    protocol::{
        ItemId, ItemKind, Task, ThreadEvent, ThreadItem, Timestamp, Workflow, item::WidgetItem,
        workflow::WorkflowSummary,
    },
    tools::{Display, Shown, ShownTask},
    upstream::{UpstreamError, responses::AnswerReader},
};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};

/// When the recordings' clock starts.
const START: &str = "2025-03-04T05:06:00.678901Z";

#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum RunStep {
    /// A tool shows a widget.
    Widget {
        #[serde(rename = "context_widget")]
        widget: Value,
        #[serde(default)]
        copy_text: Option<String>,
    },
    Named(NamedStep),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NamedStep {
    ResponseEvent(Value),
    /// The agents library takes note of something, such as a call.
    RunItem(Value),
    ContextEvent(Box<ThreadEvent>),
    StartWorkflow(Workflow),
    AddTask(Task),
    UpdateTask {
        index: usize,
        task: Task,
    },
    EndWorkflow {
        summary: Option<WorkflowSummary>,
        #[serde(default)]
        expanded: bool,
    },
    ClientToolCall {
        name: String,
        arguments: Map<String, Value>,
    },
    Guardrail(IgnoredAny),
    Raise(String),
}

type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What is known in the middle of a run.
struct Run {
    clock: Clock,
    bridge: Bridge,
    reader: AnswerReader,
    display: Display,
    /// The call that a tool is made for.
    call_id: String,
    client_call: Option<(String, Map<String, Value>)>,
    tasks: Vec<ShownTask>,
    items: Vec<ItemId>,
}

/// Answers a turn by the steps of a run.
pub(crate) fn play(
    turn: Turn,
    steps: Vec<RunStep>,
    partial_images: Option<u32>,
) -> AgentStream<'static> {
    Box::pin(try_stream! {
        let mut run = Run::begin(&turn, partial_images).await?;
        for step in steps {
            let mut events = Vec::new();
            let end = run.take(step, &mut events);
            for event in events {
                run.note(&event);
                yield event.into();
            }
            end?;
        }
        for event in run.end() {
            yield event;
        }
    })
}

impl Run {
    async fn begin(turn: &Turn, partial_images: Option<u32>) -> Result<Self, AgentError> {
        let clock = ticking_clock();
        let mut bridge =
            Bridge::new(turn.thread_id(), clock.clone()).with_partial_images(partial_images);
        bridge.resume(&turn.history.recent(2).await?);
        let (display, _) = Display::channel(turn.thread_id());
        Ok(Self {
            clock,
            bridge,
            reader: AnswerReader::new(),
            display,
            call_id: String::new(),
            client_call: None,
            tasks: Vec::new(),
            items: Vec::new(),
        })
    }

    /// Takes a step. An error comes behind what is shown before it.
    fn take(&mut self, step: RunStep, out: &mut Vec<ThreadEvent>) -> Result<(), AgentError> {
        let shown = match step {
            RunStep::Widget { widget, copy_text } => {
                let kind = ItemKind::Widget(WidgetItem { widget, copy_text });
                let item = ThreadItem { created_at: (self.clock)(), ..self.display.new_item(kind) };
                let item = Box::new(item);
                Shown::Event(Box::new(ThreadEvent::ItemDone { item }))
            }
            RunStep::Named(NamedStep::ResponseEvent(event)) => return Ok(self.hear(&event, out)?),
            RunStep::Named(NamedStep::RunItem(item)) => {
                if let Some(call_id) = item["raw_item"]["call_id"].as_str() {
                    call_id.clone_into(&mut self.call_id);
                }
                return Ok(());
            }
            RunStep::Named(NamedStep::ClientToolCall { name, arguments }) => {
                self.client_call = Some((name, arguments));
                return Ok(());
            }
            RunStep::Named(NamedStep::Guardrail(_)) => {
                let items = self.items.drain(..);
                out.extend(items.map(|item_id| ThreadEvent::ItemRemoved { item_id }));
                return Err(AgentError::Stream { allow_retry: true });
            }
            RunStep::Named(NamedStep::Raise(message)) => {
                out.extend(self.bridge.flush());
                return Err(AgentError::Other(message.into()));
            }
            RunStep::Named(NamedStep::ContextEvent(event)) => Shown::Event(event),
            RunStep::Named(NamedStep::StartWorkflow(workflow)) => Shown::StartWorkflow(workflow),
            RunStep::Named(NamedStep::AddTask(task)) => {
                let name = ShownTask::new();
                self.tasks.push(name);
                Shown::AddTask { name, task }
            }
            RunStep::Named(NamedStep::UpdateTask { index, task }) => {
                Shown::UpdateTask { name: self.tasks[index], task }
            }
            RunStep::Named(NamedStep::EndWorkflow { summary, expanded }) => {
                Shown::EndWorkflow { summary, expanded }
            }
        };
        self.bridge.show(shown, out);
        Ok(())
    }

    /// The model says something.
    fn hear(&mut self, event: &Value, out: &mut Vec<ThreadEvent>) -> Result<(), UpstreamError> {
        let mut events = Vec::new();
        self.reader.feed(&event.to_string(), &mut events)?;
        for event in events {
            self.bridge.feed(event, out);
        }
        Ok(())
    }

    fn note(&mut self, event: &ThreadEvent) {
        if let ThreadEvent::ItemAdded { item } | ThreadEvent::ItemDone { item } = event
            && !self.items.contains(&item.id)
        {
            self.items.push(item.id);
        }
    }

    fn end(&mut self) -> Vec<AgentEvent> {
        let mut out = Vec::new();
        if let Some((name, arguments)) = self.client_call.take() {
            self.bridge.pause(&mut out);
            let call_id = std::mem::take(&mut self.call_id);
            let item = Box::new(self.bridge.client_call(call_id, name, arguments));
            out.push(ThreadEvent::ItemDone { item }.into());
        } else {
            let mut events = Vec::new();
            self.bridge.finish(&mut events);
            out.extend(events.into_iter().map(AgentEvent::from));
        }
        out
    }
}

/// The recordings' clock: a second later at each reading.
fn ticking_clock() -> Clock {
    let readings = AtomicU64::new(0);
    let start: Timestamp = serde_json::from_value(START.into()).unwrap();
    Arc::new(move || {
        let seconds = readings.fetch_add(1, Ordering::Relaxed) + 1;
        start.plus(Duration::from_secs(seconds))
    })
}
