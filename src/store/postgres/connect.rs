//! Connecting to the server.

use std::{str::FromStr, time::Duration};

use sqlx::{
    ConnectOptions, Connection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
    types::time::OffsetDateTime,
};

use super::{
    PostgresStore,
    admission::Admission,
    begin::{Alone, Beginner},
    transaction::Transactions,
};
use crate::{
    protocol::Timestamp,
    store::{OpenError, OpenOptions, Result, StoreError, begin_queue::BeginQueue, migrations},
};

/// How long a caller waits for a connection before the store counts as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections that are kept open. To open one takes milliseconds, and hundreds of them while a server
/// is in trouble: a checkpoint should not wait for that.
const WARM: u32 = 4;

/// Connections for what runs write. One task writes for all of them; the second is for a
/// take-over, and for when the first has just broken.
const FOR_RUNS: u32 = 2;

/// With fewer connections than these, everything shares them.
const FEW: u32 = 4;

/// Limits kept by the server, so that nothing of ours can hold a lock for long, whatever becomes of
/// this process. Every statement here takes milliseconds; these are for a server in trouble.
const SERVER_LIMITS: [(&str, &str); 3] = [
    ("statement_timeout", "10s"),
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "15s"),
];

impl PostgresStore {
    /// Connects to the server of a `postgres:` URL; see [`crate::store::open()`].
    pub async fn open(url: &str, options: OpenOptions) -> Result<Self, OpenError> {
        let server = PgConnectOptions::from_str(url)
            .map_err(|error| OpenError::InvalidUrl(error.to_string()))?
            .application_name("chatkit-gateway");
        migrate(&server).await?;
        let for_runs = if options.max_connections < FEW { 0 } else { FOR_RUNS };
        let general = options.max_connections - for_runs;
        let pool = connect(&server, general, WARM).await?;
        let run_pool = match for_runs {
            0 => pool.clone(),
            connections => connect(&server, connections, connections).await?,
        };
        let transactions = Transactions::new(pool.clone());
        let admission = Admission::new(general, ACQUIRE_TIMEOUT);
        let begin_alone = Alone::new(transactions.clone(), admission);
        let beginner = Beginner { pool: pool.clone(), alone: begin_alone.clone() };
        Ok(Self {
            transactions,
            run_transactions: Transactions::new(run_pool),
            begin_alone,
            begin_queue: BeginQueue::start(beginner),
            pool,
        })
    }
}

async fn connect(server: &PgConnectOptions, most: u32, warm: u32) -> Result<PgPool, OpenError> {
    PgPoolOptions::new()
        .max_connections(most)
        .min_connections(warm.min(most))
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(server.clone().options(SERVER_LIMITS))
        .await
        .map_err(|error| unreachable(server, error))
}

/// On a connection of its own, without the limits: a migration may take long, and the instances
/// that wait for it too. Closed even after a failure, which frees the lock.
async fn migrate(server: &PgConnectOptions) -> Result<(), OpenError> {
    let connecting = tokio::time::timeout(ACQUIRE_TIMEOUT, server.connect());
    let mut connection = connecting
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
        .map_err(|error| unreachable(server, error))?;
    let outcome = migrations::postgres().run(&mut connection).await;
    if let Err(error) = connection.close().await {
        tracing::debug!(error = %error, "connection of the migration not closed cleanly");
    }
    outcome.map_err(OpenError::from)
}

/// Whether the server answers and has every migration; its time.
pub(super) async fn check(store: &PostgresStore) -> Result<Timestamp> {
    let (latest, now): (Option<i64>, OffsetDateTime) = sqlx::query_as(
        "SELECT max(version), clock_timestamp() FROM _sqlx_migrations WHERE success",
    )
    .fetch_one(&store.pool)
    .await?;
    if latest.unwrap_or_default() < migrations::LATEST {
        return Err(StoreError::Refused("the database lacks migrations".into()));
    }
    Ok(now.into())
}

/// Ends the transactions first, for they need the pool.
pub(super) async fn close(store: &PostgresStore) {
    store.begin_queue.close().await;
    store.run_transactions.finish().await;
    store.transactions.finish().await;
    store.run_transactions.close().await;
    store.transactions.close().await;
}

/// Names the server without what the URL says about the login.
fn unreachable(server: &PgConnectOptions, error: sqlx::Error) -> OpenError {
    let target = format!(
        "postgres://{}:{}/{}",
        server.get_host(),
        server.get_port(),
        server.get_database().unwrap_or_default(),
    );
    OpenError::Unreachable { target, source: Box::new(error) }
}
