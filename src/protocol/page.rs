//! Paging by cursor.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A part of a list. `after` is the id of the last entry, given only when there is more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The entries, in the order asked for.
    #[serde(default = "Vec::new")]
    pub data: Vec<T>,
    /// Whether entries follow.
    #[serde(default)]
    pub has_more: bool,
    /// The cursor for the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl<T> Page<T> {
    /// A page of nothing.
    pub fn empty() -> Self {
        Self { data: Vec::new(), has_more: false, after: None }
    }

    /// Makes a page from at most `limit + 1` rows: the one too many tells that there is more.
    pub fn from_rows(mut rows: Vec<T>, limit: usize, cursor: impl Fn(&T) -> String) -> Self {
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let after = if has_more { rows.last().map(cursor) } else { None };
        Self { data: rows, has_more, after }
    }

    /// The same page of other entries.
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U> {
        Page {
            data: self.data.into_iter().map(convert).collect(),
            has_more: self.has_more,
            after: self.after,
        }
    }
}

/// Direction of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Oldest first.
    Asc,
    /// Newest first.
    #[default]
    Desc,
}
