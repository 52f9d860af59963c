//! Login sessions.

use chatkit_gateway::store::{Store, StoreError, record::SessionRecord};
use futures_util::future::join_all;

use crate::harness::{alice, at, bob};

fn session(sid: &str) -> SessionRecord {
    SessionRecord {
        sid: sid.to_owned(),
        user_id: alice(),
        auth_time: at(1),
        current_jti: "first".to_owned(),
        previous_jti: None,
        rotated_at: at(2),
        revoked_at: None,
    }
}

pub(crate) async fn a_session_comes_back_as_it_was_given(store: &dyn Store) {
    let mut given = session("s");
    given.previous_jti = Some("zeroth".to_owned());
    given.revoked_at = Some(at(3));

    store.insert_session(given.clone()).await.unwrap();

    assert_eq!(store.find_session("s").await.unwrap(), Some(given));
    assert_eq!(store.find_session("t").await.unwrap(), None);
}

pub(crate) async fn a_session_is_inserted_once(store: &dyn Store) {
    store.insert_session(session("s")).await.unwrap();

    let refusal = store.insert_session(session("s")).await.unwrap_err();

    assert!(
        matches!(&refusal, StoreError::Conflict { table, .. } if table == "chatkit_session"),
        "{refusal:?}"
    );
}

pub(crate) async fn a_token_is_rotated_by_who_holds_it(store: &dyn Store) {
    store.insert_session(session("s")).await.unwrap();

    assert!(!store.rotate_session("s", "other", "second", at(5)).await.unwrap());
    assert!(!store.rotate_session("t", "first", "second", at(5)).await.unwrap());
    assert!(store.rotate_session("s", "first", "second", at(5)).await.unwrap());
    assert!(!store.rotate_session("s", "first", "third", at(6)).await.unwrap());

    let rotated = SessionRecord {
        current_jti: "second".to_owned(),
        previous_jti: Some("first".to_owned()),
        rotated_at: at(5),
        ..session("s")
    };
    assert_eq!(store.find_session("s").await.unwrap(), Some(rotated));
}

pub(crate) async fn of_many_rotations_at_once_one_wins(store: &dyn Store) {
    store.insert_session(session("s")).await.unwrap();
    let next: Vec<String> = (0..16).map(|number| format!("next-{number}")).collect();

    let won =
        join_all(next.iter().map(|next| store.rotate_session("s", "first", next, at(5)))).await;

    let winners: Vec<&String> =
        next.iter().zip(won).filter_map(|(next, won)| won.unwrap().then_some(next)).collect();
    let [winner] = winners[..] else { panic!("{winners:?}") };
    let found = store.find_session("s").await.unwrap().unwrap();
    assert_eq!(found.current_jti, *winner);
}

pub(crate) async fn a_revoked_session_rotates_no_more(store: &dyn Store) {
    store.insert_session(session("s")).await.unwrap();

    store.revoke_session("s", &alice(), at(7)).await.unwrap();
    store.revoke_session("s", &alice(), at(8)).await.unwrap();

    assert!(!store.rotate_session("s", "first", "second", at(9)).await.unwrap());
    let found = store.find_session("s").await.unwrap().unwrap();
    assert_eq!(found.revoked_at, Some(at(7)));
}

pub(crate) async fn an_unknown_session_can_be_revoked(store: &dyn Store) {
    store.revoke_session("made-offline", &alice(), at(7)).await.unwrap();

    let found = store.find_session("made-offline").await.unwrap().unwrap();
    assert_eq!((found.user_id, found.revoked_at), (alice(), Some(at(7))));
}

pub(crate) async fn nobody_revokes_anothers_session(store: &dyn Store) {
    store.insert_session(session("s")).await.unwrap();

    store.revoke_session("s", &bob(), at(7)).await.unwrap();

    assert_eq!(store.find_session("s").await.unwrap(), Some(session("s")));
}

pub(crate) async fn revoked_sessions_are_listed_since_a_time(store: &dyn Store) {
    store.insert_session(session("live")).await.unwrap();
    for (sid, seconds) in [("a", 10), ("b", 20), ("c", 30)] {
        store.revoke_session(sid, &alice(), at(seconds)).await.unwrap();
    }

    assert_eq!(store.list_revoked_sessions(at(20)).await.unwrap(), ["b", "c"]);
    assert_eq!(store.list_revoked_sessions(at(31)).await.unwrap(), Vec::<String>::new());
}
