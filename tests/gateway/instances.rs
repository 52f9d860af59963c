//! Several instances on one PostgreSQL database, which share live events through Redis.

use std::time::{Duration, Instant};

use chatkit_gateway::demo::scripted_model::Step;
use reqwest::StatusCode;
use sqlx::Connection as _;

use crate::support::{
    TestServer, answer_text,
    database::TestDatabase,
    redis::{RedisProcess, shared_redis},
};

/// Two servers on a new database.
pub(crate) async fn two_instances(redis: &str) -> (TestServer, TestServer) {
    let database = TestDatabase::postgres().await;
    let vars = [("REDIS_URL", redis), ("CHATKIT_MAX_RUNS_PER_USER", "0")];
    let other = TestServer::start_on(database.again(), &vars).await;
    (TestServer::start_on(database, &vars).await, other)
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn a_reader_on_another_instance_sees_deltas_before_they_are_stored() {
    let (owner, elsewhere) = two_instances(&shared_redis()).await;
    let voice = owner.model.will_listen();
    let mut stream = owner.alice().say("hi").await;
    let mut database = owner.database.connect().await;
    let mut transaction = database.begin().await.unwrap();
    // From here on no event can be stored.
    sqlx::raw_sql("LOCK TABLE run_event IN EXCLUSIVE MODE")
        .execute(&mut *transaction)
        .await
        .unwrap();

    let mut watcher = elsewhere.alice().events_after(&stream.run_id, 0).await;
    voice.say("one ");
    watcher.until_text().await;
    voice.say("two ");
    let seen = watcher.until_text().await;

    assert_eq!(answer_text(&seen), "two ");
    transaction.rollback().await.unwrap();
    voice.say("three");
    voice.finish();
    assert_eq!(answer_text(&watcher.rest().await), "three");
    assert_eq!(answer_text(&stream.rest().await), "one two three");
    owner.stop().await;
    elsewhere.stop().await;
}
