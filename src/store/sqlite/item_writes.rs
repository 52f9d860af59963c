//! Writing thread items, and keeping their thread's counters in step.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use sqlx::{SqliteConnection, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    Key, SqliteStore,
    given::{Span, Texts, given, text_at},
    key_list, threads,
};
use crate::{
    protocol::{ItemId, ThreadId, ThreadItem, Timestamp, UserId},
    store::{
        Result, decode,
        encode::{self, MessageRow},
        upsert::{Change, Existing, Plan},
    },
};

pub(super) async fn upsert(
    store: &SqliteStore,
    user: &UserId,
    thread_id: ThreadId,
    items: &[ThreadItem],
    now: Timestamp,
) -> Result<bool> {
    let user = user.clone();
    let rows = encode::complete_items(thread_id, items, None);
    store
        .writer
        .write(move |connection| {
            Box::pin(async move {
                if threads::find(&mut *connection, &user, thread_id).await?.is_none() {
                    return Ok(false);
                }
                let times = HashMap::from([(thread_id.as_uuid(), now)]);
                put(connection, rows, &times).await?;
                Ok(true)
            })
        })
        .await
}

/// When each of the threads that a transaction changes is changed.
pub(super) type Times = HashMap<Uuid, Timestamp>;

/// Inserts items at the end of their threads, or replaces those with their ids in place.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    rows: Vec<MessageRow>,
    times: &Times,
) -> Result<()> {
    let placement = place(connection, rows, times).await?;
    insert(connection, &placement.new_rows).await
}

/// What is left to be done with items that have their places.
#[derive(Default)]
pub(super) struct Placement {
    /// To be inserted.
    pub(super) new_rows: Vec<NewRow>,
    /// What became of the threads' counters.
    pub(super) changes: BTreeMap<Uuid, Change>,
}

/// An item and its number in its thread.
pub(super) struct NewRow {
    pub(super) row: MessageRow,
    pub(super) seq: i64,
}

/// Replaces items whose ids are there in place, and gives the others the next numbers of their
/// threads.
pub(super) async fn place(
    connection: &mut SqliteConnection,
    rows: Vec<MessageRow>,
    times: &Times,
) -> Result<Placement> {
    if rows.is_empty() {
        return Ok(Placement::default());
    }
    let existing = find_existing(connection, &rows).await?;
    let plan = Plan::new(rows, &existing)?;
    let last_seq = change_counters(connection, &plan.changes, times).await?;
    replace_rows(connection, &plan.updates).await?;
    let seq = plan.sequence(&last_seq);
    let new_rows = plan.inserts.into_iter().zip(seq).map(|(row, seq)| NewRow { row, seq });
    Ok(Placement { new_rows: new_rows.collect(), changes: plan.changes })
}

async fn find_existing(
    connection: &mut SqliteConnection,
    rows: &[MessageRow],
) -> Result<HashMap<Uuid, Existing>> {
    let found = sqlx::query(
        "SELECT id, conversation_id, type
        FROM message
        WHERE id IN (SELECT value FROM json_each(?1))",
    )
    .bind(key_list(rows.iter().map(|row| row.id)))
    .fetch_all(connection)
    .await?;
    found.iter().map(decode::existing).collect()
}

/// How a thread is changed, for `json_each`.
#[derive(Serialize)]
struct Changed {
    id: Uuid,
    added: i64,
    visible: i64,
    now: Option<i64>,
}

/// Answers what `last_seq` of each thread has risen to.
async fn change_counters(
    connection: &mut SqliteConnection,
    changes: &BTreeMap<Uuid, Change>,
    times: &Times,
) -> Result<HashMap<Uuid, i64>> {
    let given = |(id, change): (&Uuid, &Change)| Changed {
        id: *id,
        added: change.added,
        visible: change.visible,
        now: times.get(id).map(|now| now.as_micros()),
    };
    let found = sqlx::query(concat!(
        given!(),
        "UPDATE conversation
        SET last_seq = last_seq + (given.value ->> 'added'),
            message_count = message_count + (given.value ->> 'visible'),
            updated_at = coalesce(given.value ->> 'now', updated_at)
        FROM given
        WHERE conversation.id = (given.value ->> 'id')
        RETURNING conversation.id, last_seq"
    ))
    .bind(encode::json(&changes.iter().map(given).collect::<Vec<_>>()))
    .fetch_all(connection)
    .await?;
    found.iter().map(decode::last_seq).collect()
}

/// An item, for `json_each`; its texts are beside it.
#[derive(Serialize)]
struct Given<'r> {
    id: Uuid,
    conversation_id: Uuid,
    role: &'r str,
    content: Span,
    created_at: i64,
    seq: Option<i64>,
    #[serde(rename = "type")]
    kind: &'r str,
    item: Span,
    status: &'r str,
    run_id: Option<Uuid>,
}

impl<'r> Given<'r> {
    fn new(row: &'r MessageRow, seq: Option<i64>, texts: &mut Texts) -> Self {
        Self {
            id: row.id,
            conversation_id: row.thread_id,
            role: row.role,
            content: texts.add(&row.content),
            created_at: row.created_at.as_micros(),
            seq,
            kind: row.kind,
            item: texts.add(&row.item),
            status: row.status,
            run_id: row.run_id,
        }
    }
}

