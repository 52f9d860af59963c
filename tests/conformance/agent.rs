//! Plays the script of a recording's handler, through the trait that every agent implements.

use std::collections::HashMap;

use async_stream::try_stream;
use chatkit_gateway::{
    agent::{Agent, AgentError, AgentStream, Turn},
    protocol::{
        ItemId, ItemKind, ThreadEvent, ThreadItem, ThreadStatus, Timestamp, item::WidgetItem,
    },
};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};

use crate::{
    bridge_agent::{self, RunStep},
    names::NEW_THREAD,
};

/// Answers each user by the script of that user's name.
#[derive(Default)]
pub(crate) struct ScriptedAgent {
    scripts: HashMap<String, String>,
}

impl ScriptedAgent {
    /// Sets a script: the steps of a case as JSON, with our identifiers.
    pub(crate) fn add(&mut self, user: &str, script: String) {
        if let Err(error) = serde_json::from_str::<Script>(&script) {
            panic!("the script of {user} cannot be played: {error}");
        }
        self.scripts.insert(user.to_owned(), script);
    }
}

/// A script that can be played; of a case all that matters here.
#[derive(Deserialize)]
struct Script {
    #[serde(default)]
    respond: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Step {
    /// A widget that is given whole; one that grows needs what tells its states apart.
    Widget {
        #[serde(rename = "stream_widget")]
        states: [Value; 1],
        #[serde(default)]
        copy_text: Option<String>,
    },
    /// A model run.
    Run {
        #[serde(rename = "responses_run")]
        steps: Vec<RunStep>,
        partial_images: Option<u32>,
    },
    Named(NamedStep),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum NamedStep {
    Event(Box<ThreadEvent>),
    SetTitle(Option<String>),
    SetStatus(ThreadStatus),
    SetMetadata(Map<String, Value>),
    SetAllowedImageDomains(Option<Vec<String>>),
    Raise(Failure),
    /// Waits for ever.
    Hang(IgnoredAny),
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Failure {
    StreamError {
        /// The SDK's default.
        #[serde(default = "yes")]
        allow_retry: bool,
    },
    Custom {
        message: String,
        #[serde(default)]
        allow_retry: bool,
    },
    Other {
        message: String,
    },
}

fn yes() -> bool {
    true
}

impl From<Failure> for AgentError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::StreamError { allow_retry } => Self::Stream { allow_retry },
            Failure::Custom { message, allow_retry } => Self::Custom { message, allow_retry },
            Failure::Other { message } => Self::Other(message.into()),
        }
    }
}

impl Agent for ScriptedAgent {
    fn respond(&self, turn: Turn) -> AgentStream<'_> {
        let script = &self.scripts[turn.user_id.as_str()];
        let script = script.replace(NEW_THREAD, &turn.thread_id().to_string());
        let script: Script = serde_json::from_str(&script).unwrap();
        Box::pin(try_stream! {
            for step in script.respond {
                match step {
                    Step::Widget { states: [widget], copy_text } => {
                        yield whole_widget(&turn, widget, copy_text).into();
                    }
                    Step::Named(NamedStep::Event(event)) => yield (*event).into(),
                    Step::Named(NamedStep::Raise(failure)) => Err(AgentError::from(failure))?,
                    Step::Run { steps, partial_images } => {
                        for await event in bridge_agent::play(turn.clone(), steps, partial_images) {
                            yield event?;
                        }
                    }
                    Step::Named(NamedStep::Hang(_)) => std::future::pending().await,
                    Step::Named(NamedStep::SetTitle(title)) => turn.thread.set_title(title),
                    Step::Named(NamedStep::SetStatus(status)) => turn.thread.set_status(status),
                    Step::Named(NamedStep::SetMetadata(data)) => turn.thread.set_metadata(data),
                    Step::Named(NamedStep::SetAllowedImageDomains(domains)) => {
                        turn.thread.set_allowed_image_domains(domains);
                    }
                }
            }
        })
    }
}

fn whole_widget(turn: &Turn, widget: Value, copy_text: Option<String>) -> ThreadEvent {
    let item = ThreadItem {
        id: ItemId::new(),
        thread_id: turn.thread_id(),
        created_at: Timestamp::now(),
        kind: ItemKind::Widget(WidgetItem { widget, copy_text }),
    };
    ThreadEvent::ItemDone { item: Box::new(item) }
}
