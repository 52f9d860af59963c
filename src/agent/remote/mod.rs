//! An agent in another process, in any language: it is sent the turn as one signed POST and answers
//! with ChatKit's events. The gateway does the rest: storage, login, resume, cancel, limits, and its
//! tools, where the agent asks for them: then it is sent what they gave as a further turn.
//!
//! No request is repeated: nobody knows what the agent has done. When the connection breaks, or the
//! answer ends in a way that may be a break, the run fails and what was said is kept.
//!
//! | file | does |
//! |---|---|
//! | `request` | what the agent is sent |
//! | `answer` | what its events mean here: its identifiers become the gateway's |
//! | `so_far` | what has happened, for its further turns |

mod answer;
#[cfg(any(test, fuzzing))]
mod property;
mod request;
mod so_far;

use std::{sync::Arc, time::Duration};

use async_stream::try_stream;
use async_trait::async_trait;
use futures_util::StreamExt as _;
use tracing::{Instrument as _, Span, field::Empty, info_span};

use crate::{
    protocol::{Timestamp, item::InferenceOptions},
    store::record::{History, ToolCallState},
    telemetry::SPANS,
    tools::{
        LiveTools, ToolRegistry,
        registry::{DEFAULT_TIMEOUT, is_meant},
    },
    upstream::{FunctionCall, agent_service::AgentService},
};

#[cfg(any(test, fuzzing))]
pub(crate) use self::property::remote_agent;
use self::{
    answer::{Answer, Said},
    request::{Kind, Request},
};
use super::{
    Agent, AgentError, AgentEvent, AgentStream, Choices, NotOffered, Turn, WidgetAction,
    bridge::{Bridge, ItemIds},
    client_calls::WantedCalls,
    gateway_calls::GatewayCalls,
    waiting_calls,
};

/// How many items of the thread the agent is sent.
const HISTORY_ITEMS: usize = 200;

/// How often an agent may be asked in one run.
const MAX_TURNS: u32 = 16;

/// An agent in another process.
#[derive(Clone)]
pub struct RemoteAgent {
    service: AgentService,
    /// How long the agent is told that it has.
    run_timeout: Duration,
    /// What users may choose; without it the agent looks at that itself.
    choices: Option<Choices>,
    /// The gateway's tools that it may use.
    tools: Option<OfferedTools>,
}

/// Tools of the gateway for an agent.
#[derive(Clone)]
struct OfferedTools {
    all: LiveTools,
    /// Names, or beginnings of names with a `*` behind them.
    names: Arc<[String]>,
}

impl RemoteAgent {
    /// The agent of this service. Runs are stopped after `run_timeout`, which it is told.
    pub fn new(service: AgentService, run_timeout: Duration) -> Self {
        Self { service, run_timeout, choices: None, tools: None }
    }

    /// Takes only messages with these choices of models and tools; the agent is sent the
    /// identifiers as the page gave them.
    #[must_use]
    pub fn with_choices(self, choices: Choices) -> Self {
        Self { choices: Some(choices), ..self }
    }

    /// Lets the agent use those of these tools that have such a name, or a name that begins as one
    /// that ends with a `*`.
    #[must_use]
    pub fn with_tools(self, all: LiveTools, names: Vec<String>) -> Self {
        Self { tools: Some(OfferedTools { all, names: names.into() }), ..self }
    }

    /// The tools there are now.
    fn tools(&self) -> ToolRegistry {
        let Some(OfferedTools { all, names }) = &self.tools else { return ToolRegistry::default() };
        all.borrow().only(|tool| names.iter().any(|name| is_meant(name, tool)))
    }

