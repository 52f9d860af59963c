//! What a process leaves in the database that was killed in the middle of an answer.

use std::{fmt::Write as _, time::Duration};

use chatkit_gateway::{
    protocol::{
        ItemId, ItemKind, ThreadEvent, ThreadId, ThreadItem, Timestamp, UserId,
        item::{AssistantMessage, UserMessage},
    },
    store::{
        OpenOptions, open,
        record::{Begun, EventChunk, Lease, NewRun, NewThread, RunThread, RunWrite},
    },
};

use super::database::TestDatabase;

pub(crate) struct DeadProcess {
    pub(crate) run: String,
    pub(crate) thread: String,
}

impl DeadProcess {
    /// A process that had stored these deltas when it died. Its lease has run out.
    pub(crate) async fn that_answered(
        database: &TestDatabase,
        text: &str,
        deltas: &[&str],
    ) -> Self {
        let store = open(&database.url, OpenOptions::default()).await.unwrap();
        let user = UserId::parse("alice").unwrap();
        let now = Timestamp::now();
        let thread_id = ThreadId::new();
        let item = |kind| ThreadItem { id: ItemId::new(), thread_id, created_at: now, kind };
        let lease = Lease { owner: "dead".to_owned(), token: 1, ttl: Duration::ZERO };
        let thread =
            RunThread::New(NewThread { id: thread_id, user_id: user.clone(), title: None, now });
        let mut run = NewRun::new(user, thread, lease.clone(), now);
        run.items = vec![item(ItemKind::UserMessage(UserMessage::from_text(text)))];
        let run_id = run.id;
        assert!(matches!(store.begin_run(run).await.unwrap(), Begun::Started(_)));
        let message = item(ItemKind::AssistantMessage(AssistantMessage::default()));
        let mut write = RunWrite::new(run_id, thread_id, lease);
        write.events = Some(stored_events(message, deltas));
        store.write_runs(vec![write]).await.unwrap();
        store.close().await;
        Self { run: run_id.to_string(), thread: thread_id.to_string() }
    }
}

/// In the form that `run::chunk` documents.
fn stored_events(message: ThreadItem, deltas: &[&str]) -> EventChunk {
    let item_id = message.id;
    let added = serde_json::to_string(&ThreadEvent::ItemAdded { item: Box::new(message) }).unwrap();
    let mut ends = Vec::new();
    let mut text = String::new();
    for delta in deltas {
        text.push_str(delta);
        ends.push(text.len());
    }
    let mut payload = format!(r#"{{"seq":1,"event":{added}}}"#);
    let _ = write!(
        payload,
        "\n{{\"seq\":2,\"item_id\":\"{item_id}\",\"content_index\":0,\"ends\":{ends:?},\"text\":\"{text}\"}}"
    );
    EventChunk { first_seq: 1, last_seq: 1 + deltas.len() as u64, payload }
}
