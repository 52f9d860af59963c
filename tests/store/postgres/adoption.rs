//! A database of the older system is taken over with all that is in it.

use chatkit_gateway::{
    protocol::{Order, ThreadId, Timestamp, item::Role},
    store::record::{ItemStatus, NewTask, TaskFilter},
};

use super::Schema;
use crate::harness::{alice, all, at, begin, bob, first_page, put_messages, run_in, texts, thread};

const OLDER_TABLES: &str = "
    CREATE TABLE conversation (
        id UUID PRIMARY KEY,
        user_id VARCHAR NOT NULL,
        created_at TIMESTAMP,
        updated_at TIMESTAMP
    );
    CREATE TABLE message (
        id UUID PRIMARY KEY,
        conversation_id UUID NOT NULL,
        user_id VARCHAR NOT NULL,
        role VARCHAR(20),
        content TEXT,
        created_at TIMESTAMP
    );
    INSERT INTO conversation (id, user_id, created_at, updated_at) VALUES
        ('00000000-0000-4000-8000-000000000001', 'alice',
            '2025-01-01 10:00:00.5', '2025-01-02 10:00:00'),
        ('00000000-0000-4000-8000-000000000002', 'alice', NULL, NULL);
    INSERT INTO message (id, conversation_id, user_id, role, content, created_at) VALUES
        ('10000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000001',
            'alice', 'assistant', 'Hello!', '2025-01-01 10:00:02'),
        ('10000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000001',
            'alice', 'user', 'Hi', '2025-01-01 10:00:01'),
        ('10000000-0000-4000-8000-000000000003', '00000000-0000-4000-8000-000000000001',
            'alice', 'tool', '{\"done\": true}', '2025-01-01 10:00:03'),
        ('10000000-0000-4000-8000-000000000004', '00000000-0000-4000-8000-000000000001',
            'alice', 'system', 'Be brief.', '2025-01-01 10:00:03'),
        ('10000000-0000-4000-8000-000000000005', '00000000-0000-4000-8000-000000000002',
            'alice', NULL, NULL, NULL),
        ('10000000-0000-4000-8000-000000000006', '00000000-0000-4000-8000-000000000003',
            'bob', 'user', 'Whose thread is this?', '2025-03-01 00:00:00');
";

const OLDER_TASKS: &str = "
    CREATE TABLE task (
        id SERIAL PRIMARY KEY,
        user_id VARCHAR NOT NULL,
        title VARCHAR(200) NOT NULL,
        completed BOOLEAN,
        created_at TIMESTAMP
    );
    INSERT INTO task (user_id, title, completed, created_at) VALUES
        ('alice', 'Buy milk', true, '2025-01-01 10:00:00'),
        ('alice', 'Call Bob', NULL, NULL);
";

fn thread_id(number: u8) -> ThreadId {
    format!("00000000-0000-4000-8000-00000000000{number}").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn older_messages_read_as_items_of_their_role() {
    let schema = Schema::create().await;
    schema.execute(OLDER_TABLES).await;

    let store = schema.open().await;

    let page = store.list_items(&alice(), thread_id(1), all()).await.unwrap().unwrap();
    let read: Vec<(Role, String, ItemStatus)> = page
        .data
        .iter()
        .map(|record| (record.item.kind.role(), record.item.kind.plain_text(), record.status))
        .collect();
    let expected = [
        (Role::User, "Hi"),
        (Role::Assistant, "Hello!"),
        (Role::Tool, "{\"done\": true}"),
        (Role::System, "Be brief."),
    ]
    .map(|(role, text)| (role, text.to_owned(), ItemStatus::Complete));
    assert_eq!(read, expected);
    assert_eq!(page.data[0].item.thread_id, thread_id(1));
    // 2025-01-01 10:00:01 UTC, whatever the server's zone.
    assert_eq!(page.data[0].item.created_at, Timestamp::from_seconds(1_735_725_601));
    store.close().await;
    schema.discard().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn older_threads_are_counted_and_go_on() {
    let schema = Schema::create().await;
    schema.execute(OLDER_TABLES).await;

    let store = schema.open().await;

    let adopted = thread(&*store, thread_id(1)).await;
    assert_eq!(adopted.message_count, 3, "the system's message is hidden");
    assert_eq!(adopted.created_at, Timestamp::from_micros(1_735_725_600_500_000));
    begin(&*store, run_in(thread_id(1))).await;
    put_messages(&*store, thread_id(1), &["And on it goes"]).await;
    let texts = texts(&*store, thread_id(1)).await;
    assert_eq!(texts.last().map(String::as_str), Some("And on it goes"));
    assert_eq!(thread(&*store, thread_id(1)).await.message_count, 4);
    let deleted = store.delete_thread(&alice(), thread_id(1)).await.unwrap();
    assert!(deleted.is_some());
    store.close().await;
    schema.discard().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn nulls_and_messages_without_a_thread_are_kept() {
    let schema = Schema::create().await;
    schema.execute(OLDER_TABLES).await;

    let store = schema.open().await;

    assert_eq!(texts(&*store, thread_id(2)).await, [""]);
    let page = store.list_threads(&alice(), None, first_page(10, Order::Desc)).await.unwrap();
    assert_eq!(page.unwrap().data.len(), 2);
    let made = store.find_thread(&bob(), thread_id(3)).await.unwrap().unwrap();
    assert_eq!(made.message_count, 1);
    assert_eq!(made.created_at, Timestamp::from_seconds(1_740_787_200));
    store.close().await;
    schema.discard().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn foreign_keys_of_the_older_system_do_no_harm() {
    let schema = Schema::create().await;
    schema.execute(OLDER_TABLES).await;
    schema
        .execute(
            "DELETE FROM message WHERE user_id = 'bob';
            ALTER TABLE message
                ADD FOREIGN KEY (conversation_id) REFERENCES conversation (id)
                DEFERRABLE INITIALLY DEFERRED;
            CREATE INDEX ix_conversation_user_id ON conversation (user_id);",
        )
        .await;

    let store = schema.open().await;

    assert!(store.delete_thread(&alice(), thread_id(1)).await.unwrap().is_some());
    assert_eq!(store.find_thread(&alice(), thread_id(1)).await.unwrap(), None);
    store.close().await;
    schema.discard().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn older_tasks_are_kept_and_numbered_on() {
    let schema = Schema::create().await;
    schema.execute(OLDER_TASKS).await;

    let store = schema.open().await;

    let tasks = store.list_tasks(&alice(), TaskFilter::All).await.unwrap();
    let read: Vec<_> = tasks.iter().map(|task| (task.id, &*task.title, task.completed)).collect();
    assert_eq!(read, [(1, "Buy milk", true), (2, "Call Bob", false)]);
    assert_eq!(tasks[0].created_at, Timestamp::from_seconds(1_735_725_600));
    let task = NewTask { title: "Sleep".to_owned(), description: None };
    assert_eq!(store.insert_task(&alice(), task, at(0)).await.unwrap().id, 3);
    store.close().await;
    schema.discard().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn older_tasks_without_a_sequence_get_one() {
    let schema = Schema::create().await;
    schema
        .execute(
            "CREATE TABLE task (id INTEGER PRIMARY KEY, user_id VARCHAR, title VARCHAR);
            INSERT INTO task (id, user_id, title) VALUES (41, 'alice', 'Buy milk');",
        )
        .await;

    let store = schema.open().await;

    let task = NewTask { title: "Sleep".to_owned(), description: None };
    assert_eq!(store.insert_task(&alice(), task, at(0)).await.unwrap().id, 42);
    store.close().await;
    schema.discard().await;
}
