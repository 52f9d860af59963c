//! How values are written, the same way to both databases.

use std::{collections::HashMap, fmt::Write as _};

use serde::Serialize;
use uuid::Uuid;

use super::record::{
    ItemRecord, ItemStatus, ItemWrite, NewThread, RunEnd, RunStatus, TaskFilter, ThreadPatch,
    ThreadRecord,
};
use crate::protocol::{
    Attachment, ItemId, ItemKind, Order, RunId, ThreadId, ThreadItem, ThreadStatus, Timestamp,
    confirmation::{self, Settled},
};

/// Text as both databases can hold it. PostgreSQL has no U+0000, which models and tools are free
/// to write: U+FFFD takes its place.
pub(super) fn text(text: impl Into<String>) -> String {
    let text = text.into();
    if memchr::memchr(0, text.as_bytes()).is_none() {
        return text;
    }
    text.replace('\0', "\u{fffd}")
}

/// [`text`] where there is one.
pub(super) fn optional_text(value: Option<String>) -> Option<String> {
    value.map(text)
}

/// JSON as both databases can hold it: as in [`text`], U+FFFD takes the place of U+0000, which
/// JSON spells `\u0000`.
pub(super) fn json<T: Serialize>(value: &T) -> String {
    let json = serde_json::to_string(value).expect("stored types have string keys only");
    without_nul_escapes(json)
}

/// [`json`] where there is a value.
pub(super) fn optional_json<T: Serialize>(value: Option<&T>) -> Option<String> {
    value.map(json)
}

fn without_nul_escapes(json: String) -> String {
    const NUL: &str = "\\u0000";
    if !json.contains(NUL) {
        return json;
    }
    let mut clean = String::with_capacity(json.len());
    let mut rest = json.as_str();
    while let Some(at) = rest.find('\\') {
        clean.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix(NUL) {
            clean.push('\u{fffd}');
            rest = after;
        } else {
            // The character after a backslash belongs to it: `\\u0000` is a backslash and text.
            let (escape, after) = rest.split_at(2);
            clean.push_str(escape);
            rest = after;
        }
    }
    clean.push_str(rest);
    clean
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// A number as databases count: signed.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// How many rows to ask for: one more than wanted tells whether there are more.
pub(super) fn limit_and_one(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX - 1).saturating_add(1)
}

/// The status of a run after a write.
pub(super) fn status_after(end: Option<&RunEnd>) -> &'static str {
    end.map_or(RunStatus::Running, |end| end.status).as_str()
}

/// The value of `completed` that a filter asks for; `None` for any.
pub(super) fn completed(filter: TaskFilter) -> Option<bool> {
    match filter {
        TaskFilter::All => None,
        TaskFilter::Pending => Some(false),
        TaskFilter::Completed => Some(true),
    }
}

/// The sequence number before all others of a list.
pub(super) fn beyond_all(order: Order) -> i64 {
    match order {
        Order::Asc => 0,
        Order::Desc => i64::MAX,
    }
}

/// A duration in microseconds.
pub(super) fn micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// A thread that has just been made with a run.
pub(super) fn begun_thread(thread: &NewThread, visible: usize, run_id: RunId) -> ThreadRecord {
    ThreadRecord {
        id: thread.id,
        user_id: thread.user_id.clone(),
        title: optional_text(thread.title.clone()),
        status: ThreadStatus::default(),
        allowed_image_domains: None,
        metadata: serde_json::Map::new(),
        created_at: thread.now,
        updated_at: thread.now,
        archived_at: None,
        message_count: u64::try_from(visible).unwrap_or(u64::MAX),
        active_run_id: Some(run_id),
    }
}

/// A patch of a thread as the columns of a `conversation` row.
pub(super) struct PatchColumns {
    pub(super) title: Setting<String>,
    pub(super) archived_at: Setting<Timestamp>,
    /// `None` leaves as it is.
    pub(super) status: Option<String>,
    pub(super) allowed_image_domains: Setting<String>,
    /// `None` leaves as it is.
    pub(super) metadata: Option<String>,
}

/// What to do with a column that can be NULL.
pub(super) struct Setting<T> {
    /// Whether it is set at all.
    pub(super) is_set: bool,
    /// To what.
    pub(super) value: Option<T>,
}

