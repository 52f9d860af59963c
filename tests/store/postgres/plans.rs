//! What every instance asks all the time finds its rows by an index, however many runs have ended.

use std::time::Duration;

use chatkit_gateway::protocol::RunId;
use sqlx::{AssertSqlSafe, PgConnection};

use super::Schema;

/// A thousand runs are live, and twenty thousand have ended.
const RUNS: &str = "
    INSERT INTO conversation (id, user_id, created_at, updated_at)
    SELECT gen_random_uuid(), 'alice', now(), now() FROM generate_series(1, 20000);
    INSERT INTO run (
        id, conversation_id, user_id, status, lease_owner, lease_token, lease_until, created_at,
        ended_at
    )
    SELECT gen_random_uuid(), id, user_id, 'completed', 'dead', 1, now(), now(), now()
    FROM conversation;
    INSERT INTO run (
        id, conversation_id, user_id, status, lease_owner, lease_token, lease_until, created_at
    )
    SELECT gen_random_uuid(), id, user_id, 'running', 'one', 1, now() + interval '1 hour', now()
    FROM conversation LIMIT 1000;
    ANALYZE run;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn looking_for_dead_and_for_stopped_runs_reads_no_table_whole() {
    let schema = Schema::create().await;
    schema.open().await.close().await;
    schema.execute(RUNS).await;
    let mut connection = schema.connect().await;
    let live: Vec<uuid::Uuid> = sqlx::query_scalar("SELECT id FROM run WHERE status = 'running'")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let live: Vec<RunId> = live.into_iter().map(RunId::from).collect();
    let store = schema.open().await;
    let (whole, by_index) = scans(&mut connection, &schema).await;

    let soon = store.check().await.unwrap().plus(Duration::from_mins(1));
    let dead = store.claim_abandoned_runs("other", Duration::from_secs(15), soon, 64).await;
    let stopped = store.list_stop_requests(&live, Duration::from_secs(2)).await;

    assert_eq!((dead.unwrap().len(), stopped.unwrap().len(), live.len()), (0, 0, 1_000));
    // A connection counts what it did when it closes, if not before.
    store.close().await;
    let counted = loop {
        let counted = scans(&mut connection, &schema).await;
        if counted.0 + counted.1 >= whole + by_index + 2 {
            break counted;
        }
    };
    assert_eq!(counted.0, whole);
    drop(connection);
    schema.discard().await;
}

/// How often the runs were read from the first to the last, and by an index.
async fn scans(connection: &mut PgConnection, schema: &Schema) -> (i64, i64) {
    let query = format!(
        "SELECT seq_scan, idx_scan FROM pg_stat_user_tables
        WHERE schemaname = '{}' AND relname = 'run'",
        schema.name
    );
    sqlx::query_as(AssertSqlSafe(query)).fetch_one(connection).await.unwrap()
}
