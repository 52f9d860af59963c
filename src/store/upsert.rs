//! Inserting or replacing items: which is which, and what it does to the thread's counters. Pure;
//! the databases ask and write.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::{StoreError, encode::MessageRow};

/// Where a given item id is already used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Existing {
    /// In which thread.
    pub(super) thread_id: Uuid,
    /// Whether that thread counts it.
    pub(super) is_visible: bool,
}

/// How the counters of a thread move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// By how much `last_seq` rises.
    pub(super) added: i64,
    /// By how much `message_count` changes.
    pub(super) visible: i64,
}

/// What to do with items that are to be inserted, or to replace those with their ids.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// In the order given; within a thread they take the next numbers in this order.
    pub(super) inserts: Vec<MessageRow>,
    /// Each keeps its place.
    pub(super) updates: Vec<MessageRow>,
    /// For every thread of the items.
    pub(super) changes: BTreeMap<Uuid, Change>,
}

impl Plan {
    /// Sorts the rows. An id used in another thread is a conflict: that thread may be another
    /// user's, and nobody gets to write there by guessing.
    pub(super) fn new(
        rows: Vec<MessageRow>,
        existing: &HashMap<Uuid, Existing>,
    ) -> Result<Self, StoreError> {
        let mut plan = Self::default();
        for row in rows {
            let change = plan.changes.entry(row.thread_id).or_default();
            match existing.get(&row.id) {
                None => {
                    change.added += 1;
                    change.visible += i64::from(row.is_visible);
                    plan.inserts.push(row);
                }
                Some(old) if old.thread_id == row.thread_id => {
                    change.visible += i64::from(row.is_visible) - i64::from(old.is_visible);
                    plan.updates.push(row);
                }
                Some(_) => return Err(used_elsewhere(row.id)),
            }
        }
        Ok(plan)
    }

    /// The sequence numbers of [`Self::inserts`], given what `last_seq` of each thread has risen
    /// to.
    pub(super) fn sequence(&self, last_seq: &HashMap<Uuid, i64>) -> Vec<i64> {
        let mut next: HashMap<Uuid, i64> = self
            .changes
            .iter()
            .map(|(thread, change)| {
                (*thread, last_seq.get(thread).copied().unwrap_or_default() - change.added)
            })
            .collect();
        self.inserts
            .iter()
            .map(|row| {
                let seq = next.entry(row.thread_id).or_default();
                *seq += 1;
                *seq
            })
            .collect()
    }
}

/// The error for an item id that another thread has.
fn used_elsewhere(id: Uuid) -> StoreError {
    StoreError::Conflict {
        table: "message".to_owned(),
        source: format!("item {id} is in another thread").into(),
    }
}

/// Whether `message_count` counts rows of this type.
pub(super) fn is_visible_type(kind: &str) -> bool {
    !matches!(kind, "hidden_context_item" | "sdk_hidden_context")
}
