//! An agent without a model: the order desk of a coffee shop. It shows a widget that changes while
//! it is shown, takes an action of its button, asks the user questions, and has the page run a tool.

use async_stream::try_stream;
use async_trait::async_trait;
use chatkit_gateway::{
    agent::{ActionCaller, Agent, AgentError, AgentStream, Turn, WidgetAction},
    protocol::{
        ItemKind, ThreadEvent, ThreadItem,
        item::{
            ChoiceOption, ClientToolCall, StructuredInput, StructuredInputItem,
            StructuredInputKind, WidgetItem,
        },
    },
};
use futures_util::stream;
use serde_json::{Map, Value, json};

/// The agent. What it knows is in its threads.
pub(crate) struct OrderDesk;

#[async_trait]
impl Agent for OrderDesk {
    /// A message, what the page's tool gave, or answers to our questions.
    fn respond(&self, turn: Turn) -> AgentStream<'_> {
        match turn.input.clone().map(|item| item.kind) {
            Some(ItemKind::ClientToolCall(call)) => deliver(turn, call),
            Some(ItemKind::StructuredInput(questions)) => order(turn, questions),
            _ => greet(turn),
        }
    }

    /// The button of the order's card.
    fn action(&self, turn: Turn, action: WidgetAction) -> AgentStream<'_> {
        Box::pin(try_stream! {
            let sender = action.sender.filter(|_| action.action.kind == "order.cancel");
            let mut item = sender.ok_or(AgentError::Unsupported)?;
            set_widget(&mut item, card("Cancelled", false));
            yield ThreadEvent::ItemReplaced { item: Box::new(item) }.into();
            // For whoever reads the thread later; no client sees it.
            let content = Value::from("The user cancelled the order.");
            yield turn.done(ItemKind::HiddenContextItem { content }).into();
            yield turn.say("Your order is cancelled.").into();
        })
    }

    /// The card's other button asks for the state of things, without an answer in the thread.
    async fn sync_action(
        &self,
        _caller: ActionCaller,
        action: WidgetAction,
    ) -> Result<Option<ThreadItem>, AgentError> {
        let mut item = action.sender.ok_or(AgentError::Unsupported)?;
        set_widget(&mut item, card("Ready to be fetched", false));
        Ok(Some(item))
    }
}

fn greet(turn: Turn) -> AgentStream<'static> {
    Box::pin(try_stream! {
        if turn.input_text().contains("deliver") {
            yield turn.say("I will look where you are.").into();
            // The page runs it and comes back with its output.
            yield turn.client_tool_call("get_location", Map::new()).into();
            return;
        }
        yield turn.say("What would you like?").into();
        let options = ["Espresso", "Flat white"].map(|value| ChoiceOption { value: value.into() });
        let coffee =
            StructuredInputKind::MultipleChoice { options: options.into(), multiple: false };
        let name = StructuredInputKind::Freeform { description: None };
        let questions = vec![
            question("coffee", "Which coffee?", coffee),
            question("name", "For whom?", name),
        ];
        yield turn.ask(questions).into();
    })
}

fn order(turn: Turn, questions: StructuredInputItem) -> AgentStream<'static> {
    Box::pin(try_stream! {
        let answers: Vec<&str> = questions.inputs.iter().filter_map(answer).collect();
        let &[coffee, name] = answers.as_slice() else {
            yield turn.say("Nothing ordered, then.").into();
            return;
        };
        turn.thread.set_title(Some(format!("{coffee} for {name}")));
        let states = ["Grinding", "Grinding, brewing", "Grinding, brewing, pouring"];
        let states = stream::iter(states.map(|text| card(text, true)));
        for await event in turn.stream_widget(states, Some(format!("{coffee} for {name}"))) {
            yield event?;
        }
    })
}

fn deliver(turn: Turn, call: ClientToolCall) -> AgentStream<'static> {
    Box::pin(try_stream! {
        let place = call.output.as_ref().and_then(|output| output["city"].as_str());
        yield match place {
            Some(city) => turn.say(format!("We deliver to {city}.")),
            None => turn.say("We need to know where you are to deliver."),
        }
        .into();
    })
}

fn question(id: &str, question: &str, kind: StructuredInputKind) -> StructuredInput {
    StructuredInput { id: id.to_owned(), question: question.to_owned(), answer: None, kind }
}

fn answer(question: &StructuredInput) -> Option<&str> {
    question.answer.as_ref()?.values.first().map(String::as_str)
}

fn set_widget(item: &mut ThreadItem, widget: Value) {
    if let ItemKind::Widget(item) = &mut item.kind {
        *item = WidgetItem { widget, copy_text: item.copy_text.take() };
    }
}

/// The card of an order. The text under the id `state` grows as it is streamed.
fn card(state: &str, streaming: bool) -> Value {
    let button = |label: &str, action: Value| json!({ "type": "Button", "label": label, "onClickAction": action });
    json!({
        "type": "Card",
        "children": [
            { "type": "Title", "value": "Your order" },
            { "type": "Text", "id": "state", "value": state, "streaming": streaming },
            button("Cancel", json!({ "type": "order.cancel" })),
            // `streaming: false` makes it a synchronous action.
            button("Refresh", json!({ "type": "order.refresh", "streaming": false })),
        ],
    })
}
