//! Items: order, paging, replacing, counting, and coming back as they were given.

use chatkit_gateway::{
    protocol::{
        ItemId, ItemKind, Order, Task, ThreadId, ThreadItem, Workflow,
        item::{ClientToolCall, ClientToolStatus, GeneratedImage, WidgetItem},
        workflow::{StatusIndicator, TaskKind, WorkflowKind},
    },
    store::{PageQuery, Store, StoreError, record::ItemStatus},
};
use serde_json::{Value, json};

use crate::harness::{
    alice, all, answer, at, bob, hidden, item, new_thread, new_thread_of, put_messages, texts,
    thread, user_message,
};

pub(crate) async fn items_are_listed_in_the_order_of_their_insertion(store: &dyn Store) {
    let thread_id = new_thread(store).await;
    // Ids and times against the order: only the insertion counts.
    let mut items: Vec<ThreadItem> =
        ["one", "two", "three"].map(|text| user_message(thread_id, text)).into();
    items.reverse();

    store.upsert_items(&alice(), thread_id, &items[..2], at(1)).await.unwrap();
    store.upsert_items(&alice(), thread_id, &items[2..], at(2)).await.unwrap();

    assert_eq!(texts(store, thread_id).await, ["three", "two", "one"]);
}

pub(crate) async fn pages_of_items_have_no_gap_and_no_repeat(store: &dyn Store) {
    let thread_id = new_thread(store).await;
    put_messages(store, thread_id, &["1", "2", "3", "4", "5", "6", "7"]).await;

    assert_eq!(walk(store, thread_id, Order::Asc).await, ["1", "2", "3", "4", "5", "6", "7"]);
    assert_eq!(walk(store, thread_id, Order::Desc).await, ["7", "6", "5", "4", "3", "2", "1"]);
}

pub(crate) async fn a_cursor_of_another_thread_gives_no_page(store: &dyn Store) {
    let thread_id = new_thread(store).await;
    let elsewhere = new_thread(store).await;
    let foreign = put_messages(store, elsewhere, &["elsewhere"]).await.remove(0);

    for cursor in [foreign.id, ItemId::new(), ItemId::UNKNOWN] {
        let page = PageQuery { limit: 10, order: Order::Desc, after: Some(cursor) };
        assert_eq!(store.list_items(&alice(), thread_id, page).await.unwrap(), None);
    }
}

pub(crate) async fn items_are_found_in_their_thread_by_their_user_only(store: &dyn Store) {
    let thread_id = new_thread(store).await;
    let elsewhere = new_thread(store).await;
    let item = put_messages(store, thread_id, &["here"]).await.remove(0);

    let found = store.find_item(&alice(), thread_id, item.id).await.unwrap().unwrap();

    assert_eq!(found.item, item);
    assert_eq!((found.status, found.run_id), (ItemStatus::Complete, None));
    assert_eq!(store.find_item(&bob(), thread_id, item.id).await.unwrap(), None);
    assert_eq!(store.find_item(&alice(), elsewhere, item.id).await.unwrap(), None);
    assert_eq!(store.find_item(&alice(), thread_id, ItemId::new()).await.unwrap(), None);
    assert_eq!(store.list_items(&bob(), thread_id, all()).await.unwrap(), None);
    assert_eq!(store.list_items(&alice(), ThreadId::new(), all()).await.unwrap(), None);
}

pub(crate) async fn nobody_writes_into_anothers_thread(store: &dyn Store) {
    let thread_id = new_thread(store).await;
    let items = [user_message(thread_id, "smuggled")];

    let is_written = store.upsert_items(&bob(), thread_id, &items, at(1)).await.unwrap();

    assert!(!is_written);
    assert!(texts(store, thread_id).await.is_empty());
}

pub(crate) async fn a_replaced_item_keeps_its_place(store: &dyn Store) {
    let thread_id = new_thread(store).await;
    let items = put_messages(store, thread_id, &["one", "two", "three"]).await;
    let replacement = ThreadItem { id: items[1].id, ..user_message(thread_id, "TWO") };
    let new = user_message(thread_id, "four");

    store.upsert_items(&alice(), thread_id, &[new, replacement], at(5)).await.unwrap();

    assert_eq!(texts(store, thread_id).await, ["one", "TWO", "three", "four"]);
    assert_eq!(thread(store, thread_id).await.message_count, 4);
}

pub(crate) async fn an_item_given_twice_is_kept_once(store: &dyn Store) {
    let thread_id = new_thread(store).await;
    let first = user_message(thread_id, "first");
    let again = ThreadItem { id: first.id, ..user_message(thread_id, "again") };
    let other = user_message(thread_id, "other");

    store.upsert_items(&alice(), thread_id, &[first, other, again], at(1)).await.unwrap();

    assert_eq!(texts(store, thread_id).await, ["again", "other"]);
    assert_eq!(thread(store, thread_id).await.message_count, 2);
}

