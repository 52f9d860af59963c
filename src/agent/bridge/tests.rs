//! What the recorded flows do not show.

use std::sync::Arc;

use serde_json::{Map, json};

use super::*;
use crate::{
    agent::AgentEvent,
    protocol::{
        ItemKind, ItemUpdate, Task, ThreadItem, Workflow,
        item::{ClientToolCall, ClientToolStatus, GeneratedImage, WidgetItem},
        workflow::{StatusIndicator, TaskKind, WorkflowSummary},
    },
    store::record::{History, ItemRecord, ItemStatus},
    tools::{Shown, ShownTask},
    upstream::{FinishReason, HostedCall},
};

fn bridge() -> Bridge {
    Bridge::new(ThreadId::new(), Arc::new(|| Timestamp::from_seconds(0)))
}

fn feed(bridge: &mut Bridge, event: ModelEvent) -> Vec<ThreadEvent> {
    let mut out = Vec::new();
    bridge.feed(event, &mut out);
    out
}

fn show(bridge: &mut Bridge, shown: Shown) -> Vec<ThreadEvent> {
    let mut out = Vec::new();
    bridge.show(shown, &mut out);
    out
}

fn item(kind: ItemKind) -> ThreadItem {
    let created_at = Timestamp::from_seconds(0);
    ThreadItem { id: ItemId::new(), thread_id: ThreadId::UNKNOWN, created_at, kind }
}

fn widget() -> Shown {
    let kind = ItemKind::Widget(WidgetItem { widget: json!({"type": "Card"}), copy_text: None });
    Shown::Event(Box::new(ThreadEvent::ItemDone { item: Box::new(item(kind)) }))
}

fn task(title: &str) -> Task {
    let kind = TaskKind::Custom { title: Some(title.to_owned()), icon: None, content: None };
    Task { status_indicator: StatusIndicator::Loading, kind }
}

fn workflow(tasks: Vec<Task>, summary: Option<WorkflowSummary>) -> ItemKind {
    let workflow = Workflow { kind: WorkflowKind::Custom, tasks, summary, expanded: false };
    ItemKind::Workflow { workflow }
}

fn client_call() -> ItemKind {
    ItemKind::ClientToolCall(ClientToolCall {
        status: ClientToolStatus::Completed,
        call_id: "c".to_owned(),
        name: "select".to_owned(),
        arguments: Map::new(),
        output: None,
    })
}

fn history(kinds: Vec<ItemKind>) -> History {
    let record = |kind| ItemRecord { item: item(kind), status: ItemStatus::Complete, run_id: None };
    History { items: kinds.into_iter().map(record).collect(), tool_calls: Vec::new() }
}

/// How the tasks of a workflow stand.
fn statuses(item: &ThreadItem) -> Vec<StatusIndicator> {
    let ItemKind::Workflow { workflow } = &item.kind else { panic!("{item:?}") };
    workflow.tasks.iter().map(|task| task.status_indicator).collect()
}

fn search() -> HostedCall {
    HostedCall::WebSearch { queries: Vec::new(), sources: Vec::new() }
}

fn partial(number: u32, size: usize) -> ModelEvent {
    let image = GeneratedImage { id: "i".to_owned(), url: "x".repeat(size) };
    ModelEvent::ImagePartial { index: 0, number, image }
}

#[test]
fn drafts_are_shown_until_they_are_too_large_together() {
    let mut bridge = bridge();
    feed(&mut bridge, ModelEvent::ImageStarted { index: 0 });

    let shown: Vec<usize> = [3 << 20, 3 << 20, 1 << 20]
        .into_iter()
        .map(|size| feed(&mut bridge, partial(0, size)).len())
        .collect();

    assert_eq!(shown, [1, 0, 1]);
}

#[test]
fn progress_is_never_above_one_and_zero_where_no_drafts_are_expected() {
    let progress = |expected, number| {
        let mut bridge = bridge().with_partial_images(expected);
        feed(&mut bridge, ModelEvent::ImageStarted { index: 0 });
        match &feed(&mut bridge, partial(number, 1))[..] {
            [
                ThreadEvent::ItemUpdated {
                    update: ItemUpdate::GeneratedImageUpdated { progress: Some(progress), .. },
                    ..
                },
            ] => progress.to_string(),
            other => panic!("{other:?}"),
        }
    };

    let told = [(Some(2), 1), (Some(2), 7), (Some(0), 7), (None, 7)];

    assert_eq!(told.map(|(expected, number)| progress(expected, number)), ["0.5", "1", "0", "0"]);
}

#[test]
fn an_image_that_could_not_be_drawn_is_taken_back() {
    let mut bridge = bridge();
    feed(&mut bridge, ModelEvent::ImageStarted { index: 0 });

    let events = feed(&mut bridge, ModelEvent::ImageDone { index: 0, image: None, item: None });

    assert!(matches!(events[..], [ThreadEvent::ItemRemoved { .. }]), "{events:?}");
}

