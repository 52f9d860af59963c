//! What an agent says most often, in one call each.
//!
//! Each call makes an event and does nothing else: the event happens when the agent yields it.

use serde_json::{Map, Value};

use crate::protocol::{
    ItemId, ItemKind, ThreadEvent, ThreadItem, Timestamp,
    event::NoticeLevel,
    item::{
        AssistantMessage, ClientToolCall, ClientToolStatus, StructuredInput, StructuredInputItem,
        StructuredInputStatus, WidgetItem,
    },
};

use super::Turn;

impl Turn {
    /// A new item of this thread, made now.
    pub fn item(&self, kind: ItemKind) -> ThreadItem {
        let (id, thread_id, created_at) = (ItemId::new(), self.thread_id(), Timestamp::now());
        ThreadItem { id, thread_id, created_at, kind }
    }

    /// A new item that is whole: it is stored and shown.
    pub fn done(&self, kind: ItemKind) -> ThreadEvent {
        ThreadEvent::ItemDone { item: Box::new(self.item(kind)) }
    }

    /// A message of the assistant, in Markdown.
    pub fn say(&self, text: impl Into<String>) -> ThreadEvent {
        self.done(ItemKind::AssistantMessage(AssistantMessage::from_text(text)))
    }

    /// A widget that is whole. `copy_text` is what the copy button copies. One that changes while
    /// it is shown is [`Turn::stream_widget`].
    pub fn widget(&self, widget: Value, copy_text: Option<String>) -> ThreadEvent {
        self.done(ItemKind::Widget(WidgetItem { widget, copy_text }))
    }

    /// A call of a tool that runs in the user's page. It must be the last of the turn: the page
    /// answers with a turn of its own.
    pub fn client_tool_call(
        &self,
        name: impl Into<String>,
        arguments: Map<String, Value>,
    ) -> ThreadEvent {
        self.done(ItemKind::ClientToolCall(ClientToolCall {
            status: ClientToolStatus::Pending,
            call_id: ItemId::new().to_string(),
            name: name.into(),
            arguments,
            output: None,
        }))
    }

    /// Questions to the user. The answers come with a turn of their own.
    pub fn ask(&self, inputs: Vec<StructuredInput>) -> ThreadEvent {
        let status = StructuredInputStatus::Pending;
        self.done(ItemKind::StructuredInput(StructuredInputItem { status, inputs }))
    }

    /// A line that says what is going on, until the next event. Not stored.
    pub fn progress(&self, text: impl Into<String>) -> ThreadEvent {
        ThreadEvent::ProgressUpdate { icon: None, text: text.into() }
    }

    /// A banner, in Markdown. Not stored.
    pub fn notice(&self, level: NoticeLevel, message: impl Into<String>) -> ThreadEvent {
        ThreadEvent::Notice { level, message: message.into(), title: None }
    }

    /// Something that the page shall do, without an answer. Not stored.
    pub fn client_effect(&self, name: impl Into<String>, data: Map<String, Value>) -> ThreadEvent {
        ThreadEvent::ClientEffect { name: name.into(), data }
    }
}
