//! Threads: ownership, order, paging, change, deletion.

use chatkit_gateway::{
    protocol::{Order, ThreadId, ThreadStatus, UserId, request::FeedbackKind},
    store::{
        PageQuery, Store, StoreError,
        record::{NewThread, RunWrite, ThreadPatch, ThreadRecord},
    },
};
use serde_json::{Map, json};

use crate::harness::{
    alice, at, begin, begin_new, bob, chunk, first_page, heartbeat, new_thread, new_thread_of,
    put_messages, run_in, thread, write,
};

pub(crate) async fn a_thread_comes_back_as_it_was_given(store: &dyn Store) {
    let id = ThreadId::new();
    let given = NewThread { id, user_id: alice(), title: Some("Plans".to_owned()), now: at(5) };

    let inserted = store.insert_thread(given).await.unwrap();

    let expected = ThreadRecord {
        id,
        user_id: alice(),
        title: Some("Plans".to_owned()),
        status: ThreadStatus::Active,
        allowed_image_domains: None,
        metadata: Map::new(),
        created_at: at(5),
        updated_at: at(5),
        archived_at: None,
        message_count: 0,
        active_run_id: None,
    };
    assert_eq!(inserted, expected);
    assert_eq!(thread(store, id).await, expected);
}

pub(crate) async fn a_thread_id_is_taken_once(store: &dyn Store) {
    let id = new_thread(store).await;
    let again = NewThread { id, user_id: bob(), title: None, now: at(1) };

    let refusal = store.insert_thread(again).await.unwrap_err();

    assert!(
        matches!(&refusal, StoreError::Conflict { table, .. } if table == "conversation"),
        "{refusal:?}"
    );
    assert_eq!(thread(store, id).await.user_id, alice());
}

pub(crate) async fn a_thread_is_found_by_its_user_only(store: &dyn Store) {
    let id = new_thread(store).await;

    assert!(store.find_thread(&alice(), id).await.unwrap().is_some());
    assert_eq!(store.find_thread(&bob(), id).await.unwrap(), None);
    assert_eq!(store.find_thread(&alice(), ThreadId::new()).await.unwrap(), None);
    assert_eq!(store.find_thread(&alice(), ThreadId::UNKNOWN).await.unwrap(), None);
}

pub(crate) async fn threads_are_listed_by_their_last_change(store: &dyn Store) {
    let old = new_thread_of(store, alice(), at(1)).await;
    let new = new_thread_of(store, alice(), at(2)).await;
    new_thread_of(store, bob(), at(3)).await;
    put_messages(store, old, &["changed at 2, but made before"]).await;
    store.update_thread(&alice(), old, ThreadPatch::default(), at(4)).await.unwrap().unwrap();

    assert_eq!(list(store, first_page(10, Order::Desc)).await.0, [old, new]);
    assert_eq!(list(store, first_page(10, Order::Asc)).await.0, [new, old]);
}

pub(crate) async fn pages_of_threads_have_no_gap_and_no_repeat(store: &dyn Store) {
    let mut ids = Vec::new();
    for second in 0..7 {
        ids.push(new_thread_of(store, alice(), at(second)).await);
    }

    let ascending = walk(store, Order::Asc).await;
    let mut descending = walk(store, Order::Desc).await;

    assert_eq!(ascending, ids);
    descending.reverse();
    assert_eq!(descending, ids);
}

pub(crate) async fn threads_of_one_time_are_listed_by_id(store: &dyn Store) {
    let mut ids = Vec::new();
    for _ in 0..7 {
        ids.push(new_thread_of(store, alice(), at(0)).await);
    }

    assert_eq!(walk(store, Order::Asc).await, ids);
}

pub(crate) async fn archived_threads_are_listed_apart(store: &dyn Store) {
    let kept = new_thread_of(store, alice(), at(1)).await;
    let archived = new_thread_of(store, alice(), at(2)).await;
    let patch = ThreadPatch { archived_at: Some(Some(at(3))), ..ThreadPatch::default() };
    let record = store.update_thread(&alice(), archived, patch, at(3)).await.unwrap().unwrap();
    assert_eq!(record.archived_at, Some(at(3)));

    let mut found = Vec::new();
    for filter in [Some(true), Some(false), None] {
        let page = first_page(10, Order::Desc);
        let page = store.list_threads(&alice(), filter, page).await.unwrap().unwrap();
        found.push(page.data.iter().map(|thread| thread.id).collect::<Vec<_>>());
    }

    assert_eq!(found, [vec![archived], vec![kept], vec![archived, kept]]);
}

pub(crate) async fn a_cursor_that_is_not_the_users_gives_no_page(store: &dyn Store) {
    let foreign = new_thread_of(store, bob(), at(1)).await;

    for cursor in [foreign, ThreadId::new(), ThreadId::UNKNOWN] {
        let page = PageQuery { limit: 10, order: Order::Asc, after: Some(cursor) };
        assert_eq!(store.list_threads(&alice(), None, page).await.unwrap(), None);
    }
}

