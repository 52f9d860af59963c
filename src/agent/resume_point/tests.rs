//! A turn whose process dies while a tool runs, and which another one goes on with.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    agent::{
        Agent, AgentEvent, HistorySource, ModelAgent, ThreadHandle, Turn, history::UNKNOWN_OUTCOME,
        model_agent::ModelAgentConfig,
    },
    protocol::{
        Claims, ItemId, ItemKind, RunId, ThreadEvent, ThreadId, ThreadItem, ThreadStatus,
        Timestamp, UserId,
        item::{InferenceOptions, UserMessage},
    },
    store::{
        StoreError,
        record::{History, ItemRecord, ItemStatus, ThreadRecord, ToolCallRecord, ToolCallState},
    },
    tools::{Tool, ToolContext, ToolOutput, ToolRegistry, ToolSpec},
    upstream::{
        FinishReason, FunctionCall, InputItem, Model, ModelEvent, ModelRequest, ModelStream,
    },
};

/// A model that says the same whenever its answer is read.
#[derive(Default)]
struct Kept {
    answers: Mutex<VecDeque<Vec<ModelEvent>>>,
    asked: Mutex<Vec<Vec<InputItem>>>,
    read_again: Mutex<Vec<String>>,
}

fn played(events: Vec<ModelEvent>) -> ModelStream {
    Box::pin(stream::iter(events.into_iter().map(Ok)))
}

impl Model for Kept {
    fn stream(&self, request: ModelRequest) -> ModelStream {
        self.asked.lock().unwrap().push(request.input);
        played(self.answers.lock().unwrap().pop_front().unwrap())
    }

    fn reread(&self, response_id: &str, _: CancellationToken) -> Option<ModelStream> {
        self.read_again.lock().unwrap().push(response_id.to_owned());
        Some(played(wants_a_call().split_off(1)))
    }
}

fn wants_a_call() -> Vec<ModelEvent> {
    let call = FunctionCall {
        call_id: "call_a".to_owned(),
        name: "act".to_owned(),
        arguments: "{}".to_owned(),
    };
    vec![
        ModelEvent::Begun { response_id: "resp_1".to_owned() },
        ModelEvent::FunctionCall { index: 0, call },
        ModelEvent::Finished { reason: FinishReason::Complete, usage: None },
    ]
}

fn is_content() -> Vec<ModelEvent> {
    vec![
        ModelEvent::Begun { response_id: "resp_2".to_owned() },
        ModelEvent::MessageStarted { index: 0 },
        ModelEvent::TextDelta { index: 0, part: 0, delta: "Done.".to_owned() },
        ModelEvent::Finished { reason: FinishReason::Complete, usage: None },
    ]
}

/// A tool that notes how often it was called.
struct Act {
    spec: ToolSpec,
    calls: Mutex<u32>,
}

impl Act {
    fn new(read_only: bool) -> Arc<Self> {
        let spec = ToolSpec {
            name: "act".to_owned(),
            title: "Act".to_owned(),
            description: String::new(),
            parameters: json!({ "type": "object" }),
            read_only,
            destructive: false,
            idempotent: false,
        };
        Arc::new(Self { spec, calls: Mutex::new(0) })
    }
}

#[async_trait]
impl Tool for Act {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, _: &ToolContext, _: Map<String, Value>) -> ToolOutput {
        *self.calls.lock().unwrap() += 1;
        ToolOutput::json(&"acted")
    }
}

/// What is stored of a thread.
struct Stored(History);

#[async_trait]
impl HistorySource for Stored {
    async fn recent(&self, _: usize) -> Result<History, StoreError> {
        Ok(self.0.clone())
    }
}

fn agent(model: &Arc<Kept>, tool: &Arc<Act>) -> ModelAgent {
    let tools = ToolRegistry::new(vec![tool.clone()]).unwrap();
    ModelAgent::new(model.clone(), tools, ModelAgentConfig::default())
}

fn turn(run_id: RunId, history: &History) -> Turn {
    let (user_id, now) = (UserId::parse("alice").unwrap(), Timestamp::from_seconds(0));
    let thread = ThreadRecord {
        id: ThreadId::UNKNOWN,
        user_id: user_id.clone(),
        title: None,
        status: ThreadStatus::default(),
        allowed_image_domains: None,
        metadata: Map::new(),
        created_at: now,
        updated_at: now,
        archived_at: None,
        message_count: 1,
        active_run_id: Some(run_id),
    };
    Turn {
        run_id,
        user_id,
        claims: Claims::default(),
        thread: ThreadHandle::new(thread),
        input: None,
        options: InferenceOptions::default(),
        history: Arc::new(Stored(history.clone())),
        cancel: CancellationToken::new(),
        span: tracing::Span::none(),
    }
}

