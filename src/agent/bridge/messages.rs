//! Messages: text, citations, refusals.

use std::collections::BTreeMap;

use crate::{
    protocol::{
        Annotation, ItemId, ItemKind, ItemUpdate, ThreadEvent, ThreadItem, Timestamp,
        item::{AssistantContent, AssistantMessage},
    },
    upstream::MessagePart,
};

use super::Bridge;

/// A message under way. Its text is not kept here: the whole part and the whole message bring it.
pub(super) struct OpenMessage {
    id: ItemId,
    created_at: Timestamp,
    /// How many citations each part has.
    annotations: BTreeMap<usize, usize>,
}

impl Bridge {
    pub(super) fn start_message(&mut self, index: usize, out: &mut Vec<ThreadEvent>) {
        self.end_workflow(out);
        let message = OpenMessage {
            id: self.ids.next(),
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

    pub(super) fn start_part(
        &mut self,
        index: usize,
        part: usize,
        text: String,
        out: &mut Vec<ThreadEvent>,
    ) {
        let content = Box::new(AssistantContent::text(text));
        let update = ItemUpdate::ContentPartAdded { content_index: part, content };
        self.update_message(index, update, out);
    }

    pub(super) fn add_text(
        &mut self,
        index: usize,
        part: usize,
        delta: String,
        out: &mut Vec<ThreadEvent>,
    ) {
        let item_id = self.message(index, out).id;
        out.push(ThreadEvent::text_delta(item_id, part, delta));
    }

    pub(super) fn annotate(
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

    pub(super) fn end_part(
        &mut self,
        index: usize,
        part: usize,
        text: String,
        out: &mut Vec<ThreadEvent>,
    ) {
        let content = Box::new(AssistantContent::text(text));
        let update = ItemUpdate::ContentPartDone { content_index: part, content };
        self.update_message(index, update, out);
    }

    fn update_message(&mut self, index: usize, update: ItemUpdate, out: &mut Vec<ThreadEvent>) {
        let item_id = self.message(index, out).id;
        out.push(ThreadEvent::ItemUpdated { item_id, update });
    }

    pub(super) fn end_message(
        &mut self,
        index: usize,
        parts: Vec<MessagePart>,
        out: &mut Vec<ThreadEvent>,
    ) {
        self.message(index, out);
        let mut content: Vec<AssistantContent> = parts
            .into_iter()
            .map(|part| AssistantContent {
                annotations: part.annotations,
                ..AssistantContent::text(part.text)
            })
            .collect();
        self.cite_sources(index, &mut content, out);
        let Some(message) = self.messages.remove(&index) else { return };
        let item = self.message_item(&message, AssistantMessage { content });
        self.done = Some(ThreadEvent::ItemDone { item });
    }
}