pub(crate) async fn only_items_that_clients_see_are_counted(store: &dyn Store) {
    let thread_id = new_thread(store).await;
    let context = hidden(thread_id);
    let items = [
        user_message(thread_id, "seen"),
        context.clone(),
        item(thread_id, ItemKind::HiddenContextItem { content: json!({"a": 1}) }),
    ];
    store.upsert_items(&alice(), thread_id, &items, at(1)).await.unwrap();
    assert_eq!(thread(store, thread_id).await.message_count, 1);

    let shown = ThreadItem { id: context.id, ..answer(thread_id, "now seen") };
    store.upsert_items(&alice(), thread_id, &[shown], at(2)).await.unwrap();
    assert_eq!(thread(store, thread_id).await.message_count, 2);

    store.upsert_items(&alice(), thread_id, &[context], at(3)).await.unwrap();
    assert_eq!(thread(store, thread_id).await.message_count, 1);
    assert_eq!(texts(store, thread_id).await.len(), 3);
}

pub(crate) async fn an_item_id_of_another_thread_is_refused(store: &dyn Store) {
    let bobs = new_thread_of(store, bob(), at(0)).await;
    let secret = user_message(bobs, "bob's");
    store.upsert_items(&bob(), bobs, std::slice::from_ref(&secret), at(1)).await.unwrap();
    let thread_id = new_thread(store).await;
    let items = [
        user_message(thread_id, "mine"),
        ThreadItem { id: secret.id, ..user_message(thread_id, "overwritten") },
    ];

    let refusal = store.upsert_items(&alice(), thread_id, &items, at(2)).await.unwrap_err();

    assert!(
        matches!(&refusal, StoreError::Conflict { table, .. } if table == "message"),
        "{refusal:?}"
    );
    let untouched = store.find_item(&bob(), bobs, secret.id).await.unwrap().unwrap();
    assert_eq!(untouched.item, secret);
    assert!(texts(store, thread_id).await.is_empty(), "nothing of the write is kept");
    assert_eq!(thread(store, thread_id).await.message_count, 0);
}

pub(crate) async fn every_kind_of_item_comes_back_as_it_was_given(store: &dyn Store) {
    let thread_id = new_thread(store).await;
    let task = Task {
        status_indicator: StatusIndicator::Complete,
        kind: TaskKind::Custom { title: Some("Looked".to_owned()), icon: None, content: None },
    };
    let call = ClientToolCall {
        status: ClientToolStatus::Completed,
        call_id: "call_1".to_owned(),
        name: "pick".to_owned(),
        arguments: [("z".to_owned(), json!(1)), ("a".to_owned(), Value::Null)]
            .into_iter()
            .collect(),
        output: Some(json!(["ok", 1.5])),
    };
    let image = GeneratedImage { id: "img".to_owned(), url: "data:,".to_owned() };
    let workflow = Workflow {
        kind: WorkflowKind::Reasoning,
        tasks: vec![task.clone()],
        summary: None,
        expanded: true,
    };
    let items: Vec<ThreadItem> = [
        ItemKind::ClientToolCall(call),
        ItemKind::GeneratedImage { image: Some(image) },
        ItemKind::Workflow { workflow },
        ItemKind::Task { task },
        ItemKind::EndOfTurn {},
        ItemKind::HiddenContextItem { content: json!(["any", {"json": true}]) },
        ItemKind::SdkHiddenContext { content: "text".to_owned() },
    ]
    .into_iter()
    .map(|kind| item(thread_id, kind))
    .chain([user_message(thread_id, "asked"), answer(thread_id, "answered")])
    .collect();

    store.upsert_items(&alice(), thread_id, &items, at(1)).await.unwrap();

    let page = store.list_items(&alice(), thread_id, all()).await.unwrap().unwrap();
    let read: Vec<ThreadItem> = page.data.into_iter().map(|record| record.item).collect();
    assert_eq!(read, items);
}

pub(crate) async fn a_widget_comes_back_byte_for_byte(store: &dyn Store) {
    let given = r#"{"type":"Card","zeta":1.0,"alpha":-0.0,"small":1e-7,"children":[{"type":"Text","value":"a\"\\u0000b","unknown":{"b":null,"a":[]}}],"big":9007199254740993,"Zeta":false}"#;
    let widget: Value = serde_json::from_str(given).unwrap();
    let thread_id = new_thread(store).await;
    let widget = item(thread_id, ItemKind::Widget(WidgetItem { widget, copy_text: None }));

    store.upsert_items(&alice(), thread_id, std::slice::from_ref(&widget), at(1)).await.unwrap();

    let read = store.find_item(&alice(), thread_id, widget.id).await.unwrap().unwrap();
    let ItemKind::Widget(read) = read.item.kind else { panic!("{read:?}") };
    assert_eq!(read.widget.to_string(), given);
}

pub(crate) async fn writing_items_changes_the_threads_time(store: &dyn Store) {
    let thread_id = new_thread(store).await;

    store
        .upsert_items(&alice(), thread_id, &[user_message(thread_id, "late")], at(77))
        .await
        .unwrap();

    assert_eq!(thread(store, thread_id).await.updated_at, at(77));
}

/// The texts of all items, two at a time.
async fn walk(store: &dyn Store, thread_id: ThreadId, order: Order) -> Vec<String> {
    let mut texts = Vec::new();
    let mut after = None;
    loop {
        let page = PageQuery { limit: 2, order, after };
        let page = store.list_items(&alice(), thread_id, page).await.unwrap().unwrap();
        texts.extend(page.data.iter().map(|record| record.item.kind.plain_text()));
        let Some(cursor) = page.after else { return texts };
        after = Some(cursor.parse().unwrap());
    }
}
