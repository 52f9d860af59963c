//! The to-do list.

use chatkit_gateway::{
    protocol::UserId,
    store::{
        Store,
        record::{NewTask, TaskFilter, TaskPatch, TaskRecord},
    },
};

use crate::harness::{alice, at, bob};

async fn add(store: &dyn Store, user: &UserId, title: &str, seconds: i64) -> TaskRecord {
    let task = NewTask { title: title.to_owned(), description: None };
    store.insert_task(user, task, at(seconds)).await.unwrap()
}

async fn titles(store: &dyn Store, filter: TaskFilter) -> Vec<String> {
    let tasks = store.list_tasks(&alice(), filter).await.unwrap();
    tasks.into_iter().map(|task| task.title).collect()
}

pub(crate) async fn a_task_comes_back_as_it_was_given(store: &dyn Store) {
    let given = NewTask { title: "Milk".to_owned(), description: Some("Oat".to_owned()) };

    let task = store.insert_task(&alice(), given, at(3)).await.unwrap();

    let expected = TaskRecord {
        id: task.id,
        title: "Milk".to_owned(),
        description: Some("Oat".to_owned()),
        completed: false,
        created_at: at(3),
        updated_at: at(3),
    };
    assert_eq!(task, expected);
    assert_eq!(store.find_task(&alice(), task.id).await.unwrap(), Some(expected));
}

pub(crate) async fn tasks_are_listed_oldest_first_and_by_state(store: &dyn Store) {
    add(store, &alice(), "second", 2).await;
    let first = add(store, &alice(), "first", 1).await;
    add(store, &alice(), "third", 2).await;
    add(store, &bob(), "bob's", 0).await;
    let patch = TaskPatch { completed: Some(true), ..TaskPatch::default() };
    store.update_task(&alice(), first.id, patch, at(5)).await.unwrap().unwrap();

    assert_eq!(titles(store, TaskFilter::All).await, ["first", "second", "third"]);
    assert_eq!(titles(store, TaskFilter::Pending).await, ["second", "third"]);
    assert_eq!(titles(store, TaskFilter::Completed).await, ["first"]);
}

pub(crate) async fn a_task_patch_changes_what_it_names(store: &dyn Store) {
    let task = add(store, &alice(), "Milk", 1).await;

    let described = TaskPatch {
        title: Some("Oat milk".to_owned()),
        description: Some(Some("two".to_owned())),
        completed: Some(true),
    };
    let changed = store.update_task(&alice(), task.id, described, at(2)).await.unwrap().unwrap();
    assert_eq!((changed.title.as_str(), changed.description.as_deref()), ("Oat milk", Some("two")));
    assert!(changed.completed);
    assert_eq!((changed.created_at, changed.updated_at), (at(1), at(2)));

    let patch = TaskPatch { description: Some(None), ..TaskPatch::default() };
    let changed = store.update_task(&alice(), task.id, patch, at(3)).await.unwrap().unwrap();
    assert_eq!((changed.title.as_str(), changed.description), ("Oat milk", None));
    assert!(changed.completed);
}

pub(crate) async fn nobody_sees_or_changes_anothers_task(store: &dyn Store) {
    let task = add(store, &alice(), "private", 1).await;
    let patch = TaskPatch { completed: Some(true), ..TaskPatch::default() };

    assert_eq!(store.find_task(&bob(), task.id).await.unwrap(), None);
    assert_eq!(store.update_task(&bob(), task.id, patch, at(2)).await.unwrap(), None);
    assert_eq!(store.delete_task(&bob(), task.id).await.unwrap(), None);
    assert_eq!(store.list_tasks(&bob(), TaskFilter::All).await.unwrap(), []);
    for id in [0, -1, i64::MAX] {
        assert_eq!(store.find_task(&alice(), id).await.unwrap(), None);
    }

    assert_eq!(store.find_task(&alice(), task.id).await.unwrap(), Some(task));
}

pub(crate) async fn the_number_of_a_deleted_task_is_not_used_again(store: &dyn Store) {
    let task = add(store, &alice(), "gone", 1).await;

    assert_eq!(store.delete_task(&alice(), task.id).await.unwrap(), Some(task.clone()));
    assert_eq!(store.delete_task(&alice(), task.id).await.unwrap(), None);

    assert!(add(store, &alice(), "new", 2).await.id > task.id);
}
