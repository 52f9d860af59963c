//! An agent in another process, in any language: it is sent the turn as one signed POST and answers
//! with ChatKit's events. The gateway does the rest: storage, login, resume, cancel, limits.
//!
//! The request is never repeated: nobody knows what the agent has done. When the connection breaks,
//! or the answer ends in a way that may be a break, the run fails and what was said is kept.
//!
//! | file | does |
//! |---|---|
//! | `request` | what the agent is sent |
//! | `answer` | what its events mean here: its identifiers become the gateway's |

mod answer;
#[cfg(any(test, fuzzing))]
mod property;
mod request;

use std::time::Duration;

use async_stream::try_stream;
use async_trait::async_trait;
use futures_util::StreamExt as _;

use crate::{
    protocol::{Timestamp, item::InferenceOptions},
    upstream::agent_service::AgentService,
};

#[cfg(any(test, fuzzing))]
pub(crate) use self::property::remote_agent;
use self::{
    answer::{Answer, Said},
    request::{Kind, Request},
};
use super::{Agent, AgentError, AgentEvent, AgentStream, Choices, NotOffered, Turn, WidgetAction};

/// How many items of the thread the agent is sent.
const HISTORY_ITEMS: usize = 200;

/// An agent in another process.
#[derive(Clone, Debug)]
pub struct RemoteAgent {
    service: AgentService,
    /// How long the agent is told that it has.
    run_timeout: Duration,
    /// What users may choose; without it the agent looks at that itself.
    choices: Option<Choices>,
}

impl RemoteAgent {
    /// The agent of this service. Runs are stopped after `run_timeout`, which it is told.
    pub fn new(service: AgentService, run_timeout: Duration) -> Self {
        Self { service, run_timeout, choices: None }
    }

    /// Takes only messages with these choices of models and tools; the agent is sent the
    /// identifiers as the page gave them.
    #[must_use]
    pub fn with_choices(self, choices: Choices) -> Self {
        Self { choices: Some(choices), ..self }
    }

    fn ask(&self, turn: Turn, action: Option<WidgetAction>) -> AgentStream<'_> {
        Box::pin(try_stream! {
            let history = turn.history.recent(HISTORY_ITEMS).await?;
            let thread = turn.thread.get();
            let request = Request {
                version: request::VERSION,
                kind: if action.is_some() { Kind::Action } else { Kind::Respond },
                run_id: turn.run_id,
                user_id: &turn.user_id,
                thread: request::thread(&thread),
                items: history.items.iter().map(|record| &record.item).collect(),
                input: turn.input.as_ref(),
                action: action.as_ref().map(request::action),
                options: &turn.options,
                deadline: Timestamp::now().plus(self.run_timeout),
            };
            let mut events = self.service.ask(&request, &turn.run_id.to_string());
            let mut answer = Answer::new(&turn, &history);
            drop(history);
            while let Some(data) = events.next().await {
                match answer.read(&data?)? {
                    Said::Event(event) => yield AgentEvent::from(*event),
                    Said::Thread(thread) => answer::change_thread(&turn.thread, *thread),
                    Said::Nothing => {}
                }
            }
            answer.end()?;
        })
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

/// What the agent said cannot be used. It is for whoever runs the agent, in the log.
fn unusable(problem: &str) -> AgentError {
    tracing::warn!(problem, "the remote agent said something that cannot be used");
    AgentError::Stream { allow_retry: true }
}
