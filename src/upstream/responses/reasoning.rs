//! Reasoning as it comes.

use serde_json::Value;

use super::wire;
use crate::upstream::ModelEvent;

/// Reasoning of which at least the beginning is known.
#[derive(Default)]
pub(super) struct Reasoning {
    /// In the order in which they were seen; a part's place here is its number in events.
    parts: Vec<Part>,
}

struct Part {
    of: Thoughts,
    /// The server's number for it.
    number: u64,
    text: String,
    is_done: bool,
}

/// Which thoughts a part shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thoughts {
    /// A summary, written for people.
    Summary,
    /// Raw ones, which only open-weight models show. Left out where there is a summary.
    Raw,
}

impl Thoughts {
    /// Where a whole item has them.
    fn member(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Raw => "content",
        }
    }
}

impl Reasoning {
    pub(super) fn start(index: usize, out: &mut Vec<ModelEvent>) -> Self {
        out.push(ModelEvent::ReasoningStarted { index });
        Self::default()
    }

    /// The place of a part; `None` for raw thoughts beside a summary.
    fn part(&mut self, of: Thoughts, number: u64) -> Option<usize> {
        let known = self.parts.iter().position(|part| part.of == of && part.number == number);
        if known.is_none() {
            if of == Thoughts::Raw && self.parts.iter().any(|part| part.of == Thoughts::Summary) {
                return None;
            }
            self.parts.push(Part { of, number, text: String::new(), is_done: false });
        }
        known.or(Some(self.parts.len() - 1))
    }

    pub(super) fn append(
        &mut self,
        index: usize,
        (of, number): (Thoughts, u64),
        delta: &str,
        out: &mut Vec<ModelEvent>,
    ) {
        if delta.is_empty() {
            return;
        }
        if let Some(part) = self.part(of, number) {
            self.parts[part].text.push_str(delta);
            out.push(ModelEvent::ReasoningDelta { index, part, delta: delta.to_owned() });
        }
    }

    /// Ends a part by its whole text; a part that stays empty is not worth an event.
    pub(super) fn end_part(
        &mut self,
        index: usize,
        (of, number): (Thoughts, u64),
        text: Option<&str>,
        out: &mut Vec<ModelEvent>,
    ) {
        let Some(part) = self.part(of, number) else { return };
        let state = &mut self.parts[part];
        if let Some(text) = text {
            text.clone_into(&mut state.text);
        }
        if !state.is_done && !state.text.is_empty() {
            state.is_done = true;
            out.push(ModelEvent::ReasoningPartDone { index, part, text: state.text.clone() });
        }
    }

    /// Ends it by its whole item, which is kept to be sent back.
    pub(super) fn end(&mut self, index: usize, item: Option<&Value>, out: &mut Vec<ModelEvent>) {
        for of in [Thoughts::Summary, Thoughts::Raw] {
            let whole = item.and_then(|item| item[of.member()].as_array());
            for (number, part) in (0..).zip(whole.into_iter().flatten()) {
                self.end_part(index, (of, number), wire::id(&part["text"]), out);
            }
        }
        for part in 0..self.parts.len() {
            let place = (self.parts[part].of, self.parts[part].number);
            self.end_part(index, place, None, out);
        }
        out.push(ModelEvent::ReasoningDone { index, item: item.cloned() });
    }
}
