//! A widget item from its first state to its last.

use async_stream::stream;
use futures_util::Stream;
use serde_json::Value;

use crate::{
    agent::{AgentStream, Turn},
    protocol::{ItemId, ItemKind, ThreadEvent, ThreadId, ThreadItem, Timestamp, item::WidgetItem},
};

use super::diff;

/// A widget item under way: takes the states of the widget one by one and says what the thread is
/// to be told. For an agent whose states come from something that may fail; where they are a
/// stream, [`Turn::stream_widget`] does the rest.
#[derive(Debug)]
pub struct WidgetStream {
    id: ItemId,
    thread_id: ThreadId,
    created_at: Timestamp,
    copy_text: Option<String>,
    /// The last state.
    shown: Option<Value>,
}

impl WidgetStream {
    /// The widget is this from now on. Answers what to yield: that the item begins, or what has
    /// changed since the state before, which may be nothing.
    pub fn show(&mut self, state: Value) -> Vec<ThreadEvent> {
        let events = match &self.shown {
            None => vec![ThreadEvent::ItemAdded { item: self.item(state.clone()) }],
            Some(shown) => diff(shown, &state)
                .into_iter()
                .map(|update| ThreadEvent::ItemUpdated { item_id: self.id, update })
                .collect(),
        };
        self.shown = Some(state);
        events
    }

    /// The last state is the widget for good: it is stored. Answers nothing if there was none.
    pub fn done(mut self) -> Option<ThreadEvent> {
        let widget = self.shown.take()?;
        Some(ThreadEvent::ItemDone { item: self.item(widget) })
    }

    fn item(&self, widget: Value) -> Box<ThreadItem> {
        let kind = ItemKind::Widget(WidgetItem { widget, copy_text: self.copy_text.clone() });
        let Self { id, thread_id, created_at, .. } = *self;
        Box::new(ThreadItem { id, thread_id, created_at, kind })
    }

    /// The item's identifier.
    pub fn id(&self) -> ItemId {
        self.id
    }
}

impl Turn {
    /// A widget item that grows: the events from its first state to its last, each as soon as the
    /// state is there. No state, no item. `copy_text` is what the copy button copies.
    ///
    /// A widget that is whole at once is [`Turn::widget`].
    pub fn stream_widget<'a>(
        &self,
        states: impl Stream<Item = Value> + Send + 'a,
        copy_text: Option<String>,
    ) -> AgentStream<'a> {
        let mut widget = self.start_widget(copy_text);
        Box::pin(stream! {
            for await state in states {
                for event in widget.show(state) {
                    yield Ok(event.into());
                }
            }
            if let Some(event) = widget.done() {
                yield Ok(event.into());
            }
        })
    }

    /// A widget item that grows by the agent's own steps.
    pub fn start_widget(&self, copy_text: Option<String>) -> WidgetStream {
        WidgetStream {
            id: ItemId::new(),
            thread_id: self.thread_id(),
            created_at: Timestamp::now(),
            copy_text,
            shown: None,
        }
    }
}
