//! SQLite, on a temporary file.

use std::{sync::Arc, time::Duration};

use chatkit_gateway::{
    protocol::RunId,
    store::{
        OpenError, OpenOptions, Store, migrate, open,
        record::{RunStatus, RunWrite},
    },
};
use futures_util::future::join_all;
use tempfile::TempDir;

use crate::{
    contract::store_contract,
    harness::{
        OWNER, alice, answer, begin_new, end, heartbeat, new_thread, put_messages, streaming,
        texts, write,
    },
};

/// A database of one test's own.
struct TempFile {
    store: Arc<dyn Store>,
    folder: TempDir,
}

async fn open_temp_file() -> TempFile {
    let folder = tempfile::tempdir().unwrap();
    let store = open_in(&folder).await.unwrap();
    TempFile { store, folder }
}

async fn open_in(folder: &TempDir) -> Result<Arc<dyn Store>, OpenError> {
    open(&url_in(folder), OpenOptions::default()).await
}

fn url_in(folder: &TempDir) -> String {
    format!("sqlite://{}", folder.path().join("chatkit.db").display())
}

impl TempFile {
    fn store(&self) -> &dyn Store {
        &*self.store
    }

    async fn discard(self) {
        self.store.close().await;
    }
}

store_contract!(open_temp_file);

#[tokio::test]
async fn a_second_process_is_refused() {
    let database = open_temp_file().await;

    let refusal = open_in(&database.folder).await.err().unwrap();

    assert!(matches!(refusal, OpenError::Locked(_)), "{refusal:?}");
    assert!(refusal.to_string().contains("in use by another process"), "{refusal}");
    database.discard().await;
}

#[tokio::test]
async fn a_reopened_file_has_kept_everything() {
    let database = open_temp_file().await;
    let thread_id = new_thread(database.store()).await;
    put_messages(database.store(), thread_id, &["one", "two"]).await;
    database.store.close().await;

    let store = open_in(&database.folder).await.unwrap();

    assert_eq!(texts(&*store, thread_id).await, ["one", "two"]);
    store.close().await;
}

#[tokio::test]
async fn closing_folds_the_log_into_the_file() {
    let database = open_temp_file().await;
    new_thread(database.store()).await;

    database.store.close().await;

    assert!(!database.folder.path().join("chatkit.db-wal").exists());
}

#[tokio::test]
async fn closing_finishes_what_is_queued() {
    let database = open_temp_file().await;
    let store = database.store();
    let writes = async { join_all((0..50).map(|_| new_thread(store))).await };

    let (threads, ()) = tokio::join!(writes, async {
        tokio::task::yield_now().await;
        store.close().await;
    });

    let store = open_in(&database.folder).await.unwrap();
    for thread_id in threads {
        assert!(store.find_thread(&alice(), thread_id).await.unwrap().is_some());
    }
    store.close().await;
}

#[tokio::test]
async fn runs_of_another_owner_are_abandoned_whatever_their_lease_says() {
    let database = open_temp_file().await;
    let store = database.store();
    let (run_id, thread_id) = begin_new(store).await;
    let growing = answer(thread_id, "half an ans");
    let checkpoint = RunWrite { items: vec![streaming(growing)], ..heartbeat((run_id, thread_id)) };
    write(store, checkpoint).await;
    let lease = Duration::from_secs(15);

    let soon = store.check().await.unwrap().plus(lease);
    let own = store.claim_abandoned_runs(OWNER, lease, soon, 10).await.unwrap();
    let of_the_dead = store.claim_abandoned_runs("instance-2", lease, soon, 10).await.unwrap();

    assert_eq!(own, []);
    let claimed: Vec<RunId> = of_the_dead.iter().map(|run| run.id).collect();
    assert_eq!(claimed, [run_id]);
    assert_eq!(of_the_dead[0].lease_token, 2);
    assert_eq!(of_the_dead[0].status, RunStatus::Running);
    database.discard().await;
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_no_transaction_open() {
    let database = open_temp_file().await;
    let store = database.store();

    for _ in 0..200 {
        let mut abandoned = Box::pin(begin_new(store));
        // Polled once, then dropped: queued, or half-way.
        let _ = futures_util::poll!(&mut abandoned);
    }

    let run = begin_new(store).await;
    end(store, run).await;
    // The readers, on connections of their own, see only what is committed.
    let found = store.find_run(&alice(), run.0).await.unwrap().unwrap();
    assert_eq!(found.status, RunStatus::Completed);
    database.discard().await;
}

#[tokio::test]
async fn a_database_newer_than_the_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    migrate(&url_in(&folder)).await.unwrap();
    add_migration_of_the_future(&folder).await;

    let refusal = open_in(&folder).await.err().unwrap();

    assert!(matches!(refusal, OpenError::Newer(9999)), "{refusal:?}");
}

async fn add_migration_of_the_future(folder: &TempDir) {
    use sqlx::{ConnectOptions, Connection};

    let path = folder.path().join("chatkit.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = options.connect().await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9999, 'future', true, x'00', 0)",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_url_that_cannot_work_is_refused_without_showing_it() {
    for url in ["mysql://u:secret@host/db", "chatkit.db", "sqlite::memory:", "sqlite:a?secret=1"] {
        let refusal = open(url, OpenOptions::default()).await.err().unwrap();

        assert!(!format!("{refusal} {refusal:?}").contains("secret"), "{refusal:?}");
    }
}
