//! The talk of one run with the model: its input as it grows, and what came of the last question.

use std::sync::Arc;

use async_stream::{stream, try_stream};
use futures_util::{Stream, StreamExt, stream::FuturesUnordered};

use crate::{
    protocol::{ThreadEvent, Timestamp},
    tools::{Display, ToolContext, ToolOutput},
    upstream::{FinishReason, FunctionCall, InputItem, ModelEvent, UpstreamError},
};

use super::{
    AgentError, AgentEvent, ModelAgent, Turn,
    bridge::Bridge,
    client_calls::{self, ClientCall, WantedCalls},
    history,
    tool_turn::ToolTurn,
};

/// The talk of one run with the model.
pub(super) struct Conversation<'a> {
    agent: &'a ModelAgent,
    turn: Turn,
    bridge: Bridge,
    input: Vec<InputItem>,
    calls: Vec<FunctionCall>,
    calls_made: u32,
}

impl<'a> Conversation<'a> {
    /// Reads what was said before.
    pub(super) async fn begin(agent: &'a ModelAgent, turn: Turn) -> Result<Self, AgentError> {
        let history = turn.history.recent(agent.config.history_items).await?;
        let mut bridge = Bridge::new(turn.thread_id(), Arc::new(Timestamp::now))
            .with_partial_images(agent.partial_images());
        bridge.resume(&history);
        let input = history::model_input(&history);
        Ok(Self { agent, turn, bridge, input, calls: Vec::new(), calls_made: 0 })
    }

    /// Asks the model once.
    pub(super) fn ask(&mut self) -> impl Stream<Item = Result<AgentEvent, AgentError>> + Send {
        try_stream! {
            let request = self.agent.request(&self.turn, &self.input);
            let mut answer = self.agent.model.stream(request);
            let mut events = Vec::new();
            while let Some(event) = answer.next().await {
                let is_last = matches!(event, Ok(ModelEvent::Finished { .. }));
                let ended = self.take(event, &mut events);
                for event in events.drain(..) {
                    yield event;
                }
                ended?;
                if is_last {
                    break;
                }
            }
        }
    }

    /// Takes one event of the model. An error comes behind what was said before it.
    fn take(
        &mut self,
        event: Result<ModelEvent, UpstreamError>,
        out: &mut Vec<AgentEvent>,
    ) -> Result<(), AgentError> {
        let mut events = Vec::new();
        let result = match event {
            Ok(event) => {
                if let ModelEvent::Finished { usage: Some(usage), .. } = &event {
                    out.push(AgentEvent::Usage(*usage));
                }
                self.remember(&event);
                self.bridge.feed(event, &mut events);
                Ok(())
            }
            Err(error) => {
                events.extend(self.bridge.flush());
                Err(error.into())
            }
        };
        out.extend(events.into_iter().map(AgentEvent::from));
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
            | ModelEvent::ImageDone { item: Some(item), .. } => {
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
    pub(super) fn wanted_calls(&mut self) -> Option<WantedCalls> {
        let calls = std::mem::take(&mut self.calls);
        (!calls.is_empty()).then(|| WantedCalls::sort(calls, &self.agent.config.client_tools))
    }

    /// Asks the page for the calls of its tools that model turn `number` wants. That ends the run:
    /// the page's answer begins another.
    pub(super) fn ask_client(&mut self, number: u32, calls: Vec<ClientCall>) -> Vec<AgentEvent> {
        let mut out = Vec::new();
        self.bridge.pause(&mut out);
        client_calls::ask(&self.turn, &self.bridge, (number, self.calls_made), calls, &mut out);
        out
    }

    /// What is left to be shown at the end.
    pub(super) fn finish(&mut self) -> Vec<ThreadEvent> {
        let mut out = Vec::new();
        self.bridge.finish(&mut out);
        out
    }

    /// Makes the calls of model turn `number`, all at the same time: each is kept before it begins
    /// and after it has ended.
    pub(super) fn make_calls(
        &mut self,
        number: u32,
        calls: &[FunctionCall],
    ) -> impl Stream<Item = AgentEvent> + Send {
        stream! {
            let mut events = Vec::new();
            let mut tools = self.begin_calls(number, calls, &mut events);
            for event in events.drain(..) {
                yield event.into();
            }
            yield self.tool_calls(&tools);
            yield tools.progress().into();
            let (display, mut shown) = Display::channel(self.turn.thread_id());
            let mut running = self.run_calls(&tools, &display);
            while !running.is_empty() {
                // What a tool has shown stands before its end.
                tokio::select! {
                    biased;
                    Some(shown) = shown.recv() => self.bridge.show(shown, &mut events),
                    Some((call, output)) = running.next() => {
                        while let Ok(shown) = shown.try_recv() {
                            self.bridge.show(shown, &mut events);
                        }
                        tools.end(call, output, &mut self.bridge, &mut events);
                    }
                }
                for event in events.drain(..) {
                    yield event.into();
                }
            }
            yield self.tool_calls(&tools);
            self.input.extend(tools.outputs());
            self.bridge.end_tools(&mut events);
            for event in events.drain(..) {
                yield event.into();
            }
        }
    }

    fn begin_calls(
        &mut self,
        number: u32,
        calls: &[FunctionCall],
        events: &mut Vec<ThreadEvent>,
    ) -> ToolTurn {
        let first_position = self.calls_made;
        self.calls_made += u32::try_from(calls.len()).unwrap_or(u32::MAX);
        ToolTurn::begin(
            &self.turn,
            &self.agent.tools,
            number,
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

    /// Each call's output as it comes, with the call's number in this turn.
    fn run_calls(
        &self,
        tools: &ToolTurn,
        display: &Display,
    ) -> FuturesUnordered<impl Future<Output = (usize, ToolOutput)> + Send + use<>> {
        let context = ToolContext {
            user_id: self.turn.user_id.clone(),
            cancel: self.turn.cancel.clone(),
            display: display.clone(),
        };
        tools
            .records
            .iter()
            .enumerate()
            .map(|(call, record)| {
                let (registry, context) = (self.agent.tools.clone(), context.clone());
                let (name, arguments) = (record.name.clone(), record.arguments.clone());
                let timeout = self.agent.config.tool_timeout;
                async move { (call, registry.call(&context, &name, &arguments, timeout).await) }
            })
            .collect()
    }
}