/// The run that made an item stays its run, whichever run replaces it.
async fn replace_rows(connection: &mut SqliteConnection, rows: &[MessageRow]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut texts = Texts::default();
    let given: Vec<_> = rows.iter().map(|row| Given::new(row, None, &mut texts)).collect();
    sqlx::query(concat!(
        given!(),
        "UPDATE message
        SET role = given.value ->> 'role',
            content = ",
        text_at!("content"),
        ",
            created_at = given.value ->> 'created_at',
            type = given.value ->> 'type',
            item = ",
        text_at!("item"),
        ",
            status = given.value ->> 'status',
            run_id = coalesce(run_id, given.value ->> 'run_id')
        FROM given
        CROSS JOIN (SELECT ? AS bytes) AS texts
        WHERE message.id = (given.value ->> 'id')
            AND message.conversation_id = (given.value ->> 'conversation_id')"
    ))
    .bind(encode::json(&given))
    .bind(texts.into_bytes())
    .execute(connection)
    .await?;
    Ok(())
}

/// Inserts what [`NewRows`] holds; the parameters have no numbers, so that other statements can
/// stand before it.
macro_rules! insert_messages {
    () => {
        concat!(
            $crate::store::sqlite::given::given!(),
            "INSERT INTO message (
                id, conversation_id, user_id, role, content, created_at, seq, type, item, status,
                run_id
            )
            SELECT
                given.value ->> 'id',
                c.id,
                c.user_id,
                given.value ->> 'role',
                ",
            $crate::store::sqlite::given::text_at!("content"),
            ",
                given.value ->> 'created_at',
                given.value ->> 'seq',
                given.value ->> 'type',
                ",
            $crate::store::sqlite::given::text_at!("item"),
            ",
                given.value ->> 'status',
                given.value ->> 'run_id'
            FROM given
            CROSS JOIN (SELECT ? AS bytes) AS texts
            JOIN conversation AS c ON c.id = (given.value ->> 'conversation_id')"
        )
    };
}
pub(super) use insert_messages;

/// The two parameters of [`insert_messages`].
pub(super) struct NewRows {
    /// JSON.
    pub(super) rows: String,
    /// The texts of the rows.
    pub(super) texts: Vec<u8>,
}

impl NewRows {
    pub(super) fn new(new_rows: &[NewRow]) -> Self {
        let mut texts = Texts::default();
        let given: Vec<_> =
            new_rows.iter().map(|new| Given::new(&new.row, Some(new.seq), &mut texts)).collect();
        Self { rows: encode::json(&given), texts: texts.into_bytes() }
    }
}

async fn insert(connection: &mut SqliteConnection, new_rows: &[NewRow]) -> Result<()> {
    if new_rows.is_empty() {
        return Ok(());
    }
    let given = NewRows::new(new_rows);
    sqlx::query(insert_messages!()).bind(given.rows).bind(given.texts).execute(connection).await?;
    Ok(())
}

/// Deletes items of threads, those of them that are in theirs.
pub(super) async fn remove(
    connection: &mut SqliteConnection,
    items: &[(ThreadId, ItemId)],
    times: &Times,
) -> Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    let pairs: Vec<_> = items
        .iter()
        .map(|(thread_id, item_id)| [thread_id.key().to_string(), item_id.key().to_string()])
        .collect();
    let removed = sqlx::query(
        "DELETE FROM message
        WHERE (conversation_id, id) IN (
            SELECT gone.value ->> 0, gone.value ->> 1
            FROM json_each(?1) AS gone
        )
        RETURNING id, conversation_id, type",
    )
    .bind(encode::json(&pairs))
    .fetch_all(&mut *connection)
    .await?;
    count_removed(connection, &removed, times).await
}

/// Deletes every item behind one of the thread's; `false` when that one is not in it.
pub(super) async fn remove_after(
    connection: &mut SqliteConnection,
    thread_id: ThreadId,
    item_id: ItemId,
    times: &Times,
) -> Result<bool> {
    let place = sqlx::query("SELECT seq FROM message WHERE id = ?1 AND conversation_id = ?2")
        .bind(item_id.key())
        .bind(thread_id.key())
        .fetch_optional(&mut *connection)
        .await?;
    let Some(place) = place else { return Ok(false) };
    let removed = sqlx::query(
        "DELETE FROM message
        WHERE conversation_id = ?1
            AND seq > ?2
        RETURNING id, conversation_id, type",
    )
    .bind(thread_id.key())
    .bind(decode::seq(&place)?)
    .fetch_all(&mut *connection)
    .await?;
    count_removed(connection, &removed, times).await?;
    Ok(true)
}

async fn count_removed(
    connection: &mut SqliteConnection,
    removed: &[SqliteRow],
    times: &Times,
) -> Result<()> {
    let mut changes: BTreeMap<Uuid, Change> = BTreeMap::new();
    for row in removed {
        let (_, gone) = decode::existing(row)?;
        changes.entry(gone.thread_id).or_default().visible -= i64::from(gone.is_visible);
    }
    if !changes.is_empty() {
        change_counters(connection, &changes, times).await?;
    }
    Ok(())
}
