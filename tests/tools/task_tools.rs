use chatkit_gateway::{
    protocol::UserId,
    tools::{
        ToolContext, ToolOutput, ToolRegistry, registry::DEFAULT_TIMEOUT, task_store::TaskStore,
        tasks::task_tools,
    },
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::memory_store::{MemoryStore, UnavailableStore};

/// A user with the tools in hand.
struct User {
    registry: ToolRegistry,
    context: ToolContext,
}

impl User {
    fn new(name: &str, store: impl TaskStore) -> Self {
        let user_id = UserId::parse(name).expect("a valid name");
        Self {
            registry: ToolRegistry::new(task_tools(store)).expect("valid tools"),
            context: ToolContext::new(user_id, CancellationToken::new()),
        }
    }

    async fn call(&self, tool: &str, arguments: Value) -> ToolOutput {
        self.registry.call(&self.context, tool, &arguments.to_string(), DEFAULT_TIMEOUT).await
    }

    /// The JSON that a call answers.
    async fn ask(&self, tool: &str, arguments: Value) -> Value {
        let output = self.call(tool, arguments).await;
        assert!(!output.is_error, "{output:?}");
        serde_json::from_str(&output.text).expect("JSON")
    }

    /// What a call complains of.
    async fn fail(&self, tool: &str, arguments: Value) -> String {
        let output = self.call(tool, arguments).await;
        assert!(output.is_error, "{output:?}");
        output.text
    }

    async fn titles(&self, status: &str) -> Vec<String> {
        let list = self.ask("list_tasks", json!({ "status": status })).await;
        let tasks = list["tasks"].as_array().expect("a list");
        tasks.iter().map(|task| task["title"].as_str().expect("a title").to_owned()).collect()
    }
}

fn alice() -> User {
    User::new("alice", MemoryStore::default())
}

#[tokio::test]
async fn an_added_task_is_answered_whole() {
    let alice = alice();

    let task = alice.ask("add_task", json!({ "title": " milk ", "description": "2 l" })).await;
    let bare = alice.ask("add_task", json!({ "title": "bread", "description": null })).await;

    assert_eq!(task["id"], 1);
    assert_eq!(task["title"], "milk");
    assert_eq!(task["description"], "2 l");
    assert_eq!(task["completed"], false);
    assert_eq!(task["created_at"], task["updated_at"]);
    assert_eq!(bare.get("description"), None);
}

#[tokio::test]
async fn tasks_are_listed_by_status() {
    let alice = alice();
    for title in ["milk", "bread"] {
        alice.ask("add_task", json!({ "title": title })).await;
    }
    alice.ask("complete_task", json!({ "task_id": 1 })).await;

    assert_eq!(alice.titles("all").await, ["milk", "bread"]);
    assert_eq!(alice.titles("pending").await, ["bread"]);
    assert_eq!(alice.titles("completed").await, ["milk"]);
    assert_eq!(alice.ask("list_tasks", json!({})).await["tasks"][1]["title"], "bread");
}

#[tokio::test]
async fn a_long_list_is_shortened_to_whole_tasks() {
    let alice = alice();
    for _ in 0..50 {
        let arguments = json!({ "title": "t", "description": "x".repeat(2_000) });
        alice.ask("add_task", arguments).await;
    }

    let list = alice.ask("list_tasks", json!({})).await;

    let listed = list["tasks"].as_array().unwrap().len();
    assert!((20..50).contains(&listed), "{listed}");
    assert_eq!(list["omitted"], 50 - listed);
}

#[tokio::test]
async fn completing_twice_is_completing_once() {
    let alice = alice();
    alice.ask("add_task", json!({ "title": "milk" })).await;

    let first = alice.ask("complete_task", json!({ "task_id": 1 })).await;
    let second = alice.ask("complete_task", json!({ "task_id": 1 })).await;

    assert_eq!(first["completed"], true);
    assert_eq!(first, second);
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_an_empty_description_removes_it() {
    let alice = alice();
    alice.ask("add_task", json!({ "title": "milk", "description": "2 l" })).await;

    let renamed = alice.ask("update_task", json!({ "task_id": 1, "title": "oat milk" })).await;
    let cleared = alice.ask("update_task", json!({ "task_id": 1, "description": "" })).await;

    assert_eq!(renamed["title"], "oat milk");
    assert_eq!(renamed["description"], "2 l");
    assert_eq!(cleared["title"], "oat milk");
    assert_eq!(cleared.get("description"), None);
    assert_eq!(
        alice.fail("update_task", json!({ "task_id": 1 })).await,
        "nothing to change: give a title, a description or both"
    );
}

#[tokio::test]
async fn a_deleted_task_is_answered_and_gone() {
    let alice = alice();
    alice.ask("add_task", json!({ "title": "milk" })).await;

    let deleted = alice.ask("delete_task", json!({ "task_id": 1 })).await;

    assert_eq!(deleted["deleted"]["title"], "milk");
    assert!(alice.titles("all").await.is_empty());
}

#[tokio::test]
async fn a_task_id_may_be_a_string_of_digits() {
    let alice = alice();
    alice.ask("add_task", json!({ "title": "milk" })).await;

    assert_eq!(alice.ask("complete_task", json!({ "task_id": "1" })).await["completed"], true);
    for wrong in [json!("one"), json!(1.5), json!(null), json!([1])] {
        let complaint = alice.fail("complete_task", json!({ "task_id": wrong })).await;
        assert!(complaint.contains("task_id must be a whole number"), "{complaint}");
    }
}

#[tokio::test]
async fn another_users_task_looks_like_one_that_does_not_exist() {
    let store = MemoryStore::default();
    let alice = User::new("alice", store.clone());
    let bob = User::new("bob", store);
    alice.ask("add_task", json!({ "title": "milk" })).await;

    for (tool, arguments) in [
        ("complete_task", json!({ "task_id": 1 })),
        ("update_task", json!({ "task_id": 1, "title": "mine" })),
        ("delete_task", json!({ "task_id": 1 })),
    ] {
        assert_eq!(
            bob.fail(tool, arguments).await,
            "there is no task 1; call list_tasks to see the tasks"
        );
    }
    assert!(bob.titles("all").await.is_empty());
    assert_eq!(alice.titles("pending").await, ["milk"]);
}

#[tokio::test]
async fn wrong_arguments_are_named_to_the_model() {
    let alice = alice();

    for (tool, arguments, complaint) in [
        ("add_task", json!({}), "missing field `title`"),
        ("add_task", json!({ "title": "  " }), "title is empty"),
        ("add_task", json!({ "title": "a\u{0}" }), "title contains a NUL character"),
        ("add_task", json!({ "title": "a", "due": "now" }), "unknown field `due`"),
        ("list_tasks", json!({ "status": "open" }), "unknown variant `open`"),
        ("delete_task", json!({}), "missing field `task_id`"),
    ] {
        let text = alice.fail(tool, arguments).await;
        assert!(text.contains(complaint), "{text}");
    }
    assert!(alice.titles("all").await.is_empty());
}

#[tokio::test]
async fn a_database_that_is_away_is_told_without_its_address() {
    let alice = User::new("alice", UnavailableStore);

    let text = alice.fail("list_tasks", json!({})).await;

    assert_eq!(text, "the task list cannot be reached now; try again later");
}

#[test]
fn the_schemas_are_closed_and_need_no_reference_to_be_resolved() {
    for tool in alice().registry.iter() {
        let schema = &tool.spec().parameters;

        assert_eq!(schema["type"], "object", "{schema}");
        assert_eq!(schema["additionalProperties"], false, "{schema}");
        assert!(!schema.to_string().contains("$ref"), "{schema}");
        assert_eq!(schema.get("title"), None, "{schema}");
    }
}

#[test]
fn the_schema_of_an_update_is_what_models_are_shown() {
    let alice = alice();
    let schema = &alice.registry.find("update_task").unwrap().spec().parameters;

    assert_eq!(
        *schema,
        json!({
            "type": "object",
            "properties": {
                "task_id": {
                    "type": "integer",
                    "description": "The task's id, as `list_tasks` gives it.",
                },
                "title": {
                    "type": ["string", "null"],
                    "description": "The new title; left out, it stays as it is.",
                    "minLength": 1,
                    "maxLength": 200,
                },
                "description": {
                    "type": ["string", "null"],
                    "description":
                        "The new description; left out, it stays as it is; an empty text removes it.",
                    "maxLength": 2000,
                },
            },
            "required": ["task_id"],
            "additionalProperties": false,
        })
    );
}

#[test]
fn the_tools_say_truthfully_what_they_may_do() {
    let alice = alice();
    let hints: Vec<_> = alice
        .registry
        .iter()
        .map(|tool| tool.spec())
        .map(|spec| (spec.name.as_str(), spec.read_only, spec.destructive, spec.idempotent))
        .collect();

    assert_eq!(
        hints,
        [
            ("add_task", false, false, false),
            ("list_tasks", true, false, true),
            ("complete_task", false, false, true),
            ("update_task", false, true, true),
            ("delete_task", false, true, true),
        ]
    );
}
