//! What a client saw of one run, over all its connections.

use std::time::Instant;

use chatkit_gateway::protocol::{ItemKind, ItemUpdate, ThreadEvent};

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) seq: u64,
    pub(crate) event: ThreadEvent,
    pub(crate) at: Instant,
}

/// How it came to an end for the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    /// The client gave up waiting.
    #[default]
    None,
    /// The stream ended behind an answer that is done.
    Done,
    /// The stream ended behind an error.
    Error,
}

/// What a client saw of one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transcript {
    pub(crate) user: String,
    pub(crate) tag: String,
    pub(crate) run_id: String,
    pub(crate) thread_id: String,
    /// When its message was acknowledged.
    pub(crate) acknowledged: Option<Instant>,
    /// Where it began to read, and how many bytes of the answer lie before that.
    pub(crate) after: u64,
    pub(crate) skipped: usize,
    pub(crate) seen: Vec<Seen>,
    pub(crate) connections: usize,
    /// Streams that ended in order, but with neither an answer nor an error.
    pub(crate) silent_ends: usize,
    /// What must not be: texts of others, events that cannot be read, refusals.
    pub(crate) foreign: Vec<String>,
    pub(crate) strange: Vec<String>,
    pub(crate) end: End,
}

impl Transcript {
    /// The last position.
    pub(crate) fn position(&self) -> u64 {
        self.seen.last().map_or(self.after, |seen| seen.seq)
    }

    /// How many events it had seen at a moment.
    pub(crate) fn seen_by(&self, moment: Instant) -> usize {
        self.seen.iter().filter(|seen| seen.at <= moment).count()
    }

    /// All deltas, joined.
    pub(crate) fn text(&self) -> String {
        self.seen.iter().filter_map(|seen| delta(&seen.event)).collect()
    }

    /// When it first saw text behind this many bytes of the answer.
    pub(crate) fn first_seen_behind(&self, length: usize) -> Option<Instant> {
        let mut end = self.skipped;
        self.seen.iter().find_map(|seen| {
            end += delta(&seen.event)?.len();
            (end > length).then_some(seen.at)
        })
    }

    /// The text of the answer that is done.
    pub(crate) fn done_text(&self) -> Option<String> {
        self.seen.iter().find_map(|seen| match &seen.event {
            ThreadEvent::ItemDone { item } => match &item.kind {
                ItemKind::AssistantMessage(message) => Some(message.plain_text()),
                _ => None,
            },
            _ => None,
        })
    }

    pub(crate) fn has_error(&self) -> bool {
        self.seen.iter().any(|seen| matches!(seen.event, ThreadEvent::Error(_)))
    }

    /// What the stream ends with, if it may end now.
    pub(crate) fn ending(&self) -> End {
        match self.done_text() {
            _ if self.has_error() => End::Error,
            Some(_) => End::Done,
            None => End::None,
        }
    }
}

/// The text of a delta.
pub(crate) fn delta(event: &ThreadEvent) -> Option<&str> {
    match event {
        ThreadEvent::ItemUpdated { update: ItemUpdate::TextDelta { delta, .. }, .. } => Some(delta),
        _ => None,
    }
}
