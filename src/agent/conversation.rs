//! The talk of one run with the model: its input as it grows, and what came of the last question.

use std::{borrow::BorrowMut, collections::HashSet, sync::Arc};

use async_stream::{stream, try_stream};
use futures_util::{Stream, StreamExt, stream::BoxStream};

use crate::{
    protocol::{ItemId, ThreadEvent, ThreadItem, Timestamp},
    store::record::{History, ToolCallRecord},
    tools::ToolRegistry,
    upstream::{
        FinishReason, FunctionCall, InputItem, ModelEvent, ModelRequest, ModelStream, UpstreamError,
    },
};

use super::{
    AgentError, AgentEvent, ModelAgent, Turn,
    asked::Asked,
    bridge::{Bridge, ItemIds},
    client_calls::{self, ClientCall, WantedCalls},
    resume_point::{self, ResumePoint},
    running_calls::{self, Happened},
    tool_turn::{MAX_IMAGE_BYTES, ToolTurn, shown_images},
    waiting_calls,
};

/// The talk of one run with the model.
pub(super) struct Conversation<'a> {
    agent: &'a ModelAgent,
    turn: Turn,
    bridge: Bridge,
    /// The number of the model turn, from 0.
    number: u32,
    /// The tools there were when the turn began.
    tools: ToolRegistry,
    input: Vec<InputItem>,
    /// What was said before, until the model is told.
    history: Option<History>,
    calls: Vec<FunctionCall>,
    calls_made: u32,
    /// What one event of the model gives, while it is taken: empty in between.
    shown: Vec<ThreadEvent>,
    /// How much of tools' images the model may still be shown, in bytes.
    image_room: usize,
    /// What another process left, until the answer that it read is read again.
    resumed: Option<Resumed>,
    /// Calls that another process began, until they are made or taken as they are.
    begun_calls: Vec<ToolCallRecord>,
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
        conversation.bridge.resume(&history);
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
        conversation.bridge.restore_workflow(point.workflow);
        conversation.number = point.turn;
        conversation.calls_made = point.calls_made;
        let (answer, made) = (Some(answer), HashSet::new());
        conversation.resumed = Some(Resumed { answer, history, made });
        Ok(conversation)
    }

    fn new(agent: &'a ModelAgent, turn: Turn) -> Self {
        let bridge = Bridge::new(turn.thread_id(), Arc::new(Timestamp::now))
            .with_partial_images(agent.partial_images())
            .with_ids(ItemIds::of(turn.run_id));
        Self {
            agent,
            tools: agent.tools(&turn.options),
            turn,
            bridge,
            number: 0,
            input: Vec::new(),
            history: None,
            calls: Vec::new(),
            calls_made: 0,
            shown: Vec::new(),
            image_room: MAX_IMAGE_BYTES,
            resumed: None,
            begun_calls: Vec::new(),
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
                for await event in this.make_approved(&mut history) {
                    yield event;
                }
                let asked = this.ask_questions();
                if asked.is_some() || waiting_calls::is_undecided(&history) {
                    for event in asked.unwrap_or_else(|| this.finish()) {
                        yield event.into();
                    }
                    return;
                }
                this.number = this.number.max(waiting_calls::next_turn(&this.turn, &history));
                let said = std::mem::replace(&mut this.input, this.agent.input(&history));
                this.input.extend(said);
            }
            while this.number < this.agent.config.max_turns {
                this.bridge.begin_turn(this.number);
                this.tools = this.agent.tools(&this.turn.options);
                // Not a stream of its own: all that is said goes through here, delta by delta.
                let (mut answer, asked) = this.ask()?;
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
                    for event in this.finish() {
                        yield event.into();
                    }
                    return;
                };
                if !calls.server.is_empty() {
                    for await event in this.make_calls(&calls.server) {
                        yield event;
                    }
                }
                if let Some(events) = this.ask_others(calls) {
                    for event in events {
                        yield event;
                    }
                    return;
                }
                this.number += 1;
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
            self.bridge.answer_action_of(sender);
            self.input.push(InputItem::FunctionCall {
                call_id: call.call_id.clone(),
                name: call.name.clone(),
                arguments: call.arguments.clone(),
            });
            let calls = WantedCalls::sort(vec![call], &[], &self.tools);
            if !calls.server.is_empty() {
                for await event in self.make_calls(&calls.server) {
                    yield event;
                }
            }
            if let Some(events) = self.ask_others(calls) {
                for event in events {
                    yield event;
                }
                return;
            }
            if self.bridge.responds() {
                self.number += 1;
                for await event in Self::hold(std::future::ready(Ok(&mut *self))) {
                    yield event?;
                }
            } else {
                for event in self.finish() {
                    yield event.into();
                }
            }
        }
    }

    /// Asks the model once, or reads again what it was asked before.
    fn ask(&mut self) -> Result<(ModelStream, Asked), AgentError> {
        let asked = Asked::of(&self.turn.span, self.agent.model_of(&self.turn));
        let answer = match self.resumed.as_mut().and_then(|resumed| resumed.answer.take()) {
            Some(begun) => begun,
            None => self.agent.model.stream(self.request()?),
        };
        Ok((answer, asked))
    }

    fn request(&self) -> Result<ModelRequest, AgentError> {
        self.agent.request(&self.turn, self.number, &self.input, &self.tools)
    }

    /// What another process needs to go on from the beginning of this answer.
    fn resume_point(&self, response_id: String) -> AgentEvent {
        let point = ResumePoint {
            response_id,
            turn: self.number,
            calls_made: self.calls_made,
            options: self.turn.options.clone(),
            workflow: self.bridge.open_workflow_now().cloned(),
        };
        let point = serde_json::to_string(&point).expect("it is plain data with string keys");
        AgentEvent::ResumePoint(point)
    }

    /// An answer was read again: what was said before it can be told now from what it said itself.
    fn rewind(&mut self) {
        let Some(Resumed { mut history, made, .. }) = self.resumed.take() else { return };
        self.begun_calls = resume_point::rewind(&mut history, self.turn.run_id, self.number, &made);
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
                self.bridge.feed(event, &mut self.shown);
                Ok(())
            }
            Err(error) => {
                self.shown.extend(self.bridge.flush());
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
                self.calls.push(call.clone());
            }
            // Calls of an answer that was cut short are void.
            ModelEvent::Finished {
                reason: FinishReason::Length | FinishReason::ContentFilter,
                ..
            } => self.calls.clear(),
            _ => {}
        }
    }

    /// The calls that the last answer wants made; none when it was the end.
    fn wanted_calls(&mut self) -> Option<WantedCalls> {
        let calls = std::mem::take(&mut self.calls);
        let client_tools = || self.agent.client_tools(&self.turn.options);
        (!calls.is_empty()).then(|| WantedCalls::sort(calls, &client_tools(), &self.tools))
    }

    /// Asks whoever has to be asked before the model can go on: the user about calls or, for a tool,
    /// something; the page. That ends the run.
    fn ask_others(&mut self, calls: WantedCalls) -> Option<Vec<AgentEvent>> {
        if !calls.waiting.is_empty() {
            let mut events = self.ask_user(calls);
            let questions = self.ask_questions().unwrap_or_default();
            events.extend(questions.into_iter().map(AgentEvent::from));
            return Some(events);
        }
        if !calls.client.is_empty() {
            let questions = self.ask_questions().unwrap_or_default();
            let mut events: Vec<_> = questions.into_iter().map(AgentEvent::from).collect();
            events.extend(self.ask_client(calls.client));
            return Some(events);
        }
        Some(self.ask_questions()?.into_iter().map(AgentEvent::from).collect())
    }

    /// Asks the user what tools want to know, if they do.
    fn ask_questions(&mut self) -> Option<Vec<ThreadEvent>> {
        let questions = self.bridge.take_questions()?;
        let mut out = self.finish();
        out.extend(questions);
        Some(out)
    }

    /// Asks the page for the calls of its tools that the model turn wants. That ends the run:
    /// the page's answer begins another.
    fn ask_client(&mut self, calls: Vec<ClientCall>) -> Vec<AgentEvent> {
        let mut out = Vec::new();
        self.bridge.pause(&mut out);
        let at = (self.number, self.calls_made);
        client_calls::ask(&self.turn, &mut self.bridge, at, calls, &mut out);
        out
    }

    /// Asks the user about the calls of the model turn that need it. That ends the run, too.
    fn ask_user(&mut self, calls: WantedCalls) -> Vec<AgentEvent> {
        let mut out: Vec<AgentEvent> = self.finish().into_iter().map(AgentEvent::from).collect();
        let at = (self.number, self.calls_made);
        let (turn, tools, bridge) = (&self.turn, &self.tools, &mut self.bridge);
        out.extend(waiting_calls::ask(turn, tools, bridge, at, calls.waiting, calls.client));
        out
    }

    /// Makes the call that the user has just agreed to, if the run begins with that.
    fn make_approved<'s>(
        &'s mut self,
        history: &'s mut History,
    ) -> impl Stream<Item = AgentEvent> + Send + use<'s, 'a> {
        stream! {
            let Some((mut item, mut call)) = waiting_calls::approved(&self.turn, history) else {
                return;
            };
            let title = self.tools.find(&call.name).map(|tool| tool.spec().title.clone());
            let text = title.unwrap_or_else(|| call.name.clone());
            yield ThreadEvent::ProgressUpdate { icon: None, text }.into();
            let mut events = Vec::new();
            let mut running = self.run_calls([(0, &call)]);
            while let Some(happened) = running.next().await {
                match happened {
                    Happened::Shown(shown) => self.bridge.show(shown, &mut events),
                    Happened::Ended(_, output) => {
                        waiting_calls::end(&mut item, &mut call, &output);
                        let images = [(call.name.as_str(), output.images.as_slice())];
                        self.input.extend(shown_images(images, &mut self.image_room));
                    }
                }
                for event in events.drain(..) {
                    yield event.into();
                }
            }
            let (calls, item) = (vec![call.clone()], Box::new(item));
            yield AgentEvent::ToolCalls { calls, workflow: item.clone() };
            yield ThreadEvent::ItemReplaced { item }.into();
            let made = |known: &&mut ToolCallRecord| {
                (known.run_id, known.position) == (call.run_id, call.position)
            };
            if let Some(known) = history.tool_calls.iter_mut().find(made) {
                *known = call;
            }
        }
    }

    /// What is left to be shown at the end.
    fn finish(&mut self) -> Vec<ThreadEvent> {
        let mut out = Vec::new();
        self.bridge.finish(&mut out);
        out
    }

    /// Makes the calls of the model turn, all at the same time: each is kept before it begins and
    /// after it has ended. One that another process began is made again only if its tool allows
    /// that.
    fn make_calls(&mut self, calls: &[FunctionCall]) -> impl Stream<Item = AgentEvent> + Send {
        stream! {
            let mut events = Vec::new();
            let mut tools = self.begin_calls(calls, &mut events);
            tools.take_begun(std::mem::take(&mut self.begun_calls), &self.tools);
            for event in events.drain(..) {
                yield event.into();
            }
            yield self.tool_calls(&tools);
            yield tools.progress().into();
            for call in tools.settled() {
                tools.show_end(call, &mut self.bridge, &mut events);
            }
            for event in events.drain(..) {
                yield event.into();
            }
            let mut running = self.run_calls(tools.to_make());
            while let Some(happened) = running.next().await {
                match happened {
                    Happened::Shown(shown) => self.bridge.show(shown, &mut events),
                    Happened::Ended(call, output) => {
                        tools.end(call, output, &mut self.bridge, &mut events);
                    }
                }
                for event in events.drain(..) {
                    yield event.into();
                }
            }
            yield self.tool_calls(&tools);
            self.input.extend(tools.outputs());
            self.input.extend(tools.images(&mut self.image_room));
            self.bridge.end_tools(&mut events);
            for event in events.drain(..) {
                yield event.into();
            }
        }
    }

    fn begin_calls(&mut self, calls: &[FunctionCall], events: &mut Vec<ThreadEvent>) -> ToolTurn {
        let first_position = self.calls_made;
        self.calls_made += u32::try_from(calls.len()).unwrap_or(u32::MAX);
        ToolTurn::begin(
            &self.turn,
            &self.tools,
            self.number,
            first_position,
            calls,
            &mut self.bridge,
            events,
        )
    }

    fn tool_calls(&self, tools: &ToolTurn) -> AgentEvent {
        let workflow = self.bridge.calls_item().expect("starting a tool opened the workflow");
        AgentEvent::ToolCalls { calls: tools.records.clone(), workflow: Box::new(workflow) }
    }

    /// Makes calls, each with its number.
    fn run_calls<'c>(
        &self,
        calls: impl IntoIterator<Item = (usize, &'c ToolCallRecord)>,
    ) -> BoxStream<'static, Happened> {
        running_calls::run(&self.turn, &self.tools, self.agent.config.tool_timeout, calls)
    }
}

/// The item that begins with an event.
fn added(event: &ThreadEvent) -> Option<ItemId> {
    match event {
        ThreadEvent::ItemAdded { item } => Some(item.id),
        _ => None,
    }
}
