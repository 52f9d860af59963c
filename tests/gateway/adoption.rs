//! A database of the older system, taken over with all that is in it.

use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use crate::support::{TestServer, database::TestDatabase};

/// The older system's own two statements, and a conversation as it left them.
const OLDER_SYSTEM: &str = "
    CREATE TABLE conversation (id UUID PRIMARY KEY, user_id VARCHAR NOT NULL, created_at TIMESTAMP, updated_at TIMESTAMP);
    CREATE TABLE message (id UUID PRIMARY KEY, conversation_id UUID NOT NULL, user_id VARCHAR NOT NULL, role VARCHAR(20), content TEXT, created_at TIMESTAMP);
    INSERT INTO conversation VALUES
        ('11111111-1111-4111-8111-111111111111', 'alice', '2024-05-01 10:00:00', '2024-05-01 10:00:02'),
        ('22222222-2222-4222-8222-222222222222', 'bob', NULL, NULL);
    INSERT INTO message VALUES
        ('aaaaaaaa-0000-4000-8000-000000000002', '11111111-1111-4111-8111-111111111111', 'alice', 'assistant', 'Hello Ada.', '2024-05-01 10:00:02'),
        ('aaaaaaaa-0000-4000-8000-000000000001', '11111111-1111-4111-8111-111111111111', 'alice', 'user', 'I am Ada.', '2024-05-01 10:00:01'),
        ('aaaaaaaa-0000-4000-8000-000000000003', '22222222-2222-4222-8222-222222222222', 'bob', NULL, NULL, NULL);
";

const THREAD: &str = "11111111-1111-4111-8111-111111111111";

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn the_older_systems_threads_are_listed_read_and_gone_on_with() {
    let database = TestDatabase::postgres().await;
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql(OLDER_SYSTEM).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();

    let server = TestServer::start_on(database, &[]).await;
    let alice = server.alice();

    let listed = alice.get("/api/chatkit/threads").await.body;
    assert_eq!(listed["data"][0]["id"], THREAD);
    assert_eq!(listed["data"][0]["message_count"], 2);
    assert_eq!(listed["data"][0]["updated_at"], "2024-05-01T10:00:02Z");
    let texts = contents(&alice.thread(THREAD).await);
    assert_eq!(texts, [json!("I am Ada."), json!("Hello Ada.")]);
    alice.say_in(THREAD, "who am I?").await.rest().await;
    let input = server.model.call(1).await.body["input"].to_string();
    assert!(input.contains("I am Ada.") && input.contains("Hello Ada."), "{input}");
    assert_eq!(contents(&alice.thread(THREAD).await).len(), 4);
    let bobs = server.bob().get("/api/chatkit/threads").await.body;
    assert_eq!(bobs["data"][0]["message_count"], 1);
    server.stop().await;
}

fn contents(thread: &serde_json::Value) -> Vec<serde_json::Value> {
    let messages = thread["messages"].as_array().unwrap();
    messages.iter().map(|message| message["content"].clone()).collect()
}
