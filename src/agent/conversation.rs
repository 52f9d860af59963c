//! The talk of one run with the model: its input as it grows, and what came of the last question.

use std::{borrow::BorrowMut, collections::HashSet, sync::Arc};

use async_stream::try_stream;
use futures_util::{Stream, StreamExt};

use crate::{
    protocol::{ItemId, ThreadEvent, ThreadItem, Timestamp},
    store::record::History,
    upstream::{
        FinishReason, FunctionCall, InputItem, ModelEvent, ModelRequest, ModelStream, UpstreamError,
    },
};

use super::{
    AgentError, AgentEvent, ModelAgent, Turn,
    asked::Asked,
    bridge::{Bridge, ItemIds},
    client_calls::WantedCalls,
    gateway_calls::GatewayCalls,
    history,
    resume_point::{self, ResumePoint},
    waiting_calls,
};

/// The talk of one run with the model.
pub(super) struct Conversation<'a> {
    agent: &'a ModelAgent,
    /// What happens in the thread, and the calls of tools.
    calls: GatewayCalls,
    input: Vec<InputItem>,
    /// What was said before, until the model is told.
    history: Option<History>,
    /// The calls that the answer under way wants made.
    wanted: Vec<FunctionCall>,
    /// What one event of the model gives, while it is taken: empty in between.
    shown: Vec<ThreadEvent>,
    /// What another process left, until the answer that it read is read again.
    resumed: Option<Resumed>,
}

/// A model turn that another process died over.
struct Resumed {
    /// The turn's answer; taken to be read.
    answer: Option<ModelStream>,
    /// All that is stored, the turn's own part included.
    history: History,
    /// The items that the turn makes.
    made: HashSet<ItemId>,
}

impl<'a> Conversation<'a> {
    /// Reads what was said before.
    pub(super) async fn begin(agent: &'a ModelAgent, turn: Turn) -> Result<Self, AgentError> {
        let history = turn.history.recent(agent.config.history_items).await?;
        let mut conversation = Self::new(agent, turn);
        conversation.calls.bridge.resume(&history);
        conversation.history = Some(history);
        Ok(conversation)
    }

    /// Goes on where an answer began that is read again.
    pub(super) async fn resume(
        agent: &'a ModelAgent,
        turn: Turn,
        point: ResumePoint,
        answer: ModelStream,
    ) -> Result<Self, AgentError> {
        let history = turn.history.recent(agent.config.history_items).await?;
        let turn = Turn { options: point.options, ..turn };
        let mut conversation = Self::new(agent, turn);
        conversation.calls.bridge.restore_workflow(point.workflow);
        conversation.calls.number = point.turn;
        conversation.calls.calls_made = point.calls_made;
        let (answer, made) = (Some(answer), HashSet::new());
        conversation.resumed = Some(Resumed { answer, history, made });
        Ok(conversation)
    }

    fn new(agent: &'a ModelAgent, turn: Turn) -> Self {
        let bridge = Bridge::new(turn.thread_id(), Arc::new(Timestamp::now))
            .with_partial_images(agent.partial_images())
            .with_ids(ItemIds::of(turn.run_id));
        let tools = agent.tools(&turn.options);
        Self {
            agent,
            calls: GatewayCalls::new(turn, bridge, tools, agent.config.tool_timeout),
            input: Vec::new(),
            history: None,
            wanted: Vec::new(),
            shown: Vec::new(),
            resumed: None,
        }
    }

