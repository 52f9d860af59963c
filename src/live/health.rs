//! Whether Redis works: one warning for an outage, however many notice it, and the metrics.

use std::sync::{Mutex, PoisonError};

/// What can fail by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The connection for commands.
    Commands,
    /// Appending to streams, which a full Redis refuses.
    Appending,
    /// The connection that reads streams.
    Reading,
    /// The connection that hears signals.
    Signals,
}

#[derive(Default)]
pub(super) struct Health(Mutex<State>);

#[derive(Default)]
struct State {
    /// By [`Part`]: whether it works, `None` before it was tried.
    works: [Option<bool>; 4],
    is_up: Option<bool>,
}

impl Health {
    /// It works.
    pub(super) fn well(&self, part: Part) {
        if self.set(part, true) {
            tracing::info!("Redis is there: instances share live events");
        }
    }

    /// It does not.
    pub(super) fn failed(&self, part: Part, error: &redis::RedisError) {
        metrics::counter!("gateway_redis_errors_total").increment(1);
        if self.set(part, false) {
            let error: &dyn std::error::Error = error;
            tracing::warn!(
                error,
                ?part,
                "Redis fails: readers on other instances follow the database until it is back"
            );
        }
    }

    /// Answers whether that changes the whole.
    fn set(&self, part: Part, works: bool) -> bool {
        // Every write leaves the state whole, so a poisoned lock is as good as another.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.works[part as usize] = Some(works);
        let connected = [Part::Commands, Part::Reading, Part::Signals];
        let is_up = if state.works.contains(&Some(false)) {
            Some(false)
        } else if connected.iter().all(|part| state.works[*part as usize].is_some()) {
            Some(true)
        } else {
            state.is_up
        };
        let is_news = is_up != state.is_up;
        state.is_up = is_up;
        metrics::gauge!("gateway_redis_up").set(if is_up == Some(true) { 1.0 } else { 0.0 });
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_once_and_its_end_once() {
        let health = Health::default();
        let parts = [Part::Commands, Part::Reading, Part::Signals];

        let start: Vec<bool> = parts.map(|part| health.set(part, true)).into();
        let outage: Vec<bool> = parts.map(|part| health.set(part, false)).into();
        let end: Vec<bool> = parts.map(|part| health.set(part, true)).into();

        assert_eq!(start, [false, false, true]);
        assert_eq!(outage, [true, false, false]);
        assert_eq!(end, [false, false, true]);
    }
}
