//! An agent of the tests' own.

use async_stream::try_stream;
use chatkit_gateway::{
    agent::{Agent, AgentStream, Turn},
    protocol::{
        ItemKind, Workflow,
        event::NoticeLevel,
        item::{ChoiceOption, StructuredInput, StructuredInputKind},
        workflow::{StatusIndicator, Task, TaskKind, WorkflowKind},
    },
};
use serde_json::{Map, Value, json};

/// What [`Showman`] answers with all that it has.
pub(crate) const SHOW_ALL: &str = "show all";

/// Answers [`SHOW_ALL`] with an item of each kind, all else with a short message.
pub(crate) struct Showman;

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
