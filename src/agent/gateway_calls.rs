//! The calls of the gateway's tools in one run: kept, shown and made, or put before the user first.

use std::time::Duration;

use async_stream::stream;
use futures_util::{Stream, StreamExt as _, stream::BoxStream};

use crate::{
    protocol::ThreadEvent,
    store::record::{History, ToolCallRecord},
    tools::ToolRegistry,
    upstream::{FunctionCall, InputItem},
};

use super::{
    AgentEvent, Turn,
    bridge::Bridge,
    client_calls::{self, ClientCall, WantedCalls},
    running_calls::{self, Happened},
    tool_turn::{MAX_IMAGE_BYTES, ToolTurn, shown_images},
    waiting_calls,
};

/// The calls of one run.
pub(super) struct GatewayCalls {
    pub(super) turn: Turn,
    pub(super) bridge: Bridge,
    /// The tools there were when the turn began.
    pub(super) tools: ToolRegistry,
    /// How long a call may take of a tool that does not say so itself.
    timeout: Duration,
    /// The number of the model's or the agent's turn, from 0.
    pub(super) number: u32,
    pub(super) calls_made: u32,
    /// Calls that another process began, until they are made or taken as they are.
    pub(super) begun: Vec<ToolCallRecord>,
    /// How much of tools' images the model may still be shown, in bytes.
    image_room: usize,
    /// What calls gave that the model has not been told.
    given: Vec<InputItem>,
}

impl GatewayCalls {
    pub(super) fn new(turn: Turn, bridge: Bridge, tools: ToolRegistry, timeout: Duration) -> Self {
        Self {
            turn,
            bridge,
            tools,
            timeout,
            number: 0,
            calls_made: 0,
            begun: Vec::new(),
            image_room: MAX_IMAGE_BYTES,
            given: Vec::new(),
        }
    }

    /// What calls have given since this was asked last, for the model.
    pub(super) fn take_given(&mut self) -> Vec<InputItem> {
        std::mem::take(&mut self.given)
    }

    /// Makes the calls of the turn, all at the same time: each is kept before it begins and after
    /// it has ended. One that another process began is made again only if its tool allows that.
    pub(super) fn make(&mut self, calls: &[FunctionCall]) -> impl Stream<Item = AgentEvent> + Send {
        stream! {
            let mut events = Vec::new();
            let mut tools = self.begin(calls, &mut events);
            tools.take_begun(std::mem::take(&mut self.begun), &self.tools);
            for event in events.drain(..) {
                yield event.into();
            }
            yield self.kept(&tools);
            yield tools.progress().into();
            for call in tools.settled() {
                tools.show_end(call, &mut self.bridge, &mut events);
            }
            for event in events.drain(..) {
                yield event.into();
            }
            let mut running = self.run(tools.to_make());
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
            yield self.kept(&tools);
            self.given.extend(tools.outputs());
            self.given.extend(tools.images(&mut self.image_room));
            self.bridge.end_tools(&mut events);
            for event in events.drain(..) {
                yield event.into();
            }
        }
    }

    /// Makes the call that the user has just agreed to, if the run begins with that.
    pub(super) fn make_approved<'s>(
        &'s mut self,
        history: &'s mut History,
    ) -> impl Stream<Item = AgentEvent> + Send + use<'s> {
        stream! {
            let Some((mut item, mut call)) = waiting_calls::approved(&self.turn, history) else {
                return;
            };
            let title = self.tools.find(&call.name).map(|tool| tool.spec().title.clone());
            let text = title.unwrap_or_else(|| call.name.clone());
            yield ThreadEvent::ProgressUpdate { icon: None, text }.into();
            let mut events = Vec::new();
            let mut running = self.run([(0, &call)]);
            while let Some(happened) = running.next().await {
                match happened {
                    Happened::Shown(shown) => self.bridge.show(shown, &mut events),
                    Happened::Ended(_, output) => {
                        waiting_calls::end(&mut item, &mut call, &output);
                        let images = [(call.name.as_str(), output.images.as_slice())];
                        self.given.extend(shown_images(images, &mut self.image_room));
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

    /// Asks whoever has to be asked before it can go on: the user about calls or, for a tool,
    /// something; the page. That ends the run.
    pub(super) fn ask_others(&mut self, calls: WantedCalls) -> Option<Vec<AgentEvent>> {
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
    pub(super) fn ask_questions(&mut self) -> Option<Vec<ThreadEvent>> {
        let questions = self.bridge.take_questions()?;
        let mut out = self.finish();
        out.extend(questions);
        Some(out)
    }

    /// Asks the page for the calls of its tools that the turn wants. That ends the run: the page's
    /// answer begins another.
    fn ask_client(&mut self, calls: Vec<ClientCall>) -> Vec<AgentEvent> {
        let mut out = Vec::new();
        self.bridge.pause(&mut out);
        let at = (self.number, self.calls_made);
        client_calls::ask(&self.turn, &mut self.bridge, at, calls, &mut out);
        out
    }

    /// Asks the user about the calls of the turn that need it. That ends the run, too.
    fn ask_user(&mut self, calls: WantedCalls) -> Vec<AgentEvent> {
        let mut out: Vec<AgentEvent> = self.finish().into_iter().map(AgentEvent::from).collect();
        let at = (self.number, self.calls_made);
        let (turn, tools, bridge) = (&self.turn, &self.tools, &mut self.bridge);
        out.extend(waiting_calls::ask(turn, tools, bridge, at, calls.waiting, calls.client));
        out
    }

    /// What is left to be shown at the end.
    pub(super) fn finish(&mut self) -> Vec<ThreadEvent> {
        let mut out = Vec::new();
        self.bridge.finish(&mut out);
        out
    }

    fn begin(&mut self, calls: &[FunctionCall], events: &mut Vec<ThreadEvent>) -> ToolTurn {
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

    fn kept(&self, tools: &ToolTurn) -> AgentEvent {
        let workflow = self.bridge.calls_item().expect("starting a tool opened the workflow");
        AgentEvent::ToolCalls { calls: tools.records.clone(), workflow: Box::new(workflow) }
    }

    /// Makes calls, each with its number.
    fn run<'c>(
        &self,
        calls: impl IntoIterator<Item = (usize, &'c ToolCallRecord)>,
    ) -> BoxStream<'static, Happened> {
        running_calls::run(&self.turn, &self.tools, self.timeout, calls)
    }
}
