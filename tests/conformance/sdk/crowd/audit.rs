//! What must be so when all is over.

use std::collections::BTreeMap;

use chatkit_gateway::{
    protocol::{Order, ThreadId},
    store::{PageQuery, record::ThreadRecord},
};
use serde_json::Value;

use super::client::{Room, Seen};
use crate::server::TestServer;

/// Runs whose readers left may still be under way: their events end with them.
pub(super) async fn wait_for_the_last_runs(server: &TestServer, seen: &Seen) {
    for (user, run) in &seen.runs {
        let path = format!("/api/chatkit/runs/{run}/events");
        let events = server.get(user, &path).send().await.unwrap();
        // Not found: its thread was deleted.
        assert!([200, 404].contains(&events.status().as_u16()), "{events:?}");
        events.text().await.unwrap();
    }
}

pub(super) async fn check(server: &TestServer, room: &Room, seen: &Seen) {
    let page = PageQuery { limit: 10_000, order: Order::Asc, after: None };
    let threads = server.store.list_threads(&room.user, None, page).await.unwrap().unwrap();
    let kept = room.kept();
    let mut found = 0;
    for thread in &threads.data {
        let is_kept = kept.contains(&thread.id.to_string());
        found += usize::from(is_kept);
        check_thread(server, room, thread, is_kept, seen).await;
    }
    assert_eq!(found, kept.len(), "a thread that nobody deleted is gone");
    check_runs(server, room, seen).await;
}

async fn check_thread(
    server: &TestServer,
    room: &Room,
    thread: &ThreadRecord,
    is_kept: bool,
    seen: &Seen,
) {
    assert_eq!(thread.active_run_id, None, "{}", thread.id);
    let items = stored_items(server, room, thread.id).await;
    let places: BTreeMap<&str, usize> = items
        .iter()
        .enumerate()
        .map(|(place, item)| (item["id"].as_str().unwrap(), place))
        .collect();
    assert_eq!(places.len(), items.len(), "{}: an item stands there twice", thread.id);
    let visible = items.iter().filter(|item| !is_hidden(item)).count();
    assert_eq!(thread.message_count, visible as u64, "{}: its count is wrong", thread.id);

    let of_thread = |(id, _): &&(String, Value)| *id == thread.id.to_string();
    for stream in &seen.done {
        let mut last = None;
        for (_, item) in stream.iter().filter(of_thread) {
            let id = item["id"].as_str().unwrap();
            let Some(&place) = places.get(id) else {
                let is_gone_for_a_reason = !is_kept || seen.removed.contains(id);
                assert!(is_gone_for_a_reason, "seen done and not there: {item}");
                continue;
            };
            assert!(last < Some(place), "{}: out of order: {item}", thread.id);
            last = Some(place);
            if !changes_later(item) {
                assert_eq!(items[place], *item, "stored otherwise than seen");
            }
        }
    }
}

fn is_hidden(item: &Value) -> bool {
    matches!(item["type"].as_str(), Some("hidden_context_item" | "sdk_hidden_context"))
}

/// Answers and actions replace these in place.
fn changes_later(item: &Value) -> bool {
    matches!(item["type"].as_str(), Some("widget" | "structured_input" | "client_tool_call"))
}

async fn stored_items(server: &TestServer, room: &Room, thread: ThreadId) -> Vec<Value> {
    let page = PageQuery { limit: 100_000, order: Order::Asc, after: None };
    let items = server.store.list_items(&room.user, thread, page).await.unwrap().unwrap();
    items.data.iter().map(|record| serde_json::to_value(&record.item).unwrap()).collect()
}

/// What is still there of the runs that anybody saw has ended.
async fn check_runs(server: &TestServer, room: &Room, seen: &Seen) {
    for (_, run) in seen.runs.iter().filter(|(user, _)| *user == room.user) {
        let run = server.store.find_run(&room.user, run.parse().unwrap()).await.unwrap();
        // Of a deleted thread there is none.
        assert!(run.as_ref().is_none_or(|run| run.status.is_terminal()), "{run:?}");
    }
}
