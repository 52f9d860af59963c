//! What a tool shows while it runs.

use std::sync::Arc;

use async_trait::async_trait;
use chatkit_gateway::{
    demo::scripted_model::Step,
    protocol::{
        ItemKind, Task, ThreadEvent,
        item::AssistantMessage,
        workflow::{StatusIndicator, TaskKind, WorkflowSummary},
    },
    tools::{Tool, ToolContext, ToolOutput, ToolSpec},
};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{TestServer, events::kinds};

/// What the tool does.
enum Act {
    /// Shows a line, two tasks, and a widget.
    Order,
    /// Ends the workflow with a text of its own.
    Summary,
    /// Shows a line, then waits.
    Wait(CancellationToken),
    /// Shows more than may wait at a time.
    Flood,
}

struct Shower {
    spec: ToolSpec,
    act: Act,
}

fn tool(act: Act) -> Arc<dyn Tool> {
    let spec = ToolSpec {
        name: "show".to_owned(),
        title: "Show".to_owned(),
        description: "Shows things.".to_owned(),
        parameters: json!({ "type": "object", "properties": {} }),
        read_only: true,
        destructive: false,
        idempotent: true,
    };
    Arc::new(Shower { spec, act })
}

fn step(title: &str, status_indicator: StatusIndicator) -> Task {
    let kind = TaskKind::Custom { title: Some(title.to_owned()), icon: None, content: None };
    Task { status_indicator, kind }
}

fn progress(text: String) -> ThreadEvent {
    ThreadEvent::ProgressUpdate { icon: None, text }
}

#[async_trait]
impl Tool for Shower {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, context: &ToolContext, _: Map<String, Value>) -> ToolOutput {
        let display = &context.display;
        match &self.act {
            Act::Order => {
                display.event(progress("Looking".to_owned())).await;
                let packing = display.add_task(step("Pack", StatusIndicator::Loading)).await;
                display.update_task(packing, step("Pack", StatusIndicator::Complete)).await;
                display.widget(json!({ "type": "Card" }), None).await;
            }
            Act::Summary => {
                let title = "Looked".to_owned();
                let summary = WorkflowSummary::Title { title, icon: None };
                display.end_workflow(Some(summary), true).await;
            }
            Act::Wait(go_on) => {
                display.event(progress("Waiting".to_owned())).await;
                go_on.cancelled().await;
            }
            Act::Flood => {
                for number in 0..500 {
                    display.event(progress(number.to_string())).await;
                }
                let message = AssistantMessage::from_text("from the tool");
                display.item(ItemKind::AssistantMessage(message)).await;
            }
        }
        ToolOutput::json(&"shown")
    }
}

#[tokio::test]
async fn what_a_tool_shows_stands_in_order_before_its_end() {
    let server = TestServer::start_with_tools(vec![tool(Act::Order)]).await;
    server.model.will_play([Step::call("show", &json!({}))]);

    let events = server.alice().say("go").await.rest().await;

    let shown: Vec<String> = kinds(&events).into_iter().skip(3).take(8).collect();
    assert_eq!(
        shown,
        [
            "thread.item.added workflow",
            "thread.item.updated workflow.task.added",
            // The tool's title, and what it says itself.
            "progress_update",
            "thread.item.updated workflow.task.added",
            "thread.item.updated workflow.task.updated",
            // The widget ends the workflow, the end of the tool completes its task there.
            "thread.item.done workflow",
            "thread.item.done widget",
            "thread.item.replaced workflow",
        ]
    );
    server.stop().await;
}

#[tokio::test]
async fn the_workflow_of_a_tool_that_ends_it_is_complete_and_its_call_remembered() {
    let server = TestServer::start_with_tools(vec![tool(Act::Summary)]).await;
    let alice = server.alice();
    server.model.will_play([Step::call("show", &json!({}))]);

    let thread = alice.talk("go").await;
    alice.say_in(&thread, "and now?").await.rest().await;

    let page = json!({ "thread_id": thread, "order": "asc" });
    let items = alice.chatkit("items.list", &page).await.body["data"].clone();
    assert_eq!(items[1]["workflow"]["summary"]["title"], "Looked");
    assert_eq!(items[1]["workflow"]["tasks"][0]["status_indicator"], "complete");
    let messages = alice.thread(&thread).await["messages"].clone();
    assert_eq!(messages[1]["status"], "complete", "{messages}");
    let input = server.model.call(3).await.body["input"].clone();
    let kinds: Vec<&str> =
        input.as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message", "function_call", "function_call_output", "message", "message"]);
    server.stop().await;
}

#[tokio::test]
async fn what_a_tool_shows_is_seen_while_it_runs() {
    let go_on = CancellationToken::new();
    let server = TestServer::start_with_tools(vec![tool(Act::Wait(go_on.clone()))]).await;
    server.model.will_play([Step::call("show", &json!({}))]);

    let mut stream = server.alice().say("go").await;
    let is_it = |event: &ThreadEvent| matches!(event, ThreadEvent::ProgressUpdate { text, .. } if text == "Waiting");
    stream.until(is_it).await;
    go_on.cancel();
    stream.rest().await;

    assert_eq!(server.alice().run(&stream.run_id).await["status"], "completed");
    server.stop().await;
}

#[tokio::test]
async fn a_tool_that_shows_a_lot_waits_and_loses_nothing() {
    let server = TestServer::start_with_tools(vec![tool(Act::Flood)]).await;
    server.model.will_play([Step::call("show", &json!({}))]);

    let events = server.alice().say("go").await.rest().await;

    let lines: Vec<&str> = events
        .iter()
        .filter_map(|received| match &received.event {
            ThreadEvent::ProgressUpdate { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(lines.len(), 501);
    assert_eq!(lines[500], "499");
    server.stop().await;
}
