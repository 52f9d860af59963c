//! One stretch of a run's events in its stream, and its place there.
//!
//! An entry's id is not the time, as usual, but `TOKEN-LAST_SEQ`: the lease token of who wrote it
//! and the number of its last event. Redis takes only ids that rise, so that it refuses by itself
//! what was sent twice, and what a process writes whose run another one has taken over. A follower
//! asks for what lies behind its own position, whatever became of the stream in between.

use std::str::FromStr;

use redis::streams::StreamId;

use super::PREFIX;
use crate::protocol::RunId;

/// The fields of an entry.
pub(super) const FIRST_SEQ: &str = "first_seq";
pub(super) const EVENTS: &str = "events";
pub(super) const END: &str = "end";

/// A place in a run's stream: by lease, then by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// The lease token of who wrote.
    pub(crate) token: u64,
    /// The number of the last event.
    pub(crate) seq: u64,
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.token, self.seq)
    }
}

impl FromStr for Position {
    type Err = std::num::ParseIntError;

    fn from_str(id: &str) -> Result<Self, Self::Err> {
        let (token, seq) = id.split_once('-').unwrap_or((id, "0"));
        Ok(Self { token: token.parse()?, seq: seq.parse()? })
    }
}

/// A stretch of a run's events, or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Whose it is, and its last number.
    pub(crate) position: Position,
    /// The number of its first event, and the events in the encoding in which they are stored;
    /// `None`: nothing comes any more from this process. Whether the run has ended, the database
    /// says.
    pub(crate) events: Option<(u64, String)>,
}

impl Entry {
    /// Numbers `first_seq` to `last_seq` of the process with this token.
    pub(crate) fn of(token: u64, first_seq: u64, last_seq: u64, payload: String) -> Self {
        let position = Position { token, seq: last_seq };
        Self { position, events: Some((first_seq, payload)) }
    }

    /// The last entry of the process with this token: nothing has a place behind it but what
    /// one with a higher token writes.
    pub(crate) fn end(token: u64) -> Self {
        Self { position: Position { token, seq: u64::MAX }, events: None }
    }

    pub(super) fn is_end(&self) -> bool {
        self.events.is_none()
    }

    /// `None` when it is none of ours.
    pub(super) fn read(id: &StreamId) -> Option<Self> {
        let position = id.id.parse().ok()?;
        if id.contains_key(END) {
            return Some(Self { position, events: None });
        }
        Some(Self { position, events: Some((id.get(FIRST_SEQ)?, id.get(EVENTS)?)) })
    }
}

/// The key of a run's stream.
pub(super) fn key(run: RunId) -> String {
    format!("{PREFIX}run:{run}")
}

/// Whose stream a key is.
pub(super) fn run_of(key: &str) -> Option<RunId> {
    key.strip_prefix(PREFIX)?.strip_prefix("run:")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_lease_lies_behind_every_number_of_the_one_before() {
        let dead = Entry::end(1).position;
        let next = Position { token: 2, seq: 1 };

        assert!(next > dead);
        assert_eq!(dead.to_string().parse(), Ok(dead));
    }

    #[test]
    fn a_key_tells_its_run() {
        let run = RunId::new();

        assert_eq!(run_of(&key(run)), Some(run));
        assert_eq!(run_of("chatkit:wake:x"), None);
    }
}