pub(crate) async fn a_patch_changes_what_it_names(store: &dyn Store) {
    let id = new_thread(store).await;
    let metadata: Map<String, _> =
        [("z".to_owned(), json!(1.0)), ("a".to_owned(), json!({"deep": [null]}))]
            .into_iter()
            .collect();
    let locked = ThreadStatus::Locked { reason: Some("resting".to_owned()) };
    let patch = ThreadPatch {
        title: Some(Some("Titled".to_owned())),
        status: Some(locked.clone()),
        allowed_image_domains: Some(Some(vec!["example.com".to_owned()])),
        metadata: Some(metadata.clone()),
        ..ThreadPatch::default()
    };

    let changed = store.update_thread(&alice(), id, patch, at(9)).await.unwrap().unwrap();

    assert_eq!(changed.title.as_deref(), Some("Titled"));
    assert_eq!(changed.status, locked);
    assert_eq!(changed.allowed_image_domains, Some(vec!["example.com".to_owned()]));
    let (read, given) = (json!(changed.metadata), json!(metadata));
    assert_eq!(read.to_string(), given.to_string());
    assert_eq!((changed.created_at, changed.updated_at), (at(0), at(9)));
    assert_eq!(thread(store, id).await, changed);
}

pub(crate) async fn a_patch_takes_away_what_it_names(store: &dyn Store) {
    let id = new_thread(store).await;
    let patch = ThreadPatch {
        title: Some(Some("Titled".to_owned())),
        archived_at: Some(Some(at(1))),
        allowed_image_domains: Some(Some(Vec::new())),
        ..ThreadPatch::default()
    };
    store.update_thread(&alice(), id, patch, at(1)).await.unwrap().unwrap();
    let patch = ThreadPatch {
        title: Some(None),
        archived_at: Some(None),
        allowed_image_domains: Some(None),
        status: Some(ThreadStatus::Active),
        metadata: None,
    };

    let changed = store.update_thread(&alice(), id, patch, at(2)).await.unwrap().unwrap();

    assert_eq!(changed.title, None);
    assert_eq!(changed.archived_at, None);
    assert_eq!(changed.allowed_image_domains, None);
}

pub(crate) async fn nobody_changes_or_deletes_anothers_thread(store: &dyn Store) {
    let id = new_thread(store).await;
    let patch = ThreadPatch { title: Some(Some("Mine!".to_owned())), ..ThreadPatch::default() };

    assert_eq!(store.update_thread(&bob(), id, patch, at(1)).await.unwrap(), None);
    assert_eq!(store.delete_thread(&bob(), id).await.unwrap(), None);

    let untouched = thread(store, id).await;
    assert_eq!((untouched.title, untouched.updated_at), (None, at(0)));
}

pub(crate) async fn a_deleted_thread_takes_everything_with_it(store: &dyn Store) {
    let id = new_thread(store).await;
    let item = put_messages(store, id, &["one"]).await.remove(0);
    store.insert_feedback(&alice(), id, &[item.id], FeedbackKind::Positive, at(3)).await.unwrap();
    let run = begin(store, run_in(id)).await;
    write(store, RunWrite { events: Some(chunk(1, 1, "x")), ..heartbeat(run) }).await;

    store.delete_thread(&alice(), id).await.unwrap().unwrap();

    assert_eq!(store.find_thread(&alice(), id).await.unwrap(), None);
    assert_eq!(store.find_item(&alice(), id, item.id).await.unwrap(), None);
    assert_eq!(store.find_run(&alice(), run.0).await.unwrap(), None);
    assert_eq!(store.list_run_events(run.0, 0, 10).await.unwrap(), []);
    assert_eq!(store.load_history(id, 10).await.unwrap().items, []);
}

pub(crate) async fn a_deleted_thread_is_answered_with_its_active_run(store: &dyn Store) {
    let (run_id, id) = begin_new(store).await;
    let before = thread(store, id).await;

    let deleted = store.delete_thread(&alice(), id).await.unwrap().unwrap();

    assert_eq!(deleted.active_run_id, Some(run_id));
    assert_eq!(deleted, before);
}

async fn list(store: &dyn Store, page: PageQuery<ThreadId>) -> (Vec<ThreadId>, Option<ThreadId>) {
    list_of(store, &alice(), page).await
}

async fn list_of(
    store: &dyn Store,
    user: &UserId,
    page: PageQuery<ThreadId>,
) -> (Vec<ThreadId>, Option<ThreadId>) {
    let page = store.list_threads(user, None, page).await.unwrap().unwrap();
    assert_eq!(page.has_more, page.after.is_some());
    let ids = page.data.iter().map(|thread| thread.id).collect();
    (ids, page.after.map(|cursor| cursor.parse().unwrap()))
}

/// All of Alice's threads, three at a time.
async fn walk(store: &dyn Store, order: Order) -> Vec<ThreadId> {
    let mut ids = Vec::new();
    let mut after = None;
    loop {
        let (page, next) = list(store, PageQuery { limit: 3, order, after }).await;
        ids.extend(page);
        if next.is_none() {
            return ids;
        }
        after = next;
    }
}
