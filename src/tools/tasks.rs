//! The tools of the task list: the model adds, lists, completes, changes and deletes the caller's
//! own tasks. A result is compact JSON of the task or tasks, a failure a sentence for the model.

use std::sync::Arc;

use async_trait::async_trait;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Tool, ToolContext, ToolOutput, ToolSpec, arguments,
    task_rules::{self, MAX_DESCRIPTION_CHARS, MAX_TITLE_CHARS},
    task_store::TaskStore,
};
use crate::{
    protocol::{Timestamp, UserId},
    store::{
        StoreError,
        record::{TaskFilter, TaskPatch, TaskRecord},
    },
};

/// How many bytes of tasks one listing holds, so that what the model gets is whole JSON and below
/// the limit at which outputs are cut.
const MAX_LISTED_BYTES: usize = 64 * 1024;

/// `add_task`, `list_tasks`, `complete_task`, `update_task` and `delete_task` over a store.
pub fn task_tools(store: impl TaskStore) -> Vec<Arc<dyn Tool>> {
    let store: Arc<dyn TaskStore> = Arc::new(store);
    [Action::Add, Action::List, Action::Complete, Action::Update, Action::Delete]
        .into_iter()
        .map(|action| {
            let tool = TaskTool { action, spec: action.spec(), store: Arc::clone(&store) };
            Arc::new(tool) as Arc<dyn Tool>
        })
        .collect()
}

/// One of the tools.
struct TaskTool {
    action: Action,
    spec: ToolSpec,
    store: Arc<dyn TaskStore>,
}

#[derive(Clone, Copy)]
enum Action {
    Add,
    List,
    Complete,
    Update,
    Delete,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AddTask {
    /// What is to be done, in a few words.
    #[schemars(length(min = 1, max = MAX_TITLE_CHARS))]
    title: String,
    /// More about it, if there is more to say.
    #[schemars(length(max = MAX_DESCRIPTION_CHARS))]
    description: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListTasks {
    /// Which tasks to list: all of them if left out.
    status: Option<Status>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Status {
    All,
    Pending,
    Completed,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PickTask {
    /// The task's id, as `list_tasks` gives it.
    task_id: TaskId,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UpdateTask {
    /// The task's id, as `list_tasks` gives it.
    task_id: TaskId,
    /// The new title; left out, it stays as it is.
    #[schemars(length(min = 1, max = MAX_TITLE_CHARS))]
    title: Option<String>,
    /// The new description; left out, it stays as it is; an empty text removes it.
    #[schemars(length(max = MAX_DESCRIPTION_CHARS))]
    description: Option<String>,
}

/// A task's number. Models often write it as a string: that is taken too, and not advertised.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "Value")]
struct TaskId(i64);

impl TryFrom<Value> for TaskId {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let number = match &value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.map(Self).ok_or("task_id must be a whole number, such as 7")
    }
}

impl JsonSchema for TaskId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TaskId".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer" })
    }
}

impl Action {
    fn spec(self) -> ToolSpec {
        let (name, title, description) = match self {
            Self::Add => ("add_task", "Add task", "Adds a task to the user's task list."),
            Self::List => ("list_tasks", "List tasks", "Lists the user's tasks with their ids."),
            Self::Complete => ("complete_task", "Complete task", "Marks a task as completed."),
            Self::Update => {
                ("update_task", "Update task", "Changes a task's title, its description, or both.")
            }
            Self::Delete => ("delete_task", "Delete task", "Deletes a task for good."),
        };
        ToolSpec {
            name: name.to_owned(),
            title: title.to_owned(),
            description: description.to_owned(),
            parameters: match self {
                Self::Add => arguments::schema::<AddTask>(),
                Self::List => arguments::schema::<ListTasks>(),
                Self::Complete | Self::Delete => arguments::schema::<PickTask>(),
                Self::Update => arguments::schema::<UpdateTask>(),
            },
            read_only: matches!(self, Self::List),
            // An update overwrites what the user wrote.
            destructive: matches!(self, Self::Update | Self::Delete),
            idempotent: !matches!(self, Self::Add),
        }
    }
}

#[async_trait]
impl Tool for TaskTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, context: &ToolContext, arguments: Map<String, Value>) -> ToolOutput {
        let user = &context.user_id;
        let done = match self.action {
            Action::Add => self.add(user, arguments).await,
            Action::List => self.list(user, arguments).await,
            Action::Complete => self.complete(user, arguments).await,
            Action::Update => self.update(user, arguments).await,
            Action::Delete => self.delete(user, arguments).await,
        };
        done.unwrap_or_else(|failure| failure)
    }
}

