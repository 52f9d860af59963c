//! Opening and closing the file.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sqlx::{
    ConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{SqliteStore, begin::Beginner, writer::Writer};
use crate::{
    protocol::Timestamp,
    store::{OpenError, OpenOptions, Result, StoreError, begin_queue::BeginQueue, migrations},
};

/// How long a reader waits for a connection before the store counts as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a statement waits for a lock of the file. Only a checkpoint can be in the way, or an
/// operator's shell.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

impl SqliteStore {
    /// Opens the file of a `sqlite:` URL; see [`crate::store::open()`].
    pub async fn open(url: &str, options: OpenOptions) -> Result<Self, OpenError> {
        let path = path_of(url)?;
        let lock = lock(&path)?;
        let file = SqliteConnectOptions::new()
            .filename(&path)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .synchronous(SqliteSynchronous::Full);
        let mut connection = file
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .connect()
            .await
            .map_err(|error| unreachable(&path, error))?;
        migrations::sqlite().run(&mut connection).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(options.max_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(file.read_only(true))
            .await
            .map_err(|error| unreachable(&path, error))?;
        let writer = Arc::new(Writer::start(connection, lock));
        let begin_queue = BeginQueue::start(Beginner(Arc::clone(&writer)));
        Ok(Self { readers, writer, begin_queue })
    }
}

/// Whether the file answers and has every migration; the time.
pub(super) async fn check(store: &SqliteStore) -> Result<Timestamp> {
    let (latest, now): (Option<i64>, i64) = sqlx::query_as(
        "SELECT max(version), CAST(unixepoch('subsec') * 1000000 AS INTEGER)
        FROM _sqlx_migrations
        WHERE success",
    )
    .fetch_one(&store.readers)
    .await?;
    if latest.unwrap_or_default() < migrations::LATEST {
        return Err(StoreError::Refused("the database lacks migrations".into()));
    }
    if store.writer.is_closed() {
        return Err(StoreError::Unavailable("the writer has ended".into()));
    }
    Ok(Timestamp::from_micros(now))
}

/// Ends the readers first: SQLite can only fold the log into the file once nobody reads from it.
pub(super) async fn close(store: &SqliteStore) {
    store.readers.close().await;
    store.begin_queue.close().await;
    store.writer.close().await;
}

fn path_of(url: &str) -> Result<PathBuf, OpenError> {
    let rest = url.strip_prefix("sqlite:").unwrap_or(url);
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.contains('?') {
        return Err(OpenError::InvalidUrl("a sqlite: URL takes no parameters".to_owned()));
    }
    if path == ":memory:" {
        let reason = "a database in memory cannot keep what it acknowledged; name a file";
        return Err(OpenError::InvalidUrl(reason.to_owned()));
    }
    if path.is_empty() {
        return Err(OpenError::InvalidUrl("no file is named".to_owned()));
    }
    Ok(PathBuf::from(path))
}

/// Locks `<file>.lock`. Beside the file and not the file itself, whose locks belong to SQLite. The
/// system frees it however the process ends.
fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock_path = PathBuf::from(name);
    let unusable = |source| OpenError::File { path: lock_path.clone(), source };
    let file = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(&lock_path)
        .map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

fn unreachable(path: &Path, error: sqlx::Error) -> OpenError {
    OpenError::Unreachable { target: path.display().to_string(), source: Box::new(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_file() {
        for (url, path) in [
            ("sqlite:chatkit.db", "chatkit.db"),
            ("sqlite://chatkit.db", "chatkit.db"),
            ("sqlite:///var/lib/chatkit.db", "/var/lib/chatkit.db"),
        ] {
            assert_eq!(path_of(url).unwrap(), PathBuf::from(path), "{url}");
        }
        for url in ["sqlite:", "sqlite::memory:", "sqlite://:memory:", "sqlite://a.db?mode=rwc"] {
            assert!(path_of(url).is_err(), "{url}");
        }
    }
}
