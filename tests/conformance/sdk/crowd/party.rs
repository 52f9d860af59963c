//! An agent that does a bit of everything, by the first word of what it is told.

use std::time::Duration;

use async_stream::try_stream;
use async_trait::async_trait;
use chatkit_gateway::{
    agent::{ActionCaller, Agent, AgentError, AgentStream, Audio, Feedback, Turn, WidgetAction},
    attachments::{AttachmentError, AttachmentStore, NewAttachment, PlaceForFile},
    protocol::{
        ItemKind, ItemUpdate, Task, ThreadEvent, ThreadItem, ThreadStatus, UserId, Workflow,
        attachment::{AttachmentKind, UploadDescriptor},
        event::NoticeLevel,
        item::{
            AssistantContent, AssistantMessage, ChoiceOption, GeneratedImage, StructuredInput,
            StructuredInputKind, WidgetItem,
        },
        workflow::{StatusIndicator, TaskKind, WorkflowKind, WorkflowSummary},
    },
    store::record::AttachmentRecord,
};
use futures_util::stream;
use serde_json::{Map, Value, json};
use tokio::time::sleep;

/// What a message may begin with.
pub(super) const WORDS: [&str; 8] =
    ["talk", "think", "show", "call", "ask", "paint", "change", "fail"];
/// The pause between two deltas, so that runs are met under way.
const PACE: Duration = Duration::from_millis(2);

/// The agent.
pub(super) struct Party;

#[async_trait]
impl Agent for Party {
    fn respond(&self, turn: Turn) -> AgentStream<'_> {
        let text = turn.input_text();
        match text.split(' ').next().unwrap_or_default() {
            "think" => think(turn),
            "show" => show(&turn),
            "call" => once(turn.client_tool_call("get_selection", Map::new())),
            "ask" => ask(&turn),
            "paint" => paint(turn),
            "change" => change(turn),
            "fail" => fail(turn),
            _ => talk(turn),
        }
    }

    fn action(&self, turn: Turn, action: WidgetAction) -> AgentStream<'_> {
        Box::pin(try_stream! {
            if let Some(item) = action.sender {
                yield ThreadEvent::ItemReplaced { item: Box::new(pressed(item)) }.into();
            }
            yield turn.client_effect("pressed", Map::new()).into();
            yield turn.say("Pressed.").into();
        })
    }

    async fn sync_action(
        &self,
        _caller: ActionCaller,
        action: WidgetAction,
    ) -> Result<Option<ThreadItem>, AgentError> {
        Ok(action.sender.map(pressed))
    }

    async fn transcribe(&self, _user: &UserId, audio: Audio) -> Result<String, AgentError> {
        Ok(format!("{} bytes", audio.data.len()))
    }

    async fn feedback(&self, _user: &UserId, _feedback: Feedback) -> Result<(), AgentError> {
        Ok(())
    }
}

fn once(event: ThreadEvent) -> AgentStream<'static> {
    Box::pin(stream::iter([Ok(event.into())]))
}

fn talk(turn: Turn) -> AgentStream<'static> {
    Box::pin(try_stream! {
        let mut item = turn.item(ItemKind::AssistantMessage(AssistantMessage::default()));
        yield ThreadEvent::ItemAdded { item: Box::new(item.clone()) }.into();
        let part = |text: &str| Box::new(AssistantContent::text(text));
        let update = ItemUpdate::ContentPartAdded { content_index: 0, content: part("") };
        yield ThreadEvent::ItemUpdated { item_id: item.id, update }.into();
        let mut text = String::new();
        for word in ["One ", "two ", "é", "\"3\"\n", "four"] {
            sleep(PACE).await;
            text.push_str(word);
            yield ThreadEvent::text_delta(item.id, 0, word).into();
        }
        let update = ItemUpdate::ContentPartDone { content_index: 0, content: part(&text) };
        yield ThreadEvent::ItemUpdated { item_id: item.id, update }.into();
        item.kind = ItemKind::AssistantMessage(AssistantMessage::from_text(text));
        yield ThreadEvent::ItemDone { item: Box::new(item) }.into();
    })
}