/// The output of a success, or of a failure.
type Done = Result<ToolOutput, ToolOutput>;

impl TaskTool {
    async fn add(&self, user: &UserId, arguments: Map<String, Value>) -> Done {
        let AddTask { title, description } = arguments::parse(arguments)?;
        let task = task_rules::new_task(&title, description.as_deref()).map_err(refused)?;
        let task = self.store.insert_task(user, task, Timestamp::now()).await;
        Ok(ToolOutput::json(&task.map_err(broken)?))
    }

    async fn list(&self, user: &UserId, arguments: Map<String, Value>) -> Done {
        let ListTasks { status } = arguments::parse(arguments)?;
        let filter = match status {
            None | Some(Status::All) => TaskFilter::All,
            Some(Status::Pending) => TaskFilter::Pending,
            Some(Status::Completed) => TaskFilter::Completed,
        };
        let tasks = self.store.list_tasks(user, filter).await.map_err(broken)?;
        Ok(ToolOutput::json(&Listing::of(&tasks)))
    }

    async fn complete(&self, user: &UserId, arguments: Map<String, Value>) -> Done {
        let PickTask { task_id: TaskId(id) } = arguments::parse(arguments)?;
        // A completed task keeps the time of its completion: calling twice is calling once.
        let task = self.store.find_task(user, id).await.map_err(broken)?;
        let task = task.ok_or_else(|| missing(id))?;
        if task.completed {
            return Ok(ToolOutput::json(&task));
        }
        self.patch(user, id, TaskPatch { completed: Some(true), ..TaskPatch::default() }).await
    }

    async fn update(&self, user: &UserId, arguments: Map<String, Value>) -> Done {
        let UpdateTask { task_id: TaskId(id), title, description } = arguments::parse(arguments)?;
        let patch = task_rules::text_patch(title.as_deref(), description.as_deref());
        let patch = patch.map_err(refused)?;
        if patch == TaskPatch::default() {
            return Err(ToolOutput::error(
                "nothing to change: give a title, a description or both",
            ));
        }
        self.patch(user, id, patch).await
    }

    async fn delete(&self, user: &UserId, arguments: Map<String, Value>) -> Done {
        let PickTask { task_id: TaskId(id) } = arguments::parse(arguments)?;
        let task = self.store.delete_task(user, id).await.map_err(broken)?;
        let task = task.ok_or_else(|| missing(id))?;
        Ok(ToolOutput::json(&serde_json::json!({ "deleted": task })))
    }

    async fn patch(&self, user: &UserId, id: i64, patch: TaskPatch) -> Done {
        let task = self.store.update_task(user, id, patch, Timestamp::now()).await;
        let task = task.map_err(broken)?.ok_or_else(|| missing(id))?;
        Ok(ToolOutput::json(&task))
    }
}

/// What `list_tasks` answers.
#[derive(Serialize)]
pub(super) struct Listing<'a> {
    tasks: &'a [TaskRecord],
    /// How many more there are, when not all have room.
    #[serde(skip_serializing_if = "Option::is_none")]
    omitted: Option<usize>,
}

impl<'a> Listing<'a> {
    /// As many of the first tasks as have room.
    pub(super) fn of(tasks: &'a [TaskRecord]) -> Self {
        let mut room = MAX_LISTED_BYTES;
        let fits = |task: &&TaskRecord| {
            let size = serde_json::to_string(task).map_or(0, |json| json.len() + 1);
            room.checked_sub(size).map(|left| room = left).is_some()
        };
        let listed = tasks.iter().take_while(fits).count();
        let omitted = tasks.len() - listed;
        Self { tasks: &tasks[..listed], omitted: (omitted > 0).then_some(omitted) }
    }
}

fn missing(id: i64) -> ToolOutput {
    ToolOutput::error(format!("there is no task {id}; call list_tasks to see the tasks"))
}

fn refused(error: task_rules::TaskRuleError) -> ToolOutput {
    ToolOutput::error(error.to_string())
}

/// A failure of the store: logged here, and told to the model without its cause.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn broken(error: StoreError) -> ToolOutput {
    tracing::error!(error = &error as &dyn std::error::Error, "a task tool failed");
    ToolOutput::error(match error {
        StoreError::Unavailable(_) => "the task list cannot be reached now; try again later",
        StoreError::Conflict { .. } | StoreError::Corrupt { .. } | StoreError::Refused(_) => {
            "the task list failed because of an internal error"
        }
    })
}
