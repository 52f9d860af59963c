//! How many tokens models may use in a day (UTC), for one user and for all.
//!
//! What a run used is counted with its end, in the same transaction: by what the model says, and where
//! it says nothing, because it was stopped or is of those that never do, by an estimate. So nobody is
//! better off for stopping each answer just before its end. A run that has begun goes on: the limit
//! may be overstepped by those under way. One whose process died counts no more than what it had said.

use crate::{
    protocol::{Timestamp, UserId},
    store::{
        Store,
        record::{Day, Usage},
    },
};

use super::StartError;

/// The limits; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokensADay {
    /// Of one user.
    pub per_user: u64,
    /// Of all together.
    pub all: u64,
}

impl TokensADay {
    /// Whether anybody counts.
    pub(super) fn are_limited(self) -> bool {
        self.per_user > 0 || self.all > 0
    }

    /// Whether the user may use more at this time.
    pub(super) async fn check(
        self,
        store: &dyn Store,
        user: &UserId,
        now: Timestamp,
    ) -> Result<(), StartError> {
        if !self.are_limited() {
            return Ok(());
        }
        let day = Day::of(now);
        let today = store.find_tokens_used(user, day).await?;
        let is_reached = |limit: u64, used: u64| limit > 0 && used >= limit;
        if is_reached(self.per_user, today.by_user) || is_reached(self.all, today.by_all) {
            let until = day.end();
            return Err(StartError::TokensUsedUp { until, wait: until.since(now) });
        }
        Ok(())
    }
}

/// What a run has used, and what it may be using.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    /// Of questions whose answers ended without a word about it.
    estimated: u64,
    /// The question that is being answered.
    asked: Option<Asked>,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    /// What the model was told, about.
    input_tokens: u64,
    /// How large the run's events were then.
    size: usize,
}

/// Bytes of a run's events that are a token of the model, about. Rather too many tokens than too few:
/// the events hold more than its words.
const BYTES_A_TOKEN: u64 = 4;

impl Counted {
    /// A model is asked.
    pub(super) fn ask(&mut self, input_tokens: u64, size: usize) {
        self.estimated = self.estimate(size);
        self.asked = Some(Asked { input_tokens, size });
    }

    /// It has said what it used.
    pub(super) fn told(&mut self) {
        self.asked = None;
    }

    /// All that the run used, with what was told.
    pub(super) fn total(&self, told: Option<Usage>, size: usize) -> u64 {
        let told = told.map_or(0, |usage| usage.input_tokens + usage.output_tokens);
        told + self.estimate(size)
    }

    fn estimate(&self, size: usize) -> u64 {
        let asked = self.asked.map_or(0, |asked| {
            let grown = u64::try_from(size.saturating_sub(asked.size)).unwrap_or(u64::MAX);
            asked.input_tokens + grown / BYTES_A_TOKEN
        });
        self.estimated + asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input_tokens: u64, output_tokens: u64) -> Usage {
        Usage { input_tokens, output_tokens, ..Usage::default() }
    }

    #[test]
    fn what_the_model_says_counts_and_else_an_estimate() {
        let mut counted = Counted::default();
        counted.ask(100, 1_000);
        assert_eq!(counted.total(None, 1_400), 200);
        counted.told();
        let told = Some(usage(90, 30));
        assert_eq!(counted.total(told, 1_400), 120);

        // One that says nothing, and one that is stopped.
        counted.ask(10, 1_400);
        counted.ask(20, 1_440);
        assert_eq!(counted.total(told, 1_480), 120 + 20 + 30);
    }
}