    /// Asks the model until it wants no more calls, or one that the page has to make or the user
    /// must be asked about. What the user has agreed to is done first.
    pub(super) fn hold<Owner: BorrowMut<Self> + Send>(
        begin: impl Future<Output = Result<Owner, AgentError>> + Send,
    ) -> impl Stream<Item = Result<AgentEvent, AgentError>> + Send {
        try_stream! {
            let mut owner = begin.await?;
            let this: &mut Self = owner.borrow_mut();
            if let Some(mut history) = this.history.take() {
                for await event in this.calls.make_approved(&mut history) {
                    yield event;
                }
                let asked = this.calls.ask_questions();
                if asked.is_some() || waiting_calls::is_undecided(&history) {
                    for event in asked.unwrap_or_else(|| this.calls.finish()) {
                        yield event.into();
                    }
                    return;
                }
                let next = waiting_calls::next_turn(&this.calls.turn, &history);
                this.calls.number = this.calls.number.max(next);
                let said = std::mem::replace(&mut this.input, this.agent.input(&history));
                this.input.extend(said);
            }
            while this.calls.number < this.agent.config.max_turns {
                this.calls.bridge.begin_turn(this.calls.number);
                this.calls.tools = this.agent.tools(&this.calls.turn.options);
                // Not a stream of its own: all that is said goes through here, delta by delta.
                let (mut answer, asked) = this.ask()?;
                yield AgentEvent::Asking { input_tokens: history::tokens(&this.input) };
                let mut first = asked.first(&mut answer).await;
                let mut asked = Some(asked);
                let mut events = Vec::new();
                loop {
                    let next = if first.is_some() { first.take() } else { answer.next().await };
                    let Some(event) = next else { break };
                    if let Ok(ModelEvent::Begun { response_id }) = event {
                        yield this.resume_point(response_id);
                        continue;
                    }
                    let is_last = matches!(event, Ok(ModelEvent::Finished { .. }));
                    if (is_last || event.is_err()) && let Some(asked) = asked.take() {
                        asked.ended(&event);
                    }
                    let ended = this.take(event, &mut events);
                    for event in events.drain(..) {
                        yield event;
                    }
                    ended?;
                    if is_last {
                        break;
                    }
                }
                drop(answer);
                this.rewind();
                let Some(calls) = this.wanted_calls() else {
                    for event in this.calls.finish() {
                        yield event.into();
                    }
                    return;
                };
                if !calls.server.is_empty() {
                    for await event in this.calls.make(&calls.server) {
                        yield event;
                    }
                }
                if let Some(events) = this.calls.ask_others(calls) {
                    for event in events {
                        yield event;
                    }
                    return;
                }
                this.calls.number += 1;
            }
            Err(AgentError::Custom {
                message: "The assistant asked for tools too many times and was stopped.".to_owned(),
                allow_retry: true,
            })?;
        }
    }

    /// Makes the call that an action of the sender asks for. What it shows is the answer, unless it
    /// wants the model to say something.
    pub(super) fn act(
        &mut self,
        call: FunctionCall,
        sender: Option<ThreadItem>,
    ) -> impl Stream<Item = Result<AgentEvent, AgentError>> + Send {
        try_stream! {
            self.calls.bridge.answer_action_of(sender);
            self.input.push(InputItem::FunctionCall {
                call_id: call.call_id.clone(),
                name: call.name.clone(),
                arguments: call.arguments.clone(),
            });
            let calls = WantedCalls::sort(vec![call], &[], &self.calls.tools);
            if !calls.server.is_empty() {
                for await event in self.calls.make(&calls.server) {
                    yield event;
                }
            }
            if let Some(events) = self.calls.ask_others(calls) {
                for event in events {
                    yield event;
                }
                return;
            }
            if self.calls.bridge.responds() {
                self.calls.number += 1;
                for await event in Self::hold(std::future::ready(Ok(&mut *self))) {
                    yield event?;
                }
            } else {
                for event in self.calls.finish() {
                    yield event.into();
                }
            }
        }
    }

    /// Asks the model once, or reads again what it was asked before.
    fn ask(&mut self) -> Result<(ModelStream, Asked), AgentError> {
        let model = self.agent.model_of(&self.calls.turn);
        let asked = Asked::of(&self.calls.turn.span, model);
        if let Some(begun) = self.resumed.as_mut().and_then(|resumed| resumed.answer.take()) {
            return Ok((begun, asked));
        }
        self.input.extend(self.calls.take_given());
        Ok((self.agent.model.stream(self.request()?), asked))
    }