fn question(run_id: RunId) -> History {
    let item = ThreadItem {
        id: ItemId::new(),
        thread_id: ThreadId::UNKNOWN,
        created_at: Timestamp::from_seconds(0),
        kind: ItemKind::UserMessage(UserMessage::from_text("Act!")),
    };
    let record = ItemRecord { item, status: ItemStatus::Complete, run_id: Some(run_id) };
    History { items: vec![record], tool_calls: Vec::new() }
}

/// What the first process leaves when it dies as soon as its calls are stored: its newest point to
/// go on from, and the calls. `history` is what is stored then.
async fn die_at_the_call(
    agent: &ModelAgent,
    run_id: RunId,
    history: &mut History,
) -> (String, Vec<ThreadEvent>) {
    let mut events = agent.respond(turn(run_id, history));
    let (mut point, mut shown) = (None, Vec::new());
    loop {
        match events.next().await.unwrap().unwrap() {
            AgentEvent::ResumePoint(state) => point = Some(state),
            AgentEvent::Thread(event) => shown.push(event),
            AgentEvent::Usage(_) | AgentEvent::Asking { .. } => {}
            AgentEvent::ToolCalls { calls, workflow } => {
                let status = ItemStatus::Streaming;
                history.items.push(ItemRecord { item: *workflow, status, run_id: Some(run_id) });
                history.tool_calls = calls;
                return (point.unwrap(), shown);
            }
        }
    }
}

async fn go_on(
    agent: &ModelAgent,
    run_id: RunId,
    history: &History,
    point: &str,
) -> (Vec<ThreadEvent>, Vec<ToolCallRecord>) {
    let mut events = agent.resume(turn(run_id, history), point).unwrap();
    let (mut shown, mut calls) = (Vec::new(), Vec::new());
    while let Some(event) = events.next().await {
        match event.unwrap() {
            AgentEvent::Thread(event) => shown.push(event),
            AgentEvent::ToolCalls { calls: now, .. } => calls = now,
            AgentEvent::ResumePoint(_) | AgentEvent::Usage(_) | AgentEvent::Asking { .. } => {}
        }
    }
    (shown, calls)
}

fn output_of(input: &[InputItem]) -> (usize, &str) {
    let mut outputs = input.iter().filter_map(|item| match item {
        InputItem::FunctionCallOutput { output, .. } => Some(output.as_str()),
        _ => None,
    });
    (input.len(), outputs.next().unwrap())
}

/// The case: how far the call had come, whether its tool only reads, and what comes of that.
async fn resumed(before: Option<&str>, read_only: bool) -> (u32, ToolCallState, Vec<InputItem>) {
    let (model, tool) = (Arc::new(Kept::default()), Act::new(read_only));
    model.answers.lock().unwrap().extend([wants_a_call(), is_content()]);
    let (agent, run_id) = (agent(&model, &tool), RunId::new());
    let mut history = question(run_id);
    let (point, shown) = die_at_the_call(&agent, run_id, &mut history).await;
    if let Some(output) = before {
        history.tool_calls[0].state = ToolCallState::Completed;
        history.tool_calls[0].output = Some(output.to_owned());
    }

    let (again, calls) = go_on(&agent, run_id, &history, &point).await;

    let begins = |events: &[ThreadEvent]| {
        events.iter().find_map(|event| match event {
            ThreadEvent::ItemAdded { item } => Some(item.id),
            _ => None,
        })
    };
    assert_eq!(begins(&again), begins(&shown), "the same item is begun again");
    assert_eq!(*model.read_again.lock().unwrap(), ["resp_1"]);
    let asked = model.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 2, "nothing is asked twice");
    let done = again.iter().any(|event| matches!(event, ThreadEvent::ItemDone { .. }));
    assert!(done, "{again:?}");
    let made = *tool.calls.lock().unwrap();
    (made, calls[0].state, asked[1].clone())
}

#[tokio::test]
async fn a_call_of_unknown_outcome_is_not_made_again() {
    let (made, state, input) = resumed(None, false).await;

    assert_eq!((made, state), (0, ToolCallState::Started));
    assert_eq!(output_of(&input), (3, UNKNOWN_OUTCOME));
}

#[tokio::test]
async fn a_call_that_can_do_no_harm_is_made_again() {
    let (made, state, input) = resumed(None, true).await;

    assert_eq!((made, state), (1, ToolCallState::Completed));
    assert_eq!(output_of(&input), (3, "\"acted\""));
}

#[tokio::test]
async fn what_a_call_gave_before_is_what_the_model_is_told() {
    for read_only in [true, false] {
        let (made, state, input) = resumed(Some("before"), read_only).await;

        assert_eq!((made, state), (0, ToolCallState::Completed));
        assert_eq!(output_of(&input), (3, "before"));
    }
}

#[tokio::test]
async fn a_point_of_another_version_is_none_to_go_on_from() {
    let (model, tool) = (Arc::new(Kept::default()), Act::new(true));
    let run_id = RunId::new();

    let resumed =
        agent(&model, &tool).resume(turn(run_id, &question(run_id)), "{\"v\":2}").is_some();

    assert!(!resumed);
}