    fn ask(&self, turn: Turn, action: Option<WidgetAction>) -> AgentStream<'_> {
        Box::pin(try_stream! {
            let mut history = turn.history.recent(HISTORY_ITEMS).await?;
            let mut answer = Answer::new(&turn, &history);
            let mut calls = self.calls(&turn);
            for await event in calls.make_approved(&mut history) {
                yield event;
            }
            if self.tools.is_some() {
                let asked = calls.ask_questions();
                if asked.is_some() || is_undecided(&turn, &history) {
                    for event in asked.unwrap_or_else(|| calls.finish()) {
                        yield event.into();
                    }
                    return;
                }
                calls.number = waiting_calls::next_turn(&turn, &history);
            }
            while calls.number < MAX_TURNS {
                calls.bridge.begin_turn(calls.number);
                calls.tools = self.tools();
                let request = self.request(&turn, &calls, &history, action.as_ref());
                let mut events = self.service.ask(&request, &turn.run_id.to_string());
                drop(request);
                if self.tools.is_none() {
                    // There is no further turn: an answer may take long, and its history much room.
                    history = History::default();
                }
                let mut wanted = Vec::new();
                let span = span(&turn.span);
                // The request is sent meanwhile, and what is learnt of its answer is noted.
                let mut next = events.next().instrument(span.clone()).await;
                while let Some(data) = next {
                    let data = data.inspect_err(|error| {
                        span.record("otel.status_code", "ERROR");
                        span.record("error.type", error.code());
                    })?;
                    match answer.read(&data)? {
                        Said::Event(event) => {
                            let event = AgentEvent::from(*event);
                            self.remember(&mut history, &event, &turn);
                            yield event;
                        }
                        Said::Thread(thread) => answer::change_thread(&turn.thread, *thread),
                        Said::Calls(calls) => wanted.extend(self.wanted(calls)?),
                        Said::Usage(usage) => yield AgentEvent::Usage(usage),
                        Said::Nothing => {}
                    }
                    next = events.next().await;
                }
                drop((events, span));
                answer.end()?;
                if wanted.is_empty() {
                    return;
                }
                let wanted = WantedCalls::sort(wanted, &[], &calls.tools);
                if !wanted.server.is_empty() {
                    for await event in calls.make(&wanted.server) {
                        self.remember(&mut history, &event, &turn);
                        yield event;
                    }
                }
                if let Some(events) = calls.ask_others(wanted) {
                    for event in events {
                        yield event;
                    }
                    return;
                }
                // Done before the agent is asked again: the official bridge takes an open workflow
                // for its own.
                for event in calls.finish() {
                    let event = event.into();
                    self.remember(&mut history, &event, &turn);
                    yield event;
                }
                answer.learn(&history);
                calls.number += 1;
            }
            Err(AgentError::Custom {
                message: "The assistant asked for tools too many times and was stopped.".to_owned(),
                allow_retry: true,
            })?;
        })
    }

    fn calls(&self, turn: &Turn) -> GatewayCalls {
        let bridge = Bridge::new(turn.thread_id(), Arc::new(Timestamp::now))
            .with_ids(ItemIds::of(turn.run_id));
        GatewayCalls::new(turn.clone(), bridge, self.tools(), DEFAULT_TIMEOUT)
    }

    fn request<'a>(
        &self,
        turn: &'a Turn,
        calls: &'a GatewayCalls,
        history: &'a History,
        action: Option<&'a WidgetAction>,
    ) -> Request<'a> {
        Request {
            version: request::VERSION,
            kind: if action.is_some() { Kind::Action } else { Kind::Respond },
            run_id: turn.run_id,
            turn: calls.number,
            user_id: &turn.user_id,
            claims: &turn.claims,
            thread: turn.thread.get().into(),
            items: history.items.iter().map(|record| &record.item).collect(),
            input: turn.input.as_ref(),
            action: action.map(request::action),
            options: &turn.options,
            tools: calls.tools.iter().map(|tool| request::tool(tool.spec())).collect(),
            tool_calls: history.tool_calls.iter().map(request::tool_call).collect(),
            deadline: Timestamp::now().plus(self.run_timeout),
        }
    }

    /// Keeps what happens for the next turn, where there may be one.
    fn remember(&self, history: &mut History, event: &AgentEvent, turn: &Turn) {
        if self.tools.is_some() {
            so_far::take(history, event, turn.run_id);
        }
    }

    fn wanted(&self, calls: Vec<FunctionCall>) -> Result<Vec<FunctionCall>, AgentError> {
        if self.tools.is_none() {
            return Err(unusable("it calls tools, and gateway.toml gives it none: agent.tools"));
        }
        Ok(calls)
    }
}

#[async_trait]
impl Agent for RemoteAgent {
    fn check_options(&self, options: &InferenceOptions) -> Result<(), NotOffered> {
        let choices = self.choices.as_ref();
        // It has no model of which the gateway knows.
        choices.map_or(Ok(()), |choices| choices.check(options, ""))
    }

    fn respond(&self, turn: Turn) -> AgentStream<'_> {
        self.ask(turn, None)
    }

    fn action(&self, turn: Turn, action: WidgetAction) -> AgentStream<'_> {
        self.ask(turn, Some(action))
    }
}

/// The call's span for a collector.
fn span(run: &Span) -> Span {
    info_span!(
        target: SPANS,
        parent: run,
        "invoke_agent",
        otel.kind = "client",
        otel.status_code = Empty,
        gen_ai.operation.name = "invoke_agent",
        server.address = Empty,
        http.response.status_code = Empty,
        upstream.request_id = Empty,
        error.type = Empty,
    )
}

/// Whether the user has still to decide about a call, and has not gone on to something else.
fn is_undecided(turn: &Turn, history: &History) -> bool {
    turn.input.is_some()
        && history.tool_calls.iter().any(|call| call.state == ToolCallState::Waiting)
}

/// What the agent said cannot be used. It is for whoever runs the agent, in the log.
fn unusable(problem: &str) -> AgentError {
    tracing::warn!(problem, "the remote agent said something that cannot be used");
    AgentError::Stream { allow_retry: true }
}
