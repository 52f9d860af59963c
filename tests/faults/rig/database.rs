//! A database for a test, and what is stored in it.

use chatkit_gateway::protocol::Timestamp;
use sqlx::{
    ColumnIndex, Decode, FromRow, PgPool, Row, SqlitePool, Type,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use tempfile::TempDir;

use super::postgres;

/// A run as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct StoredRun {
    pub(crate) id: String,
    pub(crate) thread_id: String,
    pub(crate) status: String,
    /// Microseconds since 1970.
    pub(crate) ended_at: Option<i64>,
}

/// An item as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct StoredItem {
    pub(crate) thread_id: String,
    pub(crate) run_id: Option<String>,
    pub(crate) kind: String,
    pub(crate) content: Option<String>,
    /// Compared as a whole: after the end it must not change.
    #[expect(dead_code, reason = "part of what is compared as text")]
    pub(crate) status: Option<String>,
}

impl<'r, R: Row> FromRow<'r, R> for StoredRun
where
    &'static str: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            thread_id: row.try_get("thread_id")?,
            status: row.try_get("status")?,
            ended_at: row.try_get("ended_at")?,
        })
    }
}

impl<'r, R: Row> FromRow<'r, R> for StoredItem
where
    &'static str: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            thread_id: row.try_get("thread_id")?,
            run_id: row.try_get("run_id")?,
            kind: row.try_get("kind")?,
            content: row.try_get("content")?,
            status: row.try_get("status")?,
        })
    }
}

/// What is stored of the threads that were begun after a moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    pub(crate) runs: Vec<StoredRun>,
    pub(crate) items: Vec<StoredItem>,
}

impl Stored {
    pub(crate) fn run(&self, id: &str) -> Option<&StoredRun> {
        self.runs.iter().find(|run| run.id == id)
    }

    /// The messages of the assistant that a run made.
    pub(crate) fn answers(&self, run: &str) -> Vec<&StoredItem> {
        let is_answer = |item: &&StoredItem| {
            item.kind == "assistant_message" && item.run_id.as_deref() == Some(run)
        };
        self.items.iter().filter(is_answer).collect()
    }

    /// What is kept of a run's text.
    pub(crate) fn text(&self, run: &str) -> String {
        let answers = self.answers(run);
        answers.iter().filter_map(|item| item.content.as_deref()).collect()
    }
}

enum Look {
    Sqlite { pool: SqlitePool, _folder: TempDir },
    Postgres(PgPool),
}

/// A database that nobody else uses.
pub(crate) struct Database {
    pub(crate) url: String,
    look: Look,
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let url = format!("sqlite://{}", path.display());
        let options = SqliteConnectOptions::new().filename(path).read_only(true);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options);
        Self { url, look: Look::Sqlite { pool, _folder: folder } }
    }

    /// On the server of `TEST_POSTGRES_URL`.
    pub(crate) async fn postgres() -> Self {
        Self::at(postgres::new_database().await)
    }

    /// The PostgreSQL database of this address.
    pub(crate) fn at(url: String) -> Self {
        let pool = PgPoolOptions::new().max_connections(2).connect_lazy(&url).unwrap();
        Self { url, look: Look::Postgres(pool) }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.look, Look::Postgres(_))
    }

    /// What is stored of the threads that were begun after `since`.
    pub(crate) async fn look(&self, since: Timestamp) -> Stored {
        let since = since.as_micros();
        match &self.look {
            Look::Sqlite { pool, .. } => {
                let runs = sqlx::query_as(
                    "SELECT run.id, conversation_id AS thread_id, run.status, ended_at
                    FROM run JOIN conversation ON conversation.id = conversation_id
                    WHERE conversation.created_at >= ?1 ORDER BY run.id",
                );
                let items = sqlx::query_as(
                    "SELECT message.id, conversation_id AS thread_id, run_id, type AS kind,
                        content, message.status
                    FROM message JOIN conversation ON conversation.id = conversation_id
                    WHERE conversation.created_at >= ?1 ORDER BY conversation_id, seq",
                );
                Stored {
                    runs: runs.bind(since).fetch_all(pool).await.unwrap(),
                    items: items.bind(since).fetch_all(pool).await.unwrap(),
                }
            }
            Look::Postgres(pool) => {
                let runs = sqlx::query_as(
                    "SELECT run.id::text, conversation_id::text AS thread_id, run.status,
                        (extract(epoch FROM ended_at) * 1000000)::bigint AS ended_at
                    FROM run JOIN conversation ON conversation.id = conversation_id
                    WHERE conversation.created_at >= to_timestamp($1::float8 / 1000000)
                    ORDER BY run.id",
                );
                let items = sqlx::query_as(
                    "SELECT message.id::text, conversation_id::text AS thread_id,
                        run_id::text, type AS kind, content, message.status
                    FROM message JOIN conversation ON conversation.id = conversation_id
                    WHERE conversation.created_at >= to_timestamp($1::float8 / 1000000)
                    ORDER BY conversation_id, seq",
                );
                Stored {
                    runs: runs.bind(since).fetch_all(pool).await.unwrap(),
                    items: items.bind(since).fetch_all(pool).await.unwrap(),
                }
            }
        }
    }

    /// How many runs are under way that another process could go on with.
    pub(crate) async fn resumable_runs(&self) -> usize {
        let count =
            "SELECT count(*) FROM run WHERE status = 'running' AND resume_point IS NOT NULL";
        let counted: i64 = match &self.look {
            Look::Sqlite { pool, .. } => sqlx::query_scalar(count).fetch_one(pool).await.unwrap(),
            Look::Postgres(pool) => sqlx::query_scalar(count).fetch_one(pool).await.unwrap(),
        };
        counted.try_into().unwrap()
    }

    /// Connections of gateways to this database that sit in a transaction and do nothing, for longer
    /// than the way between two statements takes.
    pub(crate) async fn idle_in_transaction(&self) -> i64 {
        let Look::Postgres(pool) = &self.look else { return 0 };
        let count = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'chatkit-gateway'
                AND state LIKE 'idle in transaction%'
                AND state_change < now() - interval '200 milliseconds'";
        sqlx::query_scalar(count).fetch_one(pool).await.unwrap()
    }

    /// Lets the leases of all runs that are under way run out, as 15 s of silence would.
    pub(crate) async fn expire_leases(&self) {
        if let Look::Postgres(pool) = &self.look {
            let expire = "UPDATE run SET lease_until = now() - interval '1 second'
                WHERE status = 'running'";
            sqlx::query(expire).execute(pool).await.unwrap();
        }
    }
}
