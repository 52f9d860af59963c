//! From events back to items: what a run had under way when it was stopped, or has at the moment.

use serde_json::Value;

use crate::protocol::{
    ItemKind, ItemUpdate, ThreadEvent, ThreadItem,
    item::{AssistantContent, AssistantMessage, GeneratedImage},
};

use super::segment::Segment;

/// Items that were added and are neither done nor removed, in the order of their beginning.
#[derive(Debug, Default)]
pub(super) struct OpenItems {
    items: Vec<ThreadItem>,
}

impl OpenItems {
    /// Those of a log.
    pub(super) fn of(segments: &[Segment]) -> Self {
        let mut open = Self::default();
        for segment in segments {
            if let Some(event) = event_of(segment) {
                open.apply(event);
            }
        }
        open
    }

    /// The items.
    pub(super) fn into_vec(self) -> Vec<ThreadItem> {
        self.items
    }

    fn apply(&mut self, event: ThreadEvent) {
        match event {
            ThreadEvent::ItemAdded { item } => {
                self.items.retain(|open| open.id != item.id);
                self.items.push(*item);
            }
            ThreadEvent::ItemUpdated { item_id, update } => {
                if let Some(item) = self.items.iter_mut().find(|item| item.id == item_id) {
                    update_item(&mut item.kind, update);
                }
            }
            ThreadEvent::ItemDone { item } | ThreadEvent::ItemReplaced { item } => {
                self.items.retain(|open| open.id != item.id);
            }
            ThreadEvent::ItemRemoved { item_id } => self.items.retain(|open| open.id != item_id),
            _ => {}
        }
    }
}

/// What a segment says, as one event.
pub(super) fn event_of(segment: &Segment) -> Option<ThreadEvent> {
    let event = match segment {
        Segment::Event { json, .. } => serde_json::from_slice(json).ok(),
        Segment::Text(text) => unescaped(&text.text)
            .map(|delta| ThreadEvent::text_delta(text.item_id, text.content_index, delta)),
    };
    if event.is_none() {
        tracing::error!("an event of the log cannot be read");
    }
    event
}

fn unescaped(text: &str) -> Option<String> {
    serde_json::from_str(&format!("\"{text}\"")).ok()
}

/// Applies an update as the official SDK does to the copy that it keeps of a pending item.
fn update_item(kind: &mut ItemKind, update: ItemUpdate) {
    match (kind, update) {
        (ItemKind::AssistantMessage(message), update) => update_message(message, update),
        (ItemKind::Widget(item), ItemUpdate::WidgetRootUpdated { widget }) => item.widget = widget,
        (
            ItemKind::Widget(item),
            ItemUpdate::WidgetComponentUpdated { component_id, component },
        ) => {
            if let Some(found) = find_component(&mut item.widget, &component_id) {
                *found = component;
            }
        }
        (ItemKind::Widget(item), ItemUpdate::WidgetTextDelta { component_id, delta, .. }) => {
            let found = find_component(&mut item.widget, &component_id);
            if let Some(Value::String(value)) = found.and_then(|found| found.get_mut("value")) {
                value.push_str(&delta);
            }
        }
        (ItemKind::Workflow { workflow }, ItemUpdate::WorkflowTaskAdded { task_index, task }) => {
            workflow.tasks.insert(task_index.min(workflow.tasks.len()), task);
        }
        (ItemKind::Workflow { workflow }, ItemUpdate::WorkflowTaskUpdated { task_index, task }) => {
            if let Some(known) = workflow.tasks.get_mut(task_index) {
                *known = task;
            }
        }
        (
            ItemKind::GeneratedImage { image },
            ItemUpdate::GeneratedImageUpdated { image: GeneratedImage { id, url }, .. },
        ) => *image = Some(GeneratedImage { id, url }),
        // An update that does not fit its item.
        _ => {}
    }
}

/// The part of a widget with this id.
fn find_component<'a>(component: &'a mut Value, id: &str) -> Option<&'a mut Value> {
    if component.get("id").is_some_and(|found| found == id) {
        return Some(component);
    }
    match component.get_mut("children")? {
        Value::Array(children) => children.iter_mut().find_map(|child| find_component(child, id)),
        child => find_component(child, id),
    }
}

fn update_message(message: &mut AssistantMessage, update: ItemUpdate) {
    match update {
        ItemUpdate::ContentPartAdded { content_index, content }
        | ItemUpdate::ContentPartDone { content_index, content } => {
            *part(message, content_index) = *content;
        }
        ItemUpdate::TextDelta { content_index, delta } => {
            part(message, content_index).text.push_str(&delta);
        }
        ItemUpdate::AnnotationAdded { content_index, annotation_index, annotation } => {
            let annotations = &mut part(message, content_index).annotations;
            annotations.insert(annotation_index.min(annotations.len()), *annotation);
        }
        _ => {}
    }
}

/// More parts than a model would write: a wild index must not take the memory.
const MAX_PARTS: usize = 1_000;

fn part(message: &mut AssistantMessage, index: usize) -> &mut AssistantContent {
    let index = index.min(MAX_PARTS);
    if message.content.len() <= index {
        message.content.resize_with(index + 1, AssistantContent::default);
    }
    &mut message.content[index]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::{
        protocol::{ItemId, ThreadId, Timestamp, item::WidgetItem},
        run::log::RunLog,
    };

    fn message(id: ItemId) -> Box<ThreadItem> {
        Box::new(ThreadItem {
            id,
            thread_id: ThreadId::UNKNOWN,
            created_at: Timestamp::from_seconds(0),
            kind: ItemKind::AssistantMessage(AssistantMessage::default()),
        })
    }

    #[test]
    fn a_widget_that_is_not_done_has_the_text_that_was_added_to_it() {
        let log = RunLog::new();
        let mut item = message(ItemId::new());
        let text = |value: &str| json!({ "type": "Text", "id": "t", "value": value });
        let card = |child: Value| json!({ "type": "Card", "children": [child] });
        item.kind = ItemKind::Widget(WidgetItem { widget: card(text("a")), copy_text: None });
        let item_id = item.id;
        log.append(&ThreadEvent::ItemAdded { item });
        let component_id = "t".to_owned();
        let update =
            ItemUpdate::WidgetTextDelta { component_id, delta: "b".to_owned(), done: false };
        log.append(&ThreadEvent::ItemUpdated { item_id, update });

        let items = OpenItems::of(&log.segments()).into_vec();

        let ItemKind::Widget(widget) = &items[0].kind else { panic!("{items:?}") };
        assert_eq!(widget.widget, card(text("ab")));
    }

    #[test]
    fn an_item_that_is_not_done_has_the_text_of_its_deltas() {
        let log = Arc::new(RunLog::new());
        let (done, open) = (ItemId::new(), ItemId::new());
        log.append(&ThreadEvent::ItemAdded { item: message(done) });
        log.append_text(done, 0, "over");
        log.append(&ThreadEvent::ItemDone { item: message(done) });
        log.append(&ThreadEvent::ItemAdded { item: message(open) });
        log.append_text(open, 0, "so \"f");
        log.append_text(open, 0, "ar\"\n");

        let items = OpenItems::of(&log.segments()).into_vec();

        assert_eq!(items.len(), 1);
        assert_eq!(items[0].kind.plain_text(), "so \"far\"\n");
    }
}
