//! An agent of the tests' own.

use async_stream::try_stream;
use async_trait::async_trait;
use chatkit_gateway::{
    agent::{ActionCaller, Agent, AgentError, AgentStream, Audio, Turn, WidgetAction},
    protocol::{
        ItemKind, ThreadItem, UserId, Workflow,
        event::NoticeLevel,
        item::{ChoiceOption, StructuredInput, StructuredInputKind},
        workflow::{StatusIndicator, Task, TaskKind, WorkflowKind},
    },
};
use serde_json::{Map, Value, json};

/// What [`Showman`] answers with all that it has.
pub(crate) const SHOW_ALL: &str = "show all";

/// Answers [`SHOW_ALL`] with an item of each kind, all else with a short message. A widget stays as
/// it is whatever is done with it.
pub(crate) struct Showman;

#[async_trait]
impl Agent for Showman {
    fn respond(&self, turn: Turn) -> AgentStream<'_> {
        Box::pin(try_stream! {
            if turn.input_text() != SHOW_ALL {
                yield turn.say("Hello there.").into();
                return;
            }
            yield turn.progress("Looking").into();
            yield turn.notice(NoticeLevel::Info, "*All* of it").into();
            yield turn.client_effect("confetti", object(json!({ "pieces": 7 }))).into();
            yield turn.say("This is all.").into();
            yield turn.widget(widget(), Some("Order 7".to_owned())).into();
            yield turn.done(ItemKind::HiddenContextItem { content: json!({"seen": null}) }).into();
            yield turn.done(ItemKind::Workflow { workflow: workflow() }).into();
            yield turn.done(ItemKind::Task { task: task() }).into();
            yield turn.done(ItemKind::GeneratedImage { image: None }).into();
            yield turn.done(ItemKind::EndOfTurn {}).into();
            yield turn.ask(questions()).into();
            yield turn.client_tool_call("locate", object(json!({ "exact": true }))).into();
        })
    }

    fn action(&self, turn: Turn, _: WidgetAction) -> AgentStream<'_> {
        self.respond(turn)
    }

    async fn sync_action(
        &self,
        _: ActionCaller,
        action: WidgetAction,
    ) -> Result<Option<ThreadItem>, AgentError> {
        Ok(action.sender)
    }

    async fn transcribe(&self, _: &UserId, audio: Audio) -> Result<String, AgentError> {
        Ok(format!("{} bytes", audio.data.len()))
    }
}

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

fn widget() -> Value {
    let action = json!({"type": "order.cancel", "payload": {"order": 7}});
    let button = json!({"type": "Button", "label": "Cancel", "onClickAction": action});
    json!({"type": "Card", "id": "root", "children": [button]})
}

fn workflow() -> Workflow {
    Workflow { kind: WorkflowKind::Custom, tasks: vec![task()], summary: None, expanded: false }
}

fn task() -> Task {
    let kind = TaskKind::Custom { title: Some("Read".to_owned()), icon: None, content: None };
    Task { status_indicator: StatusIndicator::Complete, kind }
}

fn questions() -> Vec<StructuredInput> {
    let option = |value: &str| ChoiceOption { value: value.to_owned() };
    let options = vec![option("red"), option("blue")];
    let kinds = [
        ("colour", StructuredInputKind::MultipleChoice { options, multiple: false }),
        ("note", StructuredInputKind::Freeform { description: None }),
    ];
    let question = |(id, kind): (&str, _)| StructuredInput {
        id: id.to_owned(),
        question: format!("Which {id}?"),
        answer: None,
        kind,
    };
    kinds.map(question).into()
}
