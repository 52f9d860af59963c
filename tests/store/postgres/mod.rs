//! PostgreSQL, in a schema of each test's own.

use std::{sync::Arc, time::Duration};

use chatkit_gateway::store::{
    OpenError, OpenOptions, Store, open,
    record::{Begun, Lease, RunStatus, RunWrite, WriteOutcome},
};
use futures_util::future::join_all;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::{
    contract::store_contract,
    harness::{OWNER, alice, begin_new, end, heartbeat, new_thread, put_messages, run_in, texts},
};

mod adoption;
mod plans;

/// A schema of one test's own.
struct Schema {
    name: String,
}

/// A store in a schema of one test's own.
struct FreshSchema {
    store: Arc<dyn Store>,
    schema: Schema,
}

fn server_url() -> String {
    std::env::var("TEST_POSTGRES_URL").expect("TEST_POSTGRES_URL names a PostgreSQL database")
}

impl Schema {
    async fn create() -> Self {
        let schema = Self { name: format!("test_{}", Uuid::now_v7().simple()) };
        schema.execute(&format!("CREATE SCHEMA {}", schema.name)).await;
        schema
    }

    fn url(&self) -> String {
        let url = server_url();
        let separator = if url.contains('?') { '&' } else { '?' };
        format!("{url}{separator}options[search_path]={}", self.name)
    }

    async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.unwrap()
    }

    async fn execute(&self, sql: &str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    async fn open(&self) -> Arc<dyn Store> {
        self.open_with(OpenOptions { max_connections: 8 }).await
    }

    async fn open_with(&self, options: OpenOptions) -> Arc<dyn Store> {
        open(&self.url(), options).await.unwrap()
    }

    async fn discard(self) {
        self.execute(&format!("DROP SCHEMA {} CASCADE", self.name)).await;
    }
}

async fn open_fresh_schema() -> FreshSchema {
    let schema = Schema::create().await;
    FreshSchema { store: schema.open().await, schema }
}

impl FreshSchema {
    fn store(&self) -> &dyn Store {
        &*self.store
    }

    async fn discard(self) {
        self.store.close().await;
        self.schema.discard().await;
    }
}

store_contract!(
    #[ignore = "needs TEST_POSTGRES_URL"]
    open_fresh_schema
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn a_caller_that_goes_away_leaves_no_transaction_open() {
    let schema = Schema::create().await;
    let store = schema.open_with(OpenOptions { max_connections: 1 }).await;

    for _ in 0..200 {
        let mut abandoned = Box::pin(begin_new(&*store));
        // Polled once, then dropped: waiting for the connection, or half-way.
        let _ = futures_util::poll!(&mut abandoned);
        tokio::task::yield_now().await;
    }

    let run = begin_new(&*store).await;
    end(&*store, run).await;
    // What is stuck in an open transaction, nobody else sees.
    let other = schema.open().await;
    let found = other.find_run(&alice(), run.0).await.unwrap().unwrap();
    assert_eq!(found.status, RunStatus::Completed);
    other.close().await;
    store.close().await;
    schema.discard().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn runs_that_were_accepted_get_on_while_many_more_are_being_begun() {
    const CONNECTIONS: u32 = 8;
    let schema = Schema::create().await;
    let store = schema.open_with(OpenOptions { max_connections: CONNECTIONS }).await;
    let accepted = begin_new(&*store).await;
    let mut threads = Vec::new();
    for _ in 0..2 * CONNECTIONS {
        threads.push(new_thread(&*store).await);
    }
    let mut lock = schema.connect().await;
    let ids: Vec<Uuid> = threads.iter().map(|id| id.as_uuid()).collect();
    sqlx::raw_sql("BEGIN").execute(&mut lock).await.unwrap();
    sqlx::query("SELECT 1 FROM conversation WHERE id = ANY ($1) FOR UPDATE")
        .bind(ids)
        .execute(&mut lock)
        .await
        .unwrap();

    let begun = join_all(threads.iter().map(|id| store.begin_run(run_in(*id))));
    let others = async {
        while count_blocked(&mut lock).await == 0 {}
        let outcomes = store.write_runs(vec![heartbeat(accepted)]).await.unwrap();
        assert_eq!(outcomes, [WriteOutcome::Written]);
        store.load_history(accepted.1, 10).await.unwrap();
        end(&*store, accepted).await;
        sqlx::raw_sql("COMMIT").execute(&mut lock).await.unwrap();
    };
    let (begun, ()) = tokio::join!(begun, others);

    for begun in begun {
        let begun = begun.unwrap();
        assert!(matches!(begun, Begun::Started(_)), "{begun:?}");
    }
    lock.close().await.unwrap();
    store.close().await;
    schema.discard().await;
}

/// How many transactions wait for the one of this connection.
async fn count_blocked(lock: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*)
        FROM pg_locks
        WHERE NOT granted
            AND pg_backend_pid() = ANY (pg_blocking_pids(pid))",
    )
    .fetch_one(lock)
    .await
    .unwrap()
}

/// As one that was asked for right before the database stopped, and is done when it goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn a_claim_counts_by_the_time_at_which_it_is_done_and_not_at_which_it_began() {
    let schema = Schema::create().await;
    let store = schema.open().await;
    let run = begin_new(&*store).await;
    let expired = Lease { owner: OWNER.to_owned(), token: 1, ttl: Duration::ZERO };
    store.write_runs(vec![RunWrite { lease: expired, ..heartbeat(run) }]).await.unwrap();
    let lease = Duration::from_secs(15);
    let claim = |not_after| store.claim_abandoned_runs("instance-2", lease, not_after, 10);

    let mut lock = schema.connect().await;
    let statement = "BEGIN; LOCK TABLE run IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(statement).execute(&mut lock).await.unwrap();
    let not_after = store.check().await.unwrap().plus(Duration::from_millis(200));
    let unlock = async {
        while store.check().await.unwrap() <= not_after {}
        sqlx::raw_sql("COMMIT").execute(&mut lock).await.unwrap();
    };
    let (late, ()) = tokio::join!(claim(not_after), unlock);

    assert_eq!(late.unwrap(), []);
    let in_time = claim(store.check().await.unwrap().plus(lease)).await.unwrap();
    assert_eq!(in_time.len(), 1);
    lock.close().await.unwrap();
    store.close().await;
    schema.discard().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn instances_that_start_at_once_migrate_once() {
    let schema = Schema::create().await;

    let stores = futures_util::future::join_all((0..4).map(|_| schema.open())).await;

    let thread_id = new_thread(&*stores[0]).await;
    put_messages(&*stores[1], thread_id, &["one"]).await;
    assert_eq!(texts(&*stores[2], thread_id).await, ["one"]);
    for store in stores {
        store.check().await.unwrap();
        store.close().await;
    }
    schema.discard().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn a_database_newer_than_the_program_is_refused() {
    let schema = Schema::create().await;
    schema.open().await.close().await;
    schema
        .execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
            VALUES (9999, 'future', true, '\\x00', 0)",
        )
        .await;

    let refusal = open(&schema.url(), OpenOptions::default()).await.err().unwrap();

    assert!(matches!(refusal, OpenError::Newer(9999)), "{refusal:?}");
    schema.discard().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_answer_is_named_without_the_password() {
    let url = "postgres://gateway:secret@127.0.0.1:1/chat";

    let refusal = open(url, OpenOptions::default()).await.err().unwrap();

    assert_eq!(refusal.to_string(), "cannot connect to postgres://127.0.0.1:1/chat");
    assert!(!format!("{refusal:?}").contains("secret"), "{refusal:?}");
}
