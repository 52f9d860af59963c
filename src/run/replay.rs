//! What is stored of an answer that is read again, so that only what is new of it is shown.

use std::{
    collections::HashMap,
    mem::{Discriminant, discriminant},
};

use crate::protocol::{ItemId, ItemUpdate, ThreadEvent, Timestamp};

use super::{fold, segment::Segment};

/// What is stored of an answer.
#[derive(Debug, Default)]
pub(super) struct Replay {
    /// How many events of a kind, or bytes of a text, are to come that are known.
    known: HashMap<Kind, usize>,
    /// When the items that are known were made: the other process's clock counts.
    made_at: HashMap<ItemId, Timestamp>,
    /// Something new has been said.
    is_over: bool,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// The text of a part of a message.
    Text(ItemId, usize),
    Update(ItemId, Discriminant<ItemUpdate>),
    Item(ItemId, Discriminant<ThreadEvent>),
    Other(Discriminant<ThreadEvent>),
}

impl Replay {
    /// Of the events stored above `after`.
    pub(super) fn of(segments: &[Segment], after: u64) -> Self {
        let mut replay = Self::default();
        for segment in segments.iter().filter(|segment| segment.first_seq() > after) {
            let Some(event) = fold::event_of(segment) else { continue };
            if let ThreadEvent::ItemAdded { item } = &event {
                replay.made_at.insert(item.id, item.created_at);
            }
            let (kind, weight) = weigh(&event);
            *replay.known.entry(kind).or_default() += weight;
        }
        replay
    }

    /// What of an event is new.
    pub(super) fn rest(&mut self, mut event: ThreadEvent) -> Option<ThreadEvent> {
        if let ThreadEvent::ItemDone { item } | ThreadEvent::ItemReplaced { item } = &mut event
            && let Some(made_at) = self.made_at.get(&item.id)
        {
            item.created_at = *made_at;
        }
        if self.is_over {
            return Some(event);
        }
        let (kind, weight) = weigh(&event);
        let known = self.known.get_mut(&kind).filter(|known| **known > 0);
        let Some(known) = known else {
            self.is_over = true;
            return Some(event);
        };
        if *known >= weight {
            *known -= weight;
            return None;
        }
        let skipped = std::mem::take(known);
        if let ThreadEvent::ItemUpdated { update: ItemUpdate::TextDelta { delta, .. }, .. } =
            &mut event
        {
            self.is_over = true;
            *delta = delta.get(skipped..)?.to_owned();
        }
        Some(event)
    }

    /// Whether something new has been said.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }
}

/// What an event counts as, and for how much.
fn weigh(event: &ThreadEvent) -> (Kind, usize) {
    match event {
        ThreadEvent::ItemUpdated {
            item_id,
            update: ItemUpdate::TextDelta { content_index, delta },
        } => (Kind::Text(*item_id, *content_index), delta.len()),
        ThreadEvent::ItemUpdated { item_id, update } => {
            (Kind::Update(*item_id, discriminant(update)), 1)
        }
        ThreadEvent::ItemAdded { item }
        | ThreadEvent::ItemDone { item }
        | ThreadEvent::ItemReplaced { item } => (Kind::Item(item.id, discriminant(event)), 1),
        ThreadEvent::ItemRemoved { item_id } => (Kind::Item(*item_id, discriminant(event)), 1),
        event => (Kind::Other(discriminant(event)), 1),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        protocol::{
            ItemKind, ThreadId, ThreadItem,
            item::{AssistantContent, AssistantMessage},
        },
        run::log::RunLog,
    };

    fn answer(id: ItemId) -> Vec<ThreadEvent> {
        let item = |text: &str| {
            Box::new(ThreadItem {
                id,
                thread_id: ThreadId::UNKNOWN,
                created_at: Timestamp::from_seconds(7),
                kind: ItemKind::AssistantMessage(AssistantMessage {
                    content: vec![AssistantContent::text(text.to_owned())],
                }),
            })
        };
        let part = |content_index| ThreadEvent::ItemUpdated {
            item_id: id,
            update: ItemUpdate::ContentPartAdded {
                content_index,
                content: Box::new(AssistantContent::text(String::new())),
            },
        };
        let text = |delta: &str| ThreadEvent::text_delta(id, 0, delta);
        vec![
            ThreadEvent::ItemAdded { item: item("") },
            part(0),
            text("Zwölf "),
            text("\"Boxer\""),
            text("\n🥊"),
            part(1),
            ThreadEvent::ItemDone { item: item("Zwölf \"Boxer\"\n🥊") },
        ]
    }

    fn logged(events: &[ThreadEvent]) -> Vec<Segment> {
        let log = Arc::new(RunLog::new());
        for event in events {
            match event {
                ThreadEvent::ItemUpdated {
                    item_id,
                    update: ItemUpdate::TextDelta { content_index, delta },
                } => {
                    log.append_text(*item_id, *content_index, delta);
                }
                event => log.append(event),
            }
        }
        log.segments()
    }

    #[test]
    fn whatever_was_stored_of_an_answer_is_not_said_again() {
        let events = answer(ItemId::new());
        for stored in 0..=events.len() {
            let mut replay = Replay::of(&logged(&events[..stored]), 0);

            let said: Vec<ThreadEvent> =
                events.iter().filter_map(|event| replay.rest(event.clone())).collect();

            assert_eq!(said, events[stored..], "{stored} were stored");
            assert_eq!(replay.is_over(), stored < events.len());
        }
    }

    #[test]
    fn text_that_comes_in_other_pieces_is_cut_where_it_is_known() {
        let id = ItemId::new();
        let mut replay = Replay::of(&logged(&[ThreadEvent::text_delta(id, 0, "Zwölf")]), 0);

        assert_eq!(replay.rest(ThreadEvent::text_delta(id, 0, "Zwö")), None);
        let rest = replay.rest(ThreadEvent::text_delta(id, 0, "lf Boxer"));

        assert_eq!(rest, Some(ThreadEvent::text_delta(id, 0, " Boxer")));
    }

    #[test]
    fn an_item_keeps_the_time_at_which_it_was_first_made() {
        let mut events = answer(ItemId::new());
        let mut replay = Replay::of(&logged(&events[..1]), 0);
        let Some(ThreadEvent::ItemDone { item }) = events.last_mut() else { panic!() };
        item.created_at = Timestamp::from_seconds(9);

        let done = events.into_iter().filter_map(|event| replay.rest(event)).last();

        let Some(ThreadEvent::ItemDone { item }) = done else { panic!("{done:?}") };
        assert_eq!(item.created_at, Timestamp::from_seconds(7));
    }
}
