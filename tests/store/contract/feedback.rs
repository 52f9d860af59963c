//! Thumbs up and down.

use chatkit_gateway::{
    protocol::{ItemId, request::FeedbackKind},
    store::Store,
};

use crate::harness::{alice, at, bob, new_thread, put_messages};

pub(crate) async fn feedback_is_kept_for_items_of_the_users_thread(store: &dyn Store) {
    let thread_id = new_thread(store).await;
    let item = put_messages(store, thread_id, &["good"]).await.remove(0);

    for (user, kind, is_kept) in [
        (alice(), FeedbackKind::Positive, true),
        (alice(), FeedbackKind::Negative, true),
        (bob(), FeedbackKind::Negative, false),
    ] {
        let items = [item.id, item.id];
        let kept = store.insert_feedback(&user, thread_id, &items, kind, at(1)).await.unwrap();
        assert_eq!(kept, is_kept, "{user} {kind:?}");
    }
}

pub(crate) async fn feedback_is_kept_for_all_items_or_none(store: &dyn Store) {
    let thread_id = new_thread(store).await;
    let elsewhere = new_thread(store).await;
    let item = put_messages(store, thread_id, &["here"]).await.remove(0);
    let foreign = put_messages(store, elsewhere, &["elsewhere"]).await.remove(0);

    for other in [foreign.id, ItemId::new()] {
        let items = [item.id, other];
        let kind = FeedbackKind::Positive;
        assert!(!store.insert_feedback(&alice(), thread_id, &items, kind, at(1)).await.unwrap());
    }
}
