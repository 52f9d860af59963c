//! How many runs may live at a time, in all and of one user.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use crate::protocol::UserId;

use super::StartError;

/// The places for runs.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    taken: Arc<Mutex<Taken>>,
    max: usize,
    max_per_user: usize,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_user: HashMap<UserId, usize>,
}

/// A place for one run, given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    taken: Arc<Mutex<Taken>>,
    user: UserId,
}

impl Slots {
    /// Places; a limit of 0 is none.
    pub(super) fn new(max: usize, max_per_user: usize) -> Self {
        let limit = |n| if n == 0 { usize::MAX } else { n };
        Self { taken: Arc::default(), max: limit(max), max_per_user: limit(max_per_user) }
    }

    /// Takes a place for a run of the user.
    pub(super) fn take(&self, user: &UserId) -> Result<Slot, StartError> {
        let mut taken = self.taken.lock().expect("no panic happens while locked");
        if taken.all >= self.max {
            return Err(StartError::TooMany);
        }
        if taken.by_user.get(user).is_some_and(|of_user| *of_user >= self.max_per_user) {
            return Err(StartError::TooManyOfUser);
        }
        // Under the lock that it was looked at with: of two at once the second must see the first.
        Ok(self.count(&mut taken, user))
    }

    /// Takes a place for a run that was accepted before, by another process.
    pub(super) fn take_anyway(&self, user: &UserId) -> Slot {
        let mut taken = self.taken.lock().expect("no panic happens while locked");
        self.count(&mut taken, user)
    }

    fn count(&self, taken: &mut Taken, user: &UserId) -> Slot {
        *taken.by_user.entry(user.clone()).or_default() += 1;
        taken.all += 1;
        Slot { taken: self.taken.clone(), user: user.clone() }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().expect("no panic happens while locked");
        taken.all -= 1;
        if let Some(of_user) = taken.by_user.get_mut(&self.user) {
            *of_user -= 1;
            if *of_user == 0 {
                taken.by_user.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_run_is_gone() {
        let slots = Slots::new(2, 1);
        let (alice, bob, carol) =
            ["alice", "bob", "carol"].map(|name| UserId::parse(name).unwrap()).into();
        let first = slots.take(&alice).unwrap();
        assert!(matches!(slots.take(&alice), Err(StartError::TooManyOfUser)));
        let _second = slots.take(&bob).unwrap();
        assert!(matches!(slots.take(&carol), Err(StartError::TooMany)));

        drop(first);

        assert!(slots.take(&carol).is_ok());
    }

    #[test]
    fn of_those_who_come_at_once_no_more_get_a_place_than_there_are() {
        let alice: UserId = UserId::parse("alice").unwrap();
        for _ in 0..200 {
            let (slots, begin) = (Slots::new(0, 3), Barrier::new(8));
            let taken: Vec<_> = thread::scope(|scope| {
                let take = || {
                    begin.wait();
                    slots.take(&alice).ok()
                };
                let takers: Vec<_> = (0..8).map(|_| scope.spawn(take)).collect();
                takers.into_iter().filter_map(|taker| taker.join().unwrap()).collect()
            });
            assert_eq!(taken.len(), 3);
        }
    }
}
