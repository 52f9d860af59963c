//! Tokens used by day.

use std::fmt;

use time::{Date, OffsetDateTime, Time};

use crate::protocol::Timestamp;

/// A day, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day(Date);

impl Day {
    /// The day of a point in time.
    pub fn of(time: Timestamp) -> Self {
        Self(OffsetDateTime::from(time).date())
    }

    /// When the next one begins.
    pub fn end(self) -> Timestamp {
        let next = self.0.next_day().unwrap_or(Date::MAX);
        next.with_time(Time::MIDNIGHT).assume_utc().into()
    }
}

impl From<Day> for Date {
    fn from(day: Day) -> Self {
        day.0
    }
}

impl fmt::Display for Day {
    /// As `2026-11-24`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.0.to_calendar_date();
        write!(f, "{year:04}-{:02}-{day:02}", u8::from(month))
    }
}

/// Tokens that were used on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokensUsed {
    /// By the user.
    pub by_user: u64,
    /// By all, the user included.
    pub by_all: u64,
}

impl TokensUsed {
    /// A row: all together stand under the empty name.
    pub(in crate::store) fn add(&mut self, user: &str, tokens: i64) {
        let tokens = u64::try_from(tokens).unwrap_or(0);
        *(if user.is_empty() { &mut self.by_all } else { &mut self.by_user }) = tokens;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_midnight_utc() {
        let noon = Timestamp::from_seconds(1_795_608_000);
        assert_eq!(noon.to_string(), "2026-11-25T12:00:00Z");
        assert_eq!(Day::of(noon).to_string(), "2026-11-25");
        assert_eq!(Day::of(noon).end().to_string(), "2026-11-26T00:00:00Z");
    }
}
