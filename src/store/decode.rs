//! Rows to records, the same way from both databases.

use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::{
    BoxError, Result, StoreError,
    record::{
        AttachmentRecord, Begun, EventChunk, IdempotencyKey, ItemRecord, ItemStatus, RunRecord,
        RunStatus, SessionRecord, StopRequest, TaskRecord, ThreadRecord, ToolCallRecord,
        ToolCallState,
    },
    upsert::{Existing, is_visible_type},
};
use crate::protocol::{
    Attachment, ItemId, ItemKind, RunId, ThreadItem, Timestamp, UserId,
    item::{AssistantMessage, Role, UserMessage},
    workflow::{StatusIndicator, Task, TaskKind},
};

/// A row read by column name. The databases differ in the types of ids and times only.
pub(super) trait Columns {
    /// A UUID.
    fn uuid(&self, column: &'static str) -> sqlx::Result<Option<Uuid>>;
    /// A time.
    fn time(&self, column: &'static str) -> sqlx::Result<Option<Timestamp>>;
    /// Text, or JSON cast to it.
    fn text(&self, column: &'static str) -> sqlx::Result<Option<String>>;
    /// A number.
    fn integer(&self, column: &'static str) -> sqlx::Result<Option<i64>>;
    /// True or false.
    fn boolean(&self, column: &'static str) -> sqlx::Result<Option<bool>>;
    /// Bytes.
    fn bytes(&self, column: &'static str) -> sqlx::Result<Option<Vec<u8>>>;
}

/// A row and the table to name when one of its values is not what it should be.
struct Reader<'r, R> {
    row: &'r R,
    table: &'static str,
}

impl<R: Columns> Reader<'_, R> {
    fn corrupt(&self, column: &'static str, source: impl Into<BoxError>) -> StoreError {
        StoreError::Corrupt { table: self.table, column, source: source.into() }
    }

    fn optional<T>(
        &self,
        column: &'static str,
        read: fn(&R, &'static str) -> sqlx::Result<Option<T>>,
    ) -> Result<Option<T>> {
        read(self.row, column).map_err(|error| self.corrupt(column, error))
    }

    fn required<T>(
        &self,
        column: &'static str,
        read: fn(&R, &'static str) -> sqlx::Result<Option<T>>,
    ) -> Result<T> {
        self.optional(column, read)?.ok_or_else(|| self.corrupt(column, "NULL"))
    }

    fn id<T: From<Uuid>>(&self, column: &'static str) -> Result<T> {
        self.required(column, Columns::uuid).map(T::from)
    }

    fn optional_id<T: From<Uuid>>(&self, column: &'static str) -> Result<Option<T>> {
        Ok(self.optional(column, Columns::uuid)?.map(T::from))
    }

    fn user(&self, column: &'static str) -> Result<UserId> {
        let text = self.text(column)?;
        UserId::parse(&text).map_err(|error| self.corrupt(column, error))
    }

    fn time(&self, column: &'static str) -> Result<Timestamp> {
        self.required(column, Columns::time)
    }

    fn optional_time(&self, column: &'static str) -> Result<Option<Timestamp>> {
        self.optional(column, Columns::time)
    }

    fn text(&self, column: &'static str) -> Result<String> {
        self.required(column, Columns::text)
    }

    fn optional_text(&self, column: &'static str) -> Result<Option<String>> {
        self.optional(column, Columns::text)
    }

    fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>> {
        let Some(text) = self.optional_text(column)? else { return Ok(None) };
        serde_json::from_str(&text).map_err(|error| self.corrupt(column, error))
    }

    fn count<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T> {
        let number = self.required(column, Columns::integer)?;
        T::try_from(number).map_err(|_| self.corrupt(column, format!("{number} is no count")))
    }

    fn status<T>(&self, column: &'static str, read: fn(&str) -> Option<T>) -> Result<T> {
        let text = self.text(column)?;
        read(&text).ok_or_else(|| self.corrupt(column, format!("unknown value {text:?}")))
    }
}

/// A thread, from the columns of `conversation` and `active_run_id`.
pub(super) fn thread(row: &impl Columns) -> Result<ThreadRecord> {
    let row = Reader { row, table: "conversation" };
    Ok(ThreadRecord {
        id: row.id("id")?,
        user_id: row.user("user_id")?,
        title: row.optional_text("title")?,
        status: row.json("status")?.unwrap_or_default(),
        allowed_image_domains: row.json("allowed_image_domains")?,
        metadata: row.json("metadata")?.unwrap_or_default(),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        archived_at: row.optional_time("archived_at")?,
        message_count: row.count("message_count")?,
        active_run_id: row.optional_id("active_run_id")?,
    })
}

/// An item, from the columns of `message`.
pub(super) fn item(row: &impl Columns) -> Result<ItemRecord> {
    let row = Reader { row, table: "message" };
    let status = row.optional_text("status")?;
    let status = ItemStatus::from_stored(status.as_deref())
        .ok_or_else(|| row.corrupt("status", format!("unknown value {status:?}")))?;
    let item = match row.json::<ThreadItem>("item")? {
        Some(item) => item,
        None => ThreadItem {
            id: row.id("id")?,
            thread_id: row.id("conversation_id")?,
            created_at: row.time("created_at")?,
            kind: older_kind(
                row.optional_text("role")?.as_deref(),
                row.optional_text("content")?.unwrap_or_default(),
            ),
        },
    };
    Ok(ItemRecord { item, status, run_id: row.optional_id("run_id")? })
}

/// What a row of the older system is, which had a role and a text only. The migration that adopts
/// its tables fills the `type` column by the same rule.
///
/// What a tool said is neither the user's nor the assistant's word: it becomes a step whose title
/// is the text, so that role and text read as they were.
fn older_kind(role: Option<&str>, text: String) -> ItemKind {
    match Role::from_stored(role.unwrap_or_default()) {
        Role::User => ItemKind::UserMessage(UserMessage::from_text(text)),
        Role::Assistant => ItemKind::AssistantMessage(AssistantMessage::from_text(text)),
        Role::System => ItemKind::HiddenContextItem { content: Value::String(text) },
        Role::Tool => ItemKind::Task {
            task: Task {
                status_indicator: StatusIndicator::None,
                kind: TaskKind::Custom { title: Some(text), icon: None, content: None },
            },
        },
    }
}

/// Where an item id is used, from `id`, `conversation_id` and `type` of `message`.
pub(super) fn existing(row: &impl Columns) -> Result<(Uuid, Existing)> {
    let row = Reader { row, table: "message" };
    let is_visible = is_visible_type(&row.text("type")?);
    Ok((row.id("id")?, Existing { thread_id: row.id("conversation_id")?, is_visible }))
}

/// A thread's highest number, from `id` and `last_seq` of `conversation`.
pub(super) fn last_seq(row: &impl Columns) -> Result<(Uuid, i64)> {
    let row = Reader { row, table: "conversation" };
    Ok((row.id("id")?, row.count("last_seq")?))
}

/// An item's place, from `seq` of `message`.
pub(super) fn seq(row: &impl Columns) -> Result<Option<i64>> {
    Reader { row, table: "message" }.optional("seq", Columns::integer)
}

/// A run, from the columns of `run`.
pub(super) fn run(row: &impl Columns) -> Result<RunRecord> {
    let row = Reader { row, table: "run" };
    Ok(RunRecord {
        id: row.id("id")?,
        thread_id: row.id("conversation_id")?,
        user_id: row.user("user_id")?,
        status: row.status("status", RunStatus::from_stored)?,
        lease_token: row.count("lease_token")?,
        error: row.json("error")?,
        usage: row.json("usage")?,
        created_at: row.time("created_at")?,
        ended_at: row.optional_time("ended_at")?,
        resume_point: row.optional_text("resume_point")?,
    })
}

/// The identifier of a `run` row.
pub(super) fn run_id<T: From<Uuid>>(row: &impl Columns) -> Result<T> {
    Reader { row, table: "run" }.id("id")
}

/// Which run is asked to be stopped, and how: a `run` row's `id` and whether it `is_cancel`.
pub(super) fn stop_request(row: &impl Columns) -> Result<(RunId, StopRequest)> {
    let row = Reader { row, table: "run" };
    let is_cancel = row.required("is_cancel", Columns::boolean)?;
    let request = if is_cancel { StopRequest::Cancel } else { StopRequest::Supersede };
    Ok((row.id("id")?, request))
}

/// A stretch of events, from the columns of `run_event`.
pub(super) fn event_chunk(row: &impl Columns) -> Result<EventChunk> {
    let row = Reader { row, table: "run_event" };
    Ok(EventChunk {
        first_seq: row.count("first_seq")?,
        last_seq: row.count("last_seq")?,
        payload: row.text("payload")?,
    })
}

/// A tool call, from the columns of `tool_call`.
pub(super) fn tool_call(row: &impl Columns) -> Result<ToolCallRecord> {
    let row = Reader { row, table: "tool_call" };
    Ok(ToolCallRecord {
        run_id: row.id("run_id")?,
        position: row.count("position")?,
        turn: row.count("turn")?,
        item_id: row.id::<ItemId>("item_id")?,
        call_id: row.text("call_id")?,
        name: row.text("name")?,
        arguments: row.text("arguments")?,
        state: row.status("state", ToolCallState::from_stored)?,
        output: row.optional_text("output")?,
    })
}

/// Which item shows a tool call, from `item_id` of `tool_call`.
pub(super) fn shown_in(row: &impl Columns) -> Result<ItemId> {
    Reader { row, table: "tool_call" }.id("item_id")
}

/// What an idempotency key was used for.
pub(super) struct UsedKey {
    pub(super) fingerprint: Vec<u8>,
    pub(super) run_id: Uuid,
    pub(super) thread_id: Uuid,
}

impl UsedKey {
    /// What is answered to a request that comes with the key again.
    pub(super) fn answer(self, key: &IdempotencyKey) -> Begun {
        if self.fingerprint == key.fingerprint {
            Begun::Replay(self.run_id.into(), self.thread_id.into())
        } else {
            Begun::KeyReused
        }
    }
}

/// A used key, from `fingerprint`, `run_id` and `conversation_id` of `idempotency_key`.
pub(super) fn used_key(row: &impl Columns) -> Result<UsedKey> {
    let row = Reader { row, table: "idempotency_key" };
    Ok(UsedKey {
        fingerprint: row.required("fingerprint", Columns::bytes)?,
        run_id: row.id("run_id")?,
        thread_id: row.id("conversation_id")?,
    })
}

/// A session, from the columns of `chatkit_session`.
pub(super) fn session(row: &impl Columns) -> Result<SessionRecord> {
    let row = Reader { row, table: "chatkit_session" };
    Ok(SessionRecord {
        sid: row.text("sid")?,
        user_id: row.user("user_id")?,
        auth_time: row.time("auth_time")?,
        current_jti: row.text("current_jti")?,
        previous_jti: row.optional_text("previous_jti")?,
        rotated_at: row.time("rotated_at")?,
        revoked_at: row.optional_time("revoked_at")?,
    })
}

/// The identifier of a `chatkit_session` row.
pub(super) fn sid(row: &impl Columns) -> Result<String> {
    Reader { row, table: "chatkit_session" }.text("sid")
}

/// An attachment, from the columns of `attachment`.
pub(super) fn attachment(row: &impl Columns) -> Result<AttachmentRecord> {
    let row = Reader { row, table: "attachment" };
    let given: Option<Attachment> = row.json("attachment")?;
    let given = given.ok_or_else(|| row.corrupt("attachment", "NULL"))?;
    Ok(AttachmentRecord {
        attachment: Attachment { thread_id: row.optional_id("conversation_id")?, ..given },
        user_id: row.user("user_id")?,
        metadata: row.json("metadata")?.unwrap_or_default(),
        created_at: row.time("created_at")?,
    })
}

/// A task, from the columns of `task`.
pub(super) fn task(row: &impl Columns) -> Result<TaskRecord> {
    let row = Reader { row, table: "task" };
    Ok(TaskRecord {
        id: row.required("id", Columns::integer)?,
        title: row.text("title")?,
        description: row.optional_text("description")?,
        completed: row.required("completed", Columns::boolean)?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}
