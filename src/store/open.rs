//! Opening the database that a URL names.

use std::{path::PathBuf, sync::Arc};

use sqlx::migrate::MigrateError;

use super::{BoxError, Store, postgres::PostgresStore, sqlite::SqliteStore};

/// How to open a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOptions {
    /// At most how many connections: all of them on PostgreSQL; on SQLite those that read, beside
    /// the one that writes.
    pub max_connections: u32,
}

impl Default for OpenOptions {
    /// 16 connections: transactions take a few milliseconds, so that these carry thousands a
    /// second, and six instances stay within the hundred that PostgreSQL admits by default.
    fn default() -> Self {
        Self { max_connections: 16 }
    }
}

/// Why a database could not be opened. No message holds the URL: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Neither SQLite nor PostgreSQL.
    #[error("unknown database scheme {0:?}: expected sqlite: or postgres:")]
    UnknownScheme(String),
    /// A known scheme, and something wrong behind it.
    #[error("unusable database URL: {0}")]
    InvalidUrl(String),
    /// Only one process can use a SQLite file.
    #[error("{} is in use by another process; several instances need PostgreSQL", .0.display())]
    Locked(PathBuf),
    /// The lock file beside the SQLite file cannot be made.
    #[error("cannot open {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Nothing answers, or it does not let us in.
    #[error("cannot connect to {target}")]
    Unreachable {
        /// The file, or host, port and database.
        target: String,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// A newer version of this program has changed the schema.
    #[error("the database is newer than this program: it has migration {0}, unknown here")]
    Newer(i64),
    /// The schema could not be brought up to date.
    #[error("cannot migrate the database")]
    Migration(#[source] BoxError),
}

impl From<MigrateError> for OpenError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(version) => Self::Newer(version),
            other => Self::Migration(Box::new(other)),
        }
    }
}

/// Opens the database of a URL, creates it when it is a file that is not there, and applies the
/// migrations that it lacks.
///
/// - `sqlite:chatkit.db`, `sqlite://chatkit.db`: a file in the working directory;
///   `sqlite:///var/lib/chatkit.db`: one by its full path. The path is taken as it stands;
///   parameters and `:memory:` are refused.
/// - `postgres://` or `postgresql://user:password@host:5432/database`, with libpq's parameters
///   such as `sslmode`.
pub async fn open(url: &str, options: OpenOptions) -> Result<Arc<dyn Store>, OpenError> {
    match url.split_once(':') {
        Some(("sqlite", _)) => Ok(Arc::new(SqliteStore::open(url, options).await?)),
        Some(("postgres" | "postgresql", _)) => {
            Ok(Arc::new(PostgresStore::open(url, options).await?))
        }
        Some((scheme, _)) => Err(OpenError::UnknownScheme(scheme.to_owned())),
        None => Err(OpenError::UnknownScheme(String::new())),
    }
}

/// Applies the migrations that the database of a URL lacks, as [`open`] does, and leaves it.
pub async fn migrate(url: &str) -> Result<(), OpenError> {
    let store = open(url, OpenOptions { max_connections: 1 }).await?;
    store.close().await;
    Ok(())
}
