//! Writing for many runs in one transaction: what both databases do about it. Pure, but for the
//! log.

use std::{collections::HashSet, error::Error, ops::Range, sync::Arc};

use super::{
    Result,
    record::{RunWrite, WriteOutcome},
};

/// Some neighbours of a group, shared with the task that writes them.
pub(super) struct Slice {
    group: Arc<[RunWrite]>,
    places: Range<usize>,
}

impl Slice {
    /// The writes.
    pub(super) fn writes(&self) -> &[RunWrite] {
        &self.group[self.places.clone()]
    }
}

/// Writes a group at once. One write fails alone: when the group is refused, each of it is tried
/// by itself.
pub(super) async fn write_group<Writing>(
    writes: Vec<RunWrite>,
    write: impl Fn(Slice) -> Writing + Send + Sync,
) -> Result<Vec<WriteOutcome>>
where
    Writing: Future<Output = Result<Vec<WriteOutcome>>> + Send,
{
    let group: Arc<[RunWrite]> = writes.into();
    let slice = |places| Slice { group: Arc::clone(&group), places };
    match write(slice(0..group.len())).await {
        Err(error) if !error.is_unavailable() => {}
        outcome => return outcome,
    }
    let mut outcomes = Vec::with_capacity(group.len());
    for place in 0..group.len() {
        match write(slice(place..place + 1)).await {
            Ok(outcome) => outcomes.extend(outcome),
            Err(error) if error.is_unavailable() => return Err(error),
            Err(error) => {
                // Not the whole error: its details may hold what the row was to hold.
                tracing::error!(
                    run.id = %group[place].run_id,
                    error = %error,
                    cause = error.source().map(ToString::to_string),
                    "write refused"
                );
                outcomes.push(WriteOutcome::Refused);
            }
        }
    }
    Ok(outcomes)
}

/// A write and its place in the slice.
pub(super) type Placed<'w> = (usize, &'w RunWrite);

/// Parts writes so that no run is twice in a wave: a statement cannot change one row twice, and
/// what a run writes first must be written first.
pub(super) fn waves(writes: &[RunWrite]) -> Vec<Vec<Placed<'_>>> {
    let mut waves = Vec::new();
    let mut rest: Vec<Placed<'_>> = writes.iter().enumerate().collect();
    while !rest.is_empty() {
        let mut runs = HashSet::new();
        let (wave, later) = rest.into_iter().partition(|(_, write)| runs.insert(write.run_id));
        waves.push(wave);
        rest = later;
    }
    waves
}
