//! The promises of ARCHITECTURE.md, each by its name, as far as one process can show them.

use chatkit_gateway::protocol::{ItemKind, ThreadEvent};
use serde_json::json;

use crate::support::{
    TestServer, answer_text, dead_process::DeadProcess, events::done_text, server::new_database,
};

#[tokio::test]
async fn acknowledged_means_stored() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let voice = server.model.will_listen();

    let mut stream = alice.say("remember this").await;
    let first = stream.next().await.unwrap();
    assert!(matches!(first.event, ThreadEvent::ThreadCreated { .. }));

    let thread = alice.thread(&stream.thread_id).await;
    assert_eq!(thread["messages"][0]["content"], "remember this");
    assert_eq!(alice.run(&stream.run_id).await["status"], "running");
    voice.finish();
    stream.rest().await;
    server.stop().await;
}

#[tokio::test]
async fn done_means_stored() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let mut stream = alice.say("hi").await;

    let is_done = |event: &ThreadEvent| match event {
        ThreadEvent::ItemDone { item } => matches!(item.kind, ItemKind::AssistantMessage(_)),
        _ => false,
    };
    stream.until(is_done).await;

    let thread = alice.thread(&stream.thread_id).await;
    assert_eq!(thread["messages"][1]["content"], "Hello there.");
    assert_eq!(thread["messages"][1]["status"], "complete");
    server.stop().await;
}

#[tokio::test]
async fn a_reader_is_only_a_reader() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let voice = server.model.will_listen();
    let mut leaver = alice.say("hi").await;
    let run = leaver.run_id.clone();
    let thread = leaver.thread_id.clone();
    voice.say("one ");
    leaver.until_text().await;
    let mut watcher = alice.events_after(&run, 0).await;

    drop(leaver);
    voice.say("two");
    voice.finish();

    assert_eq!(answer_text(&watcher.rest().await), "one two");
    assert_eq!(alice.thread(&thread).await["messages"][1]["content"], "one two");
    server.stop().await;
}

#[tokio::test]
async fn one_thread_one_run() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let voice = server.model.will_listen();
    let mut stream = alice.say("hi").await;
    voice.say("one");
    stream.until_text().await;

    let second = json!({ "thread_id": stream.thread_id, "content": "and?" });
    let refused = alice.post("/api/chatkit/messages", &second).await;

    assert_eq!((refused.status.as_u16(), refused.code()), (409, "run_active"));
    assert_eq!(refused.body["error"]["run_id"], stream.run_id.as_str());
    assert_eq!(server.model.calls(), 1);
    voice.finish();
    stream.rest().await;
    assert_eq!(alice.thread(&stream.thread_id).await["message_count"], 2);
    server.stop().await;
}

#[tokio::test]
async fn a_crash_keeps_what_was_stored_and_frees_the_thread() {
    let database = new_database().await;
    let dead = DeadProcess::that_answered(&database, "hi", &["half ", "an "]).await;

    let server = TestServer::start_on(database, &[]).await;

    let alice = server.alice();
    let events = alice.events_after(&dead.run, 0).await.rest().await;
    assert!(matches!(events.last().unwrap().event, ThreadEvent::Error(_)), "{events:?}");
    assert_eq!(answer_text(&events), "half an ");
    assert_eq!(alice.run(&dead.run).await["status"], "interrupted");
    let kept = alice.thread(&dead.thread).await;
    assert_eq!(kept["messages"][1]["status"], "interrupted");
    assert_eq!(kept["messages"][1]["content"], "half an ");
    let again = alice.say_in(&dead.thread, "again").await.rest().await;
    assert_eq!(done_text(&again).unwrap(), "Hello there.");
    assert_eq!(server.model.calls(), 1, "nothing is run again without being asked");
    server.stop().await;
}
