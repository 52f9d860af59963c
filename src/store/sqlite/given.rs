//! What statements that write many rows are given.
//!
//! The rows are JSON in one parameter, which such a statement reads as the table [`given`]. Long texts
//! stand beside it, one behind the other in another parameter: as JSON they would be escaped here, and
//! copied and read again there for each column of their row.

use serde::Serialize;

/// Texts, one behind the other.
#[derive(Default)]
pub(super) struct Texts(Vec<u8>);

/// Where a text stands, as `substr` counts: the first byte, from 1, and how many.
#[derive(Serialize)]
pub(super) struct Span(usize, usize);

impl Texts {
    pub(super) fn add(&mut self, text: &str) -> Span {
        let first = self.0.len() + 1;
        self.0.extend_from_slice(text.as_bytes());
        Span(first, text.len())
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// The beginning of a statement: the rows of its first parameter as `given.value`, each an object of
/// JSON. Without `MATERIALIZED` it would be written out again for each column that is read of it.
macro_rules! given {
    () => {
        "WITH given AS MATERIALIZED (SELECT value FROM json_each(?)) "
    };
}
pub(super) use given;

/// The text of the [`Span`] that a row of `given` has as this member, from the bytes that a
/// statement has as `texts.bytes`.
macro_rules! text_at {
    ($member:literal) => {
        concat!(
            "CAST(substr(texts.bytes, given.value ->> '$.",
            $member,
            "[0]', given.value ->> '$.",
            $member,
            "[1]') AS TEXT)"
        )
    };
}
pub(super) use text_at;