#[test]
fn a_hosted_call_that_ends_behind_its_workflow_changes_nothing() {
    let mut bridge = bridge();
    feed(&mut bridge, ModelEvent::HostedCallStarted { index: 0, call: search() });
    let ended = feed(&mut bridge, ModelEvent::MessageStarted { index: 1 });

    let late =
        feed(&mut bridge, ModelEvent::HostedCallDone { index: 0, call: search(), item: None });

    let ThreadEvent::ItemDone { item } = &ended[0] else { panic!("{ended:?}") };
    assert_eq!(statuses(item), [StatusIndicator::Complete]);
    assert_eq!(late, []);
}

#[test]
fn a_workflow_that_a_tools_item_ends_is_replaced_once_the_tool_has_ended() {
    let mut bridge = bridge();
    let mut out = Vec::new();
    let (id, place) = bridge.start_tool("Look", "{}".to_owned(), &mut out);
    let shown = show(&mut bridge, widget());
    let ThreadEvent::ItemDone { item: ended } = &shown[0] else { panic!("{shown:?}") };
    assert_eq!((ended.id, statuses(ended)), (id, vec![StatusIndicator::Loading]));
    out.clear();

    bridge.end_tool(id, place, &mut out);
    assert_eq!(out, []);
    assert_eq!(statuses(&bridge.calls_item().unwrap()), [StatusIndicator::Complete]);
    bridge.end_tools(&mut out);

    let [ThreadEvent::ItemReplaced { item }] = &out[..] else { panic!("{out:?}") };
    assert_eq!((item.id, statuses(item)), (id, vec![StatusIndicator::Complete]));
}

#[test]
fn hidden_items_and_calls_of_the_page_end_no_workflow() {
    let hidden = ItemKind::HiddenContextItem { content: json!("x") };
    for kind in [hidden, client_call()] {
        let mut bridge = bridge();
        show(&mut bridge, Shown::AddTask { name: ShownTask::new(), task: task("a") });

        let event = ThreadEvent::ItemDone { item: Box::new(item(kind)) };

        assert_eq!(show(&mut bridge, Shown::Event(Box::new(event.clone()))), [event]);
    }
}

#[test]
fn a_task_has_its_name_in_its_own_workflow_only() {
    let mut bridge = bridge();
    let (first, second) = (ShownTask::new(), ShownTask::new());
    show(&mut bridge, Shown::AddTask { name: first, task: task("a") });
    show(&mut bridge, Shown::EndWorkflow { summary: None, expanded: false });
    show(&mut bridge, Shown::AddTask { name: second, task: task("b") });

    let late = show(&mut bridge, Shown::UpdateTask { name: first, task: task("c") });
    let update = show(&mut bridge, Shown::UpdateTask { name: second, task: task("c") });

    assert_eq!(late, []);
    assert_eq!(update.len(), 1);
}

#[test]
fn a_workflow_that_is_left_open_is_gone_on_with_where_nothing_else_has_come() {
    let open = || workflow(vec![task("a")], None);
    let ended = workflow(vec![task("a")], Some(WorkflowSummary::Duration { duration: 1 }));
    let cases = [
        (vec![open()], true),
        (vec![open(), client_call()], true),
        (vec![ended], false),
        (vec![open(), ItemKind::EndOfTurn {}], false),
        (vec![open(), client_call(), ItemKind::EndOfTurn {}], false),
        (vec![client_call()], false),
        (vec![], false),
    ];
    for (kinds, expected) in cases {
        let mut bridge = bridge();
        let history = history(kinds);
        bridge.resume(&history);

        let begun = feed(&mut bridge, ModelEvent::ReasoningStarted { index: 0 });

        assert_eq!(begun.is_empty(), expected, "{history:?}");
    }
}

#[test]
fn a_pause_keeps_a_workflow_with_tasks_and_ends_an_empty_one() {
    let mut with_tasks = bridge();
    show(&mut with_tasks, Shown::AddTask { name: ShownTask::new(), task: task("a") });
    let mut empty = bridge();
    feed(&mut empty, ModelEvent::ReasoningStarted { index: 0 });
    let mut resumed = bridge();
    resumed.resume(&history(vec![workflow(vec![task("a")], None)]));

    let pause = |bridge: &mut Bridge| {
        let mut out = Vec::new();
        bridge.pause(&mut out);
        out
    };

    let kept = pause(&mut with_tasks);
    assert!(matches!(&kept[..], [AgentEvent::ToolCalls { calls, .. }] if calls.is_empty()));
    let ended = pause(&mut empty);
    assert!(matches!(ended[..], [AgentEvent::Thread(ThreadEvent::ItemDone { .. })]));
    let kept = pause(&mut resumed);
    assert!(matches!(kept[..], [AgentEvent::Thread(ThreadEvent::ItemReplaced { .. })]));
}

#[test]
fn an_image_is_held_back_until_the_model_says_something_else() {
    let mut bridge = bridge();
    feed(&mut bridge, ModelEvent::ImageStarted { index: 0 });
    let image = Some(GeneratedImage { id: "i".to_owned(), url: "data:".to_owned() });

    let done = feed(&mut bridge, ModelEvent::ImageDone { index: 0, image, item: None });
    let finished = ModelEvent::Finished { reason: FinishReason::Complete, usage: None };
    let after = feed(&mut bridge, finished);

    assert_eq!(done, []);
    assert!(matches!(after[..], [ThreadEvent::ItemDone { .. }]), "{after:?}");
}