impl<T> From<Option<Option<T>>> for Setting<T> {
    fn from(change: Option<Option<T>>) -> Self {
        Self { is_set: change.is_some(), value: change.flatten() }
    }
}

impl From<ThreadPatch> for PatchColumns {
    fn from(patch: ThreadPatch) -> Self {
        Self {
            title: patch.title.map(optional_text).into(),
            archived_at: patch.archived_at.into(),
            status: patch.status.as_ref().map(json),
            allowed_image_domains: patch
                .allowed_image_domains
                .map(|domains| optional_json(domains.as_ref()))
                .into(),
            metadata: patch.metadata.as_ref().map(json),
        }
    }
}

/// An item as the columns of a `message` row.
#[derive(Debug)]
pub(super) struct MessageRow {
    pub(super) id: Uuid,
    pub(super) thread_id: Uuid,
    pub(super) role: &'static str,
    pub(super) content: String,
    pub(super) created_at: Timestamp,
    pub(super) kind: &'static str,
    pub(super) item: String,
    pub(super) status: &'static str,
    pub(super) run_id: Option<Uuid>,
    /// Whether clients see it, and `message_count` counts it.
    pub(super) is_visible: bool,
}

impl MessageRow {
    fn new(thread: ThreadId, item: &ThreadItem, status: ItemStatus, run: Option<Uuid>) -> Self {
        Self {
            id: item.id.as_uuid(),
            thread_id: thread.as_uuid(),
            role: item.kind.role().as_str(),
            content: text(item.kind.plain_text()),
            created_at: item.created_at,
            kind: item.kind.type_name(),
            item: json(item),
            status: status.as_str(),
            run_id: run,
            is_visible: !item.kind.is_hidden(),
        }
    }
}

/// The rows of whole items. Of two with one id the later one counts, in the earlier one's place.
pub(super) fn complete_items(
    thread: ThreadId,
    items: &[ThreadItem],
    run: Option<Uuid>,
) -> Vec<MessageRow> {
    let row = |item| MessageRow::new(thread, item, ItemStatus::Complete, run);
    last_of_each_id(items.iter().map(row))
}

/// The rows of a run's items, less those that the same write takes away again.
pub(super) fn written_items(
    thread: ThreadId,
    items: &[ItemWrite],
    removed: &[ItemId],
    run: Uuid,
) -> Vec<MessageRow> {
    let kept = items.iter().filter(|write| !removed.contains(&write.item.id));
    last_of_each_id(kept.map(|write| MessageRow::new(thread, &write.item, write.status, Some(run))))
}

/// The rows of items that ask the page or the user something, and that nobody will answer any more.
pub(super) fn given_up(asking: Vec<ItemRecord>) -> Vec<MessageRow> {
    let given_up = asking.into_iter().filter_map(|mut record| {
        match &mut record.item.kind {
            ItemKind::ClientToolCall(call) => call.abandon(),
            ItemKind::StructuredInput(questions) => questions.skip(),
            ItemKind::Widget(widget) => confirmation::settle(widget, Settled::GivenUp),
            _ => return None,
        }
        Some(MessageRow::new(record.item.thread_id, &record.item, record.status, None))
    });
    given_up.collect()
}

/// An attachment as clients see it, less its thread, which has a column.
pub(super) fn attachment(attachment: &Attachment) -> String {
    json(&Attachment { thread_id: None, ..attachment.clone() })
}

fn last_of_each_id(rows: impl Iterator<Item = MessageRow>) -> Vec<MessageRow> {
    let mut places: HashMap<Uuid, usize> = HashMap::new();
    let mut kept: Vec<MessageRow> = Vec::new();
    for row in rows {
        let place = *places.entry(row.id).or_insert(kept.len());
        if place < kept.len() {
            kept[place] = row;
        } else {
            kept.push(row);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_becomes_the_replacement_character() {
        assert_eq!(text("a\0b"), "a\u{fffd}b");
        assert_eq!(json(&"a\0b"), "\"a\u{fffd}b\"");
    }

    #[test]
    fn an_escaped_backslash_before_u0000_is_text() {
        let given = "\\u0000 and \0, \"quoted\" \u{1}";

        let stored = json(&given);

        let read: String = serde_json::from_str(&stored).unwrap();
        assert_eq!(read, "\\u0000 and \u{fffd}, \"quoted\" \u{1}");
    }
}
