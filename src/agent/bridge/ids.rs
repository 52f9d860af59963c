//! Identifiers of the items that a run makes.

use aws_lc_rs::digest::{SHA256, digest};
use uuid::{Builder, Uuid};

use crate::protocol::{ItemId, RunId};

/// Makes the identifiers of a run's items.
///
/// Those of a run come from the run, the model turn and how many there were before in it: an answer
/// that is read again, by a process that takes the run over, gives the same items once more.
#[derive(Clone, Debug, Default)]
pub struct ItemIds {
    run: Option<RunId>,
    turn: u32,
    made: u32,
}

impl ItemIds {
    /// Those of a run. Without one, by default, every identifier is new.
    pub fn of(run: RunId) -> Self {
        Self { run: Some(run), ..Self::default() }
    }

    /// A model turn of the run begins.
    pub(super) fn begin_turn(&mut self, turn: u32) {
        (self.turn, self.made) = (turn, 0);
    }

    pub(super) fn next(&mut self) -> ItemId {
        let Some(run) = self.run else { return ItemId::new() };
        self.made += 1;
        ItemId::from(derived(run.as_uuid(), self.turn, self.made))
    }
}

/// A UUID of version 7 with the time of the run's, and a hash in place of chance.
fn derived(run: Uuid, turn: u32, number: u32) -> Uuid {
    let mut told = run.as_bytes().to_vec();
    told.extend(turn.to_be_bytes());
    told.extend(number.to_be_bytes());
    let hash = digest(&SHA256, &told);
    let mut random = [0; 10];
    random.copy_from_slice(&hash.as_ref()[..10]);
    let millis = run.get_timestamp().map_or(0, |time| {
        let (seconds, nanos) = time.to_unix();
        seconds * 1_000 + u64::from(nanos) / 1_000_000
    });
    Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn ids(run: RunId) -> Vec<ItemId> {
        let mut ids = ItemIds::of(run);
        let turns = (0..5).flat_map(|turn| {
            ids.begin_turn(turn);
            (0..20).map(|_| ids.next()).collect::<Vec<_>>()
        });
        turns.collect()
    }

    #[test]
    fn the_items_of_a_run_have_the_same_identifiers_whenever_they_are_made() {
        let run = RunId::new();
        let made = ids(run);

        assert_eq!(made, ids(run));
        assert_eq!(made.iter().collect::<HashSet<_>>().len(), 100);
        assert!(made.iter().all(|id| id.as_uuid().get_version_num() == 7));
        assert!(ids(RunId::new()).iter().all(|id| !made.contains(id)));
    }
}
