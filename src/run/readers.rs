//! Who reads a log, and who of them waits.

use std::{collections::BTreeSet, task::Waker};

/// Who reads, and who of them waits.
#[derive(Debug, Default)]
pub(super) struct Readers {
    waiting: Vec<Option<Waker>>,
    free: BTreeSet<usize>,
}

impl Readers {
    /// One more; answers its place.
    pub(super) fn join(&mut self) -> usize {
        self.free.pop_first().unwrap_or_else(|| {
            self.waiting.push(None);
            self.waiting.len() - 1
        })
    }

    /// One less.
    pub(super) fn leave(&mut self, id: usize) {
        self.waiting[id] = None;
        self.free.insert(id);
    }

    /// The one at this place waits.
    pub(super) fn register(&mut self, id: usize, waker: &Waker) {
        let slot = &mut self.waiting[id];
        if !slot.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *slot = Some(waker.clone());
        }
    }

    /// Wakes all that wait.
    pub(super) fn wake(&mut self) {
        for waker in self.waiting.iter_mut().filter_map(Option::take) {
            waker.wake();
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.waiting.len() - self.free.len()
    }
}
