//! What the tests are written with: names, times, items, runs and writes.

use std::time::Duration;

use chatkit_gateway::{
    protocol::{
        ItemId, ItemKind, Order, RunId, ThreadId, ThreadItem, Timestamp, UserId,
        item::{AssistantMessage, UserMessage},
        workflow::{Workflow, WorkflowKind},
    },
    store::{
        PageQuery, Store,
        record::{
            Begun, EventChunk, IdempotencyKey, ItemStatus, ItemWrite, Lease, NewRun, NewThread,
            RunEnd, RunStatus, RunThread, RunWrite, ThreadPatch, ThreadRecord, WriteOutcome,
        },
    },
};

/// The process that most runs belong to.
pub(crate) const OWNER: &str = "instance-1";

pub(crate) fn alice() -> UserId {
    UserId::parse("alice").unwrap()
}

pub(crate) fn bob() -> UserId {
    UserId::parse("bob").unwrap()
}

/// A time, by seconds from some beginning.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_750_000_000 + seconds)
}

pub(crate) fn first_page<Id>(limit: usize, order: Order) -> PageQuery<Id> {
    PageQuery { limit, order, after: None }
}

pub(crate) fn all<Id>() -> PageQuery<Id> {
    first_page(1000, Order::Asc)
}

/// Inserts a thread of Alice's.
pub(crate) async fn new_thread(store: &dyn Store) -> ThreadId {
    new_thread_of(store, alice(), at(0)).await
}

pub(crate) async fn new_thread_of(store: &dyn Store, user: UserId, now: Timestamp) -> ThreadId {
    let thread = NewThread { id: ThreadId::new(), user_id: user, title: None, now };
    store.insert_thread(thread).await.unwrap().id
}

pub(crate) fn item(thread_id: ThreadId, kind: ItemKind) -> ThreadItem {
    ThreadItem { id: ItemId::new(), thread_id, created_at: at(1), kind }
}

pub(crate) fn user_message(thread_id: ThreadId, text: &str) -> ThreadItem {
    item(thread_id, ItemKind::UserMessage(UserMessage::from_text(text)))
}

pub(crate) fn answer(thread_id: ThreadId, text: &str) -> ThreadItem {
    item(thread_id, ItemKind::AssistantMessage(AssistantMessage::from_text(text)))
}

/// An item that calls of tools stand behind.
pub(crate) fn workflow(thread_id: ThreadId) -> ThreadItem {
    let kind = WorkflowKind::Custom;
    let workflow = Workflow { kind, tasks: Vec::new(), summary: None, expanded: false };
    item(thread_id, ItemKind::Workflow { workflow })
}

pub(crate) fn hidden(thread_id: ThreadId) -> ThreadItem {
    item(thread_id, ItemKind::SdkHiddenContext { content: "for the model".to_owned() })
}

/// Puts messages of these texts into a thread of Alice's.
pub(crate) async fn put_messages(
    store: &dyn Store,
    thread_id: ThreadId,
    texts: &[&str],
) -> Vec<ThreadItem> {
    let items: Vec<ThreadItem> = texts.iter().map(|text| user_message(thread_id, text)).collect();
    assert!(store.upsert_items(&alice(), thread_id, &items, at(2)).await.unwrap());
    items
}

/// The texts of all items of a thread of Alice's, in order.
pub(crate) async fn texts(store: &dyn Store, thread_id: ThreadId) -> Vec<String> {
    let page = store.list_items(&alice(), thread_id, all()).await.unwrap().unwrap();
    page.data.iter().map(|record| record.item.kind.plain_text()).collect()
}

pub(crate) async fn thread(store: &dyn Store, thread_id: ThreadId) -> ThreadRecord {
    store.find_thread(&alice(), thread_id).await.unwrap().unwrap()
}

pub(crate) fn lease(token: i64) -> Lease {
    Lease { owner: OWNER.to_owned(), token, ttl: Duration::from_secs(15) }
}

/// A run of Alice's in a thread that is there, with nothing else to it.
pub(crate) fn run_in(thread_id: ThreadId) -> NewRun {
    NewRun::new(alice(), RunThread::Existing(thread_id), lease(1), at(10))
}

/// A run of Alice's in a thread of its own.
pub(crate) fn run_in_new_thread() -> NewRun {
    let thread = NewThread { id: ThreadId::new(), user_id: alice(), title: None, now: at(10) };
    NewRun { thread: RunThread::New(thread), ..run_in(ThreadId::UNKNOWN) }
}

pub(crate) fn key(name: &str, fingerprint: u8) -> IdempotencyKey {
    IdempotencyKey {
        route: "/messages".to_owned(),
        key: name.to_owned(),
        fingerprint: vec![fingerprint; 32],
        not_before: at(0),
    }
}

/// Begins a run that must start; answers it and its thread.
pub(crate) async fn begin(store: &dyn Store, run: NewRun) -> (RunId, ThreadId) {
    let (run_id, thread_id) = (run.id, run.thread.id());
    let begun = store.begin_run(run).await.unwrap();
    assert!(matches!(begun, Begun::Started(_)), "{begun:?}");
    (run_id, thread_id)
}

/// Begins a run in a new thread of Alice's.
pub(crate) async fn begin_new(store: &dyn Store) -> (RunId, ThreadId) {
    begin(store, run_in_new_thread()).await
}

/// The same of another user.
pub(crate) async fn begin_new_of(store: &dyn Store, user: &UserId) -> (RunId, ThreadId) {
    let (id, user_id) = (ThreadId::new(), user.clone());
    let thread = NewThread { id, user_id: user_id.clone(), title: None, now: at(10) };
    let run = NewRun { user_id, thread: RunThread::New(thread), ..run_in(ThreadId::UNKNOWN) };
    begin(store, run).await
}

/// A write that does nothing but renew the lease.
pub(crate) fn heartbeat((run_id, thread_id): (RunId, ThreadId)) -> RunWrite {
    RunWrite {
        run_id,
        thread_id,
        lease: lease(1),
        events: None,
        items: Vec::new(),
        removed: Vec::new(),
        tool_calls: Vec::new(),
        thread: ThreadPatch::default(),
        resume_point: None,
        end: None,
        tokens_used: None,
        now: at(20),
    }
}

pub(crate) fn streaming(item: ThreadItem) -> ItemWrite {
    ItemWrite { item, status: ItemStatus::Streaming }
}

pub(crate) fn complete(item: ThreadItem) -> ItemWrite {
    ItemWrite { item, status: ItemStatus::Complete }
}

pub(crate) fn chunk(first_seq: u64, last_seq: u64, payload: &str) -> EventChunk {
    EventChunk { first_seq, last_seq, payload: payload.to_owned() }
}

pub(crate) fn ended(status: RunStatus) -> RunEnd {
    RunEnd { status, error: None, usage: None }
}

/// Writes once; the outcome.
pub(crate) async fn write(store: &dyn Store, write: RunWrite) -> WriteOutcome {
    let outcomes = store.write_runs(vec![write]).await.unwrap();
    assert_eq!(outcomes.len(), 1);
    outcomes[0]
}

/// Ends a run as completed.
pub(crate) async fn end(store: &dyn Store, run: (RunId, ThreadId)) {
    let end = RunWrite { end: Some(ended(RunStatus::Completed)), ..heartbeat(run) };
    assert_eq!(write(store, end).await, WriteOutcome::Written);
}
