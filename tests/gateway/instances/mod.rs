//! Several instances on one PostgreSQL database, which share live events through Redis, or that
//! database alone.

mod limits;
mod live;
mod presence;
mod redis_away;

use sqlx::{Connection as _, PgConnection};

use crate::support::{TestServer, database::TestDatabase};

/// Two servers on a new database.
pub(super) async fn two_instances(redis: &str) -> (TestServer, TestServer) {
    two_instances_with(redis, &[]).await
}

/// With these variables besides.
pub(super) async fn two_instances_with(
    redis: &str,
    vars: &[(&str, &str)],
) -> (TestServer, TestServer) {
    start_two(&[vars, &[("REDIS_URL", redis)]].concat()).await
}

/// That share the database alone.
pub(super) async fn two_without_redis() -> (TestServer, TestServer) {
    start_two(&[]).await
}

async fn start_two(vars: &[(&str, &str)]) -> (TestServer, TestServer) {
    let database = TestDatabase::postgres().await;
    let vars = [vars, &[("CHATKIT_MAX_RUNS_PER_USER", "0")]].concat();
    let again = TestDatabase { url: database.url.clone(), _folder: None };
    let elsewhere = TestServer::start_on(again, &vars).await;
    (TestServer::start_on(database, &vars).await, elsewhere)
}

/// While it is held, no event can be stored: what is seen all the same came by Redis.
pub(super) struct Unstored(PgConnection);

impl Unstored {
    pub(super) async fn from_now_on(database: &TestDatabase) -> Self {
        let mut connection = PgConnection::connect(&database.url).await.unwrap();
        let lock = "BEGIN; LOCK TABLE run_event IN EXCLUSIVE MODE";
        sqlx::raw_sql(lock).execute(&mut connection).await.unwrap();
        Self(connection)
    }

    pub(super) async fn no_more(self) {
        self.0.close().await.unwrap();
    }
}
