//! How many requests a minute: the generic cell rate algorithm (GCRA), by key.
//!
//! Of a key one instant is kept: when all that was admitted will have been paid off, at the rate
//! that is allowed. Whoever was quiet may ask for a whole minute's requests at once, and then for
//! one each time that one is paid off.
//!
//! Not a library's: the same arithmetic runs in Redis (`live`), and both must mean the same.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::TooMany;

/// In what time as many may come as the limit says.
pub(super) const WINDOW: Duration = Duration::from_mins(1);
/// Counts that are paid off are looked for when there are twice as many as after the last time, and
/// at least so many.
const LEAST_SWEEP: usize = 1_024;

/// The counts of all keys.
pub(super) struct Rates<K> {
    per_minute: u32,
    counts: Mutex<Counts<K>>,
}

struct Counts<K> {
    by_key: HashMap<K, Count>,
    sweep_at: usize,
}

#[derive(Clone, Copy)]
struct Count {
    /// When all that was admitted is paid off.
    paid_at: Instant,
    /// Admitted here since others were told.
    untold: u32,
}

impl<K: Clone + Eq + Hash> Rates<K> {
    /// A limit of 0 is none.
    pub(super) fn new(per_minute: u32) -> Self {
        let counts = Counts { by_key: HashMap::new(), sweep_at: LEAST_SWEEP };
        Self { per_minute, counts: Mutex::new(counts) }
    }

    /// Admits one more, or says when there is room for it.
    pub(super) fn take(&self, key: &K, now: Instant) -> Result<(), TooMany> {
        if self.per_minute == 0 {
            return Ok(());
        }
        let cost = self.cost();
        let mut counts = self.counts();
        let known = counts.by_key.get_mut(key);
        let paid_at = known.as_ref().map_or(now, |count| count.paid_at.max(now)) + cost;
        if paid_at > now + WINDOW {
            let retry_after = paid_at - (now + WINDOW);
            return Err(TooMany { per_minute: self.per_minute, retry_after });
        }
        if let Some(count) = known {
            *count = Count { paid_at, untold: count.untold + 1 };
        } else {
            counts.by_key.insert(key.clone(), Count { paid_at, untold: 1 });
            counts.sweep(now);
        }
        Ok(())
    }

    /// What one request costs: the time in which it is paid off.
    pub(super) fn cost(&self) -> Duration {
        WINDOW / self.per_minute.max(1)
    }

    /// Takes out what others have not been told, of at most so many keys.
    pub(super) fn untold(&self, limit: usize) -> Vec<(K, u32)> {
        let mut counts = self.counts();
        let untold = counts.by_key.iter_mut().filter(|(_, count)| count.untold > 0).take(limit);
        untold.map(|(key, count)| (key.clone(), std::mem::take(&mut count.untold))).collect()
    }

    /// Takes it from the shared count that a key's requests, those of all instances, are paid off
    /// only in such a time.
    pub(super) fn learn(&self, key: &K, owed: Duration, now: Instant) {
        let cost = self.cost();
        let mut counts = self.counts();
        let Some(count) = counts.by_key.get_mut(key) else { return };
        // What was admitted here meanwhile, the shared count does not know.
        let paid_at = now + owed.min(WINDOW) + cost * count.untold;
        count.paid_at = count.paid_at.max(paid_at);
    }

    fn counts(&self) -> MutexGuard<'_, Counts<K>> {
        // Every write leaves the counts whole, so a poisoned lock is as good as another.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Counts<K> {
    /// Forgets what is paid off, now and then: it says nothing.
    fn sweep(&mut self, now: Instant) {
        if self.by_key.len() < self.sweep_at {
            return;
        }
        self.by_key.retain(|_, count| count.paid_at > now);
        self.sweep_at = (2 * self.by_key.len()).max(LEAST_SWEEP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_of(rates: &Rates<&str>, key: &'static str, now: Instant) -> Option<Duration> {
        rates.take(&key, now).err().map(|too_many| too_many.retry_after)
    }

    #[test]
    fn a_minutes_requests_may_come_at_once_and_then_one_at_a_time() {
        let (rates, begun) = (Rates::new(4), Instant::now());
        let after = |seconds| begun + Duration::from_secs(seconds);

        assert_eq!([0; 4].map(|at| wait_of(&rates, "alice", after(at))), [None; 4]);
        assert_eq!(wait_of(&rates, "alice", begun), Some(Duration::from_secs(15)));
        assert_eq!(wait_of(&rates, "bob", begun), None);
        assert_eq!(wait_of(&rates, "alice", after(14)), Some(Duration::from_secs(1)));
        assert_eq!(wait_of(&rates, "alice", after(15)), None);
        assert_eq!(wait_of(&rates, "alice", after(15)), Some(Duration::from_secs(15)));
        assert_eq!(
            [200; 5].map(|at| wait_of(&rates, "alice", after(at)).is_none()),
            [true, true, true, true, false]
        );
    }

    #[test]
    fn a_refused_request_costs_nothing() {
        let (rates, begun) = (Rates::new(1), Instant::now());
        assert_eq!(wait_of(&rates, "alice", begun), None);
        for _ in 0..1_000 {
            assert!(wait_of(&rates, "alice", begun).is_some());
        }
        assert_eq!(wait_of(&rates, "alice", begun + WINDOW), None);
    }

    #[test]
    fn what_others_admitted_counts_and_what_was_admitted_meanwhile_too() {
        let (rates, now) = (Rates::new(6), Instant::now());
        assert_eq!(wait_of(&rates, "alice", now), None);
        assert_eq!(rates.untold(10), [("alice", 1)]);
        assert_eq!(rates.untold(10), []);
        assert_eq!(wait_of(&rates, "alice", now), None);

        // Four in all, ours among them; a fifth is ours since then.
        rates.learn(&"alice", Duration::from_secs(40), now);

        assert_eq!(wait_of(&rates, "alice", now), None);
        assert_eq!(wait_of(&rates, "alice", now), Some(Duration::from_secs(10)));
        // Nobody lives down what he did here by a shared count that was lost.
        rates.learn(&"alice", Duration::ZERO, now);
        assert_eq!(wait_of(&rates, "alice", now), Some(Duration::from_secs(10)));
    }

    #[test]
    fn counts_that_are_paid_off_are_forgotten() {
        let (rates, begun) = (Rates::new(60), Instant::now());
        for number in 0..100_000_u32 {
            let now = begun + Duration::from_millis(number.into());
            rates.take(&number, now).unwrap();
        }
        // One a millisecond, each paid off after a second.
        assert!(rates.counts().by_key.len() <= 3_000);
    }
}
