//! Deleting what has served its time, checking, closing.

use chatkit_gateway::{
    protocol::Timestamp,
    store::{
        Store, StoreError,
        record::{Begun, Day, Expiry, NewRun, RunStatus, RunWrite, SessionRecord},
    },
};

use crate::harness::{
    alice, answer, at, begin, begin_new, chunk, complete, ended, heartbeat, key, run_in_new_thread,
    texts, write,
};

/// All that is older than this time, and than its day.
fn before(time: Timestamp) -> Expiry {
    Expiry { events: time, keys: time, sessions: time, token_days: Day::of(time) }
}

pub(crate) async fn what_has_served_its_time_is_deleted(store: &dyn Store) {
    let (old, new, live) = (begin_new(store).await, begin_new(store).await, begin_new(store).await);
    for (run, end, now) in [
        (old, Some(ended(RunStatus::Completed)), at(50)),
        (new, Some(ended(RunStatus::Completed)), at(150)),
        (live, None, at(50)),
    ] {
        let items = vec![complete(answer(run.1, "stays"))];
        let done = RunWrite { events: Some(chunk(1, 1, "x")), items, end, now, ..heartbeat(run) };
        write(store, done).await;
    }
    for (name, now) in [("old", at(50)), ("new", at(150))] {
        let run = NewRun { idempotency: Some(key(name, 1)), now, ..run_in_new_thread() };
        begin(store, run).await;
        let session = SessionRecord {
            sid: name.to_owned(),
            user_id: alice(),
            auth_time: at(0),
            current_jti: "jti".to_owned(),
            previous_jti: None,
            rotated_at: now,
            revoked_at: None,
        };
        store.insert_session(session).await.unwrap();
    }

    let deleted = store.delete_expired(before(at(100))).await.unwrap();

    assert_eq!(deleted, 3);
    for (run, chunks) in [(old, 0), (new, 1), (live, 1)] {
        assert_eq!(store.list_run_events(run.0, 0, 10).await.unwrap().len(), chunks);
        assert_eq!(texts(store, run.1).await, ["stays"]);
    }
    let reused = NewRun { idempotency: Some(key("old", 2)), ..run_in_new_thread() };
    assert!(matches!(store.begin_run(reused).await.unwrap(), Begun::Started(_)));
    let kept = NewRun { idempotency: Some(key("new", 2)), ..run_in_new_thread() };
    assert_eq!(store.begin_run(kept).await.unwrap(), Begun::KeyReused);
    assert_eq!(store.find_session("old").await.unwrap(), None);
    assert!(store.find_session("new").await.unwrap().is_some());
}

pub(crate) async fn a_migrated_database_passes_its_check(store: &dyn Store) {
    store.check().await.unwrap();
    assert!(["sqlite", "postgres"].contains(&store.kind()));
}

pub(crate) async fn a_closed_store_is_unavailable(store: &dyn Store) {
    store.close().await;

    let read = store.find_session("s").await.unwrap_err();
    let written = store.delete_expired(before(at(0))).await.unwrap_err();
    let checked = store.check().await.unwrap_err();

    for error in [read, written, checked] {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    }
}