fn think(turn: Turn) -> AgentStream<'static> {
    Box::pin(try_stream! {
        let empty = Workflow {
            kind: WorkflowKind::Reasoning,
            tasks: Vec::new(),
            summary: None,
            expanded: false,
        };
        let mut item = turn.item(ItemKind::Workflow { workflow: empty.clone() });
        yield ThreadEvent::ItemAdded { item: Box::new(item.clone()) }.into();
        let kind = TaskKind::Thought { title: None, content: "Hm.".to_owned() };
        let task = Task { status_indicator: StatusIndicator::None, kind };
        let update = ItemUpdate::WorkflowTaskAdded { task_index: 0, task: task.clone() };
        yield ThreadEvent::ItemUpdated { item_id: item.id, update }.into();
        let summary = Some(WorkflowSummary::Duration { duration: 0 });
        item.kind = ItemKind::Workflow { workflow: Workflow { tasks: vec![task], summary, ..empty } };
        yield ThreadEvent::ItemDone { item: Box::new(item) }.into();
        yield turn.say("Thought.").into();
    })
}

fn card(text: &str, streaming: bool) -> Value {
    json!({
        "type": "Card",
        "children": [{ "type": "Text", "id": "t", "value": text, "streaming": streaming }],
    })
}

fn pressed(mut item: ThreadItem) -> ThreadItem {
    item.kind = ItemKind::Widget(WidgetItem { widget: card("pressed", false), copy_text: None });
    item
}

fn show(turn: &Turn) -> AgentStream<'static> {
    let states = ["a", "ab", "abc"].map(|text| card(text, true));
    Box::pin(turn.stream_widget(stream::iter(states), None))
}

fn ask(turn: &Turn) -> AgentStream<'static> {
    let options = ["x", "y"].map(|value| ChoiceOption { value: value.to_owned() }).into();
    let question = |id: &str, kind| StructuredInput {
        id: id.to_owned(),
        question: "Which?".to_owned(),
        answer: None,
        kind,
    };
    let choice = StructuredInputKind::MultipleChoice { options, multiple: false };
    let freeform = StructuredInputKind::Freeform { description: None };
    once(turn.ask(vec![question("choice", choice), question("text", freeform)]))
}

fn paint(turn: Turn) -> AgentStream<'static> {
    Box::pin(try_stream! {
        let mut item = turn.item(ItemKind::GeneratedImage { image: None });
        yield ThreadEvent::ItemAdded { item: Box::new(item.clone()) }.into();
        let url = "data:image/png;base64,AA==".to_owned();
        let image = GeneratedImage { id: "img_1".to_owned(), url };
        let update =
            ItemUpdate::GeneratedImageUpdated { image: image.clone(), progress: Some(0.5) };
        yield ThreadEvent::ItemUpdated { item_id: item.id, update }.into();
        item.kind = ItemKind::GeneratedImage { image: Some(image) };
        yield ThreadEvent::ItemDone { item: Box::new(item) }.into();
    })
}

fn change(turn: Turn) -> AgentStream<'static> {
    Box::pin(try_stream! {
        yield turn.progress("Changing").into();
        turn.thread.set_title(Some(turn.run_id.to_string()));
        turn.thread.set_status(ThreadStatus::Locked { reason: None });
        yield turn.notice(NoticeLevel::Info, "Changed").into();
        turn.thread.set_status(ThreadStatus::Active);
        let gone = turn.item(ItemKind::EndOfTurn {});
        let item_id = gone.id;
        yield ThreadEvent::ItemDone { item: Box::new(gone) }.into();
        yield ThreadEvent::ItemRemoved { item_id }.into();
        let content = json!({ "secret": "never seen" });
        yield turn.done(ItemKind::HiddenContextItem { content }).into();
        yield turn.done(ItemKind::EndOfTurn {}).into();
    })
}

fn fail(turn: Turn) -> AgentStream<'static> {
    Box::pin(try_stream! {
        yield turn.say("So far so good.").into();
        Err(AgentError::Stream { allow_retry: true })?;
    })
}

/// A place for files that are never uploaded.
pub(super) struct NoFiles;

#[async_trait]
impl AttachmentStore for NoFiles {
    async fn create(&self, new: NewAttachment) -> Result<PlaceForFile, AttachmentError> {
        let upload = UploadDescriptor {
            url: format!("https://files.test/{}", new.id),
            method: "PUT".to_owned(),
            headers: [("x-user".to_owned(), new.user_id.to_string())].into(),
        };
        let metadata = Map::from_iter([("private".to_owned(), "yes".into())]);
        Ok(PlaceForFile { kind: AttachmentKind::File, upload: Some(upload), metadata })
    }

    async fn delete(&self, _attachment: &AttachmentRecord) -> Result<(), AttachmentError> {
        Ok(())
    }
}