    fn request(&self) -> Result<ModelRequest, AgentError> {
        self.agent.request(&self.calls.turn, self.calls.number, &self.input, &self.calls.tools)
    }

    /// What another process needs to go on from the beginning of this answer.
    fn resume_point(&self, response_id: String) -> AgentEvent {
        let point = ResumePoint {
            response_id,
            turn: self.calls.number,
            calls_made: self.calls.calls_made,
            options: self.calls.turn.options.clone(),
            workflow: self.calls.bridge.open_workflow_now().cloned(),
        };
        let point = serde_json::to_string(&point).expect("it is plain data with string keys");
        AgentEvent::ResumePoint(point)
    }

    /// An answer was read again: what was said before it can be told now from what it said itself.
    fn rewind(&mut self) {
        let Some(Resumed { mut history, made, .. }) = self.resumed.take() else { return };
        self.calls.begun =
            resume_point::rewind(&mut history, self.calls.turn.run_id, self.calls.number, &made);
        let said = std::mem::take(&mut self.input);
        self.input = self.agent.input(&history);
        self.input.extend(said);
    }

    /// Takes one event of the model. An error comes behind what was said before it.
    fn take(
        &mut self,
        event: Result<ModelEvent, UpstreamError>,
        out: &mut Vec<AgentEvent>,
    ) -> Result<(), AgentError> {
        let result = match event {
            Ok(event) => {
                if let ModelEvent::Finished { usage: Some(usage), .. } = &event {
                    out.push(AgentEvent::Usage(*usage));
                }
                self.remember(&event);
                self.calls.bridge.feed(event, &mut self.shown);
                Ok(())
            }
            Err(error) => {
                self.shown.extend(self.calls.bridge.flush());
                Err(error.into())
            }
        };
        if let Some(resumed) = &mut self.resumed {
            resumed.made.extend(self.shown.iter().filter_map(added));
        }
        out.extend(self.shown.drain(..).map(AgentEvent::from));
        result
    }

    /// Keeps what the model must see again in this run, and the calls that it wants made.
    fn remember(&mut self, event: &ModelEvent) {
        match event {
            ModelEvent::MessageDone { parts, phase, .. } => {
                let text = parts.iter().map(|part| part.text.as_str()).collect();
                self.input.push(InputItem::Assistant { text, phase: phase.clone() });
            }
            ModelEvent::ReasoningDone { item: Some(item), .. } => {
                self.input.push(InputItem::Reasoning(item.clone()));
            }
            ModelEvent::HostedCallDone { item: Some(item), .. }
            | ModelEvent::ImageDone { item: Some(item), .. }
            | ModelEvent::Context { item } => {
                self.input.push(InputItem::Hosted(item.clone()));
            }
            ModelEvent::FunctionCall { call, .. } => {
                self.input.push(InputItem::FunctionCall {
                    call_id: call.call_id.clone(),
                    name: call.name.clone(),
                    arguments: call.arguments.clone(),
                });
                self.wanted.push(call.clone());
            }
            // Calls of an answer that was cut short are void.
            ModelEvent::Finished {
                reason: FinishReason::Length | FinishReason::ContentFilter,
                ..
            } => self.wanted.clear(),
            _ => {}
        }
    }

    /// The calls that the last answer wants made; none when it was the end.
    fn wanted_calls(&mut self) -> Option<WantedCalls> {
        let calls = std::mem::take(&mut self.wanted);
        let client_tools = || self.agent.client_tools(&self.calls.turn.options);
        (!calls.is_empty()).then(|| WantedCalls::sort(calls, &client_tools(), &self.calls.tools))
    }
}

/// The item that begins with an event.
fn added(event: &ThreadEvent) -> Option<ItemId> {
    match event {
        ThreadEvent::ItemAdded { item } => Some(item.id),
        _ => None,
    }
}
