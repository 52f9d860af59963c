//! Who watches runs from other instances than their own.
//!
//! Every instance tells all, when it changes and every few seconds, which runs of others are read
//! there: one message, however many readers there are. A run's own instance goes by the latest word
//! of each. A word holds for a while, since who dies takes none back; as long as nothing can be
//! heard, it holds on.
//!
//! Without Redis, readers on other instances are not known: they do not keep a run from being
//! superseded or cancelled.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use crate::{
    live::{Live, Signal},
    protocol::RunId,
};

use super::LiveRun;

/// At most so many runs are told of: a message has 37 bytes for each.
const TOLD: usize = 1_000;
/// The least time between two words of an instance.
const GAP: Duration = Duration::from_millis(200);
/// The longest pause behind that, while there is something to tell.
const EVERY: Duration = Duration::from_secs(3);
/// How long a word holds: until the third after it did not come, and longer than a connection to
/// Redis may be dead before that is noticed.
const HOLDS: Duration = Duration::from_secs(10);
/// A word that is on its way has come by then. As long it is not concluded that nobody watches.
const HEARSAY: Duration = Duration::from_millis(500);
/// How often it is looked whether a word holds no more.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is known of readers on other instances than a run's own.
pub(super) struct Presence {
    live: Live,
    /// This instance's name among those that tell.
    name: String,
    // Standard mutexes: never held over an await.
    /// Runs of others that are read here, and how many readers each has.
    here: Mutex<HashMap<RunId, usize>>,
    /// What others told last: which of this process's runs are read there.
    words: Mutex<HashMap<String, Word>>,
    /// Rises with every change of either.
    changes: watch::Sender<u64>,
}

struct Word {
    runs: HashSet<RunId>,
    heard: Instant,
}

/// A reader of another instance's run. Dropping it is leaving.
pub(super) struct Watching {
    presence: Arc<Presence>,
    run: RunId,
}

impl Presence {
    pub(super) fn new(live: Live, name: String) -> Arc<Self> {
        let (here, words) = Default::default();
        Arc::new(Self { live, name, here, words, changes: watch::Sender::new(0) })
    }

    /// One more reads another instance's run here.
    pub(super) fn enter(self: &Arc<Self>, run: RunId) -> Watching {
        *self.here().entry(run).or_default() += 1;
        self.changed();
        Watching { presence: self.clone(), run }
    }

    /// Whether somebody reads another instance's run here.
    pub(super) fn is_watched_here(&self, run: RunId) -> bool {
        self.here().contains_key(&run)
    }

    /// Whether anybody watches a run of this process.
    pub(super) fn is_watched(&self, run: &LiveRun) -> bool {
        if run.reader_count() > 0 || self.is_watched_here(run.id) {
            return true;
        }
        let (now, link) = (Instant::now(), self.live.hears_since());
        let words = self.words();
        words.values().any(|word| word.runs.contains(&run.id) && word.holds(link, now))
    }

    /// Waits until a run of this process is watched, or is not.
    pub(super) async fn until_watched(&self, run: &LiveRun, is_watched: bool) {
        let (mut readers, mut changes) = (run.log.watch_readers(), self.changes.subscribe());
        while self.is_watched(run) != is_watched {
            tokio::select! {
                // Their senders are held by what we hold.
                _ = readers.changed() => {}
                _ = changes.changed() => {}
                () = sleep(LOOK_EVERY), if self.live.is_shared() => {}
            }
        }
    }

    /// How long a run must have been unwatched before that is certain.
    pub(super) fn certain_after(&self) -> Duration {
        if self.live.is_shared() { HEARSAY } else { Duration::ZERO }
    }

    /// Takes what an instance tells, as far as it concerns this process.
    pub(super) fn hear(&self, instance: &str, runs: &[RunId], is_own: impl Fn(RunId) -> bool) {
        if instance == self.name {
            return;
        }
        let (now, link) = (Instant::now(), self.live.hears_since());
        let runs: HashSet<RunId> = runs.iter().copied().filter(|run| is_own(*run)).collect();
        {
            let mut words = self.words();
            words.retain(|_, word| word.holds(link, now));
            if runs.is_empty() {
                words.remove(instance);
            } else {
                words.insert(instance.to_owned(), Word { runs, heard: now });
            }
        }
        self.changed();
    }

    /// Tells the others, until it is dropped.
    pub(super) async fn tell(&self) {
        if !self.live.is_shared() {
            return std::future::pending().await;
        }
        let mut changes = self.changes.subscribe();
        let mut told = HashSet::new();
        loop {
            changes.mark_unchanged();
            let runs: HashSet<RunId> = self.here().keys().copied().take(TOLD).collect();
            // Nothing, again: nobody need hear it.
            if !(runs.is_empty() && told.is_empty()) {
                let word = runs.iter().copied().collect();
                self.live.tell(&Signal::Watching { instance: self.name.clone(), runs: word }).await;
            }
            told = runs;
            sleep(GAP).await;
            let pause = if told.is_empty() { Duration::MAX } else { EVERY };
            // The sender is ours: it does not go away.
            let _ = timeout(pause, changes.changed()).await;
        }
    }

    fn changed(&self) {
        self.changes.send_modify(|version| *version += 1);
    }

    fn here(&self) -> MutexGuard<'_, HashMap<RunId, usize>> {
        // Every write leaves the map whole, so a poisoned lock is as good as another.
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn words(&self) -> MutexGuard<'_, HashMap<String, Word>> {
        // As above.
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Word {
    /// `link` is since when words can be heard; `None` while they cannot.
    fn holds(&self, link: Option<Instant>, now: Instant) -> bool {
        link.is_none_or(|since| now < since.max(self.heard) + HOLDS)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        {
            let mut here = self.presence.here();
            if let Some(readers) = here.get_mut(&self.run) {
                *readers -= 1;
                if *readers == 0 {
                    here.remove(&self.run);
                }
            }
        }
        self.presence.changed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_holds_until_others_should_have_come_and_as_long_as_none_can_be_heard() {
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        let word = Word { runs: HashSet::new(), heard: after(100) };

        assert!(word.holds(Some(begun), after(109)));
        assert!(!word.holds(Some(begun), after(111)));
        assert!(word.holds(None, after(500)));
        // Whoever still watches says so once he is heard again.
        assert!(word.holds(Some(after(500)), after(509)));
        assert!(!word.holds(Some(after(500)), after(511)));
    }

    #[test]
    fn a_run_is_watched_as_long_as_one_of_its_readers_is_there() {
        let presence = Presence::new(Live::alone(), "here".to_owned());
        let run = RunId::new();
        let (one, other) = (presence.enter(run), presence.enter(run));

        drop(one);
        assert!(presence.is_watched_here(run));
        drop(other);
        assert!(!presence.is_watched_here(run));
    }
}
