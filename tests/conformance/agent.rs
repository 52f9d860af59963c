//! Plays the script of a recording's handler, through the trait that every agent implements.

use std::collections::HashMap;

use async_stream::try_stream;
use async_trait::async_trait;
use chatkit_gateway::{
    agent::{ActionCaller, Agent, AgentError, AgentStream, Audio, Turn, WidgetAction},
    protocol::{ItemKind, ThreadEvent, ThreadId, ThreadItem, ThreadStatus, UserId},
};
use futures_util::stream;
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
    /// Absent where the recorded integration had no handler for actions.
    action: Option<Vec<Step>>,
    sync_action: Option<SyncAction>,
    #[serde(default)]
    server: Server,
}

#[derive(Deserialize)]
struct SyncAction {
    sender_widget: Option<Value>,
}

#[derive(Default, Deserialize)]
struct Server {
    transcribe: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Step {
    /// A widget that grows, or one that is given whole.
    Widget {
        #[serde(rename = "stream_widget")]
        states: Vec<Value>,
        #[serde(default)]
        copy_text: Option<String>,
        /// Whether the handler gave the states one by one.
        #[serde(default = "yes")]
        generator: bool,
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
    ReplaceSenderWidget(Value),
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

impl ScriptedAgent {
    fn script(&self, user: &UserId, thread: ThreadId) -> Script {
        let script = self.scripts[user.as_str()].replace(NEW_THREAD, &thread.to_string());
        serde_json::from_str(&script).unwrap()
    }
}

#[async_trait]
impl Agent for ScriptedAgent {
    fn respond(&self, turn: Turn) -> AgentStream<'_> {
        let script = self.script(&turn.user_id, turn.thread_id());
        play(turn, script.respond, None)
    }

    fn action(&self, turn: Turn, action: WidgetAction) -> AgentStream<'_> {
        let steps = self.script(&turn.user_id, turn.thread_id()).action;
        Box::pin(try_stream! {
            let steps = steps.ok_or(AgentError::Unsupported)?;
            for await event in play(turn, steps, action.sender) {
                yield event?;
            }
        })
    }

    async fn sync_action(
        &self,
        caller: ActionCaller,
        action: WidgetAction,
    ) -> Result<Option<ThreadItem>, AgentError> {
        let script = self.script(&caller.user_id, caller.thread.id);
        let widget = script.sync_action.ok_or(AgentError::Unsupported)?.sender_widget;
        Ok(widget.map(|widget| replaced(action.sender.unwrap(), widget)))
    }

    async fn transcribe(&self, user: &UserId, audio: Audio) -> Result<String, AgentError> {
        let script = self.script(user, ThreadId::UNKNOWN);
        let text = script.server.transcribe.ok_or(AgentError::Unsupported)?;
        assert_eq!((audio.data.as_slice(), audio.media_type()), (&[0, 1, 2, 3][..], "audio/webm"));
        Ok(text)
    }
}

fn play(turn: Turn, steps: Vec<Step>, sender: Option<ThreadItem>) -> AgentStream<'static> {
    Box::pin(try_stream! {
        for step in steps {
            match step {
                Step::Widget { states, copy_text, generator: true } => {
                    for await event in turn.stream_widget(stream::iter(states), copy_text) {
                        yield event?;
                    }
                }
                Step::Widget { states, copy_text, generator: false } => {
                    for widget in states {
                        yield turn.widget(widget, copy_text.clone()).into();
                    }
                }
                Step::Run { steps, partial_images } => {
                    for await event in bridge_agent::play(turn.clone(), steps, partial_images) {
                        yield event?;
                    }
                }
                Step::Named(NamedStep::Event(event)) => yield (*event).into(),
                Step::Named(NamedStep::ReplaceSenderWidget(widget)) => {
                    let item = Box::new(replaced(sender.clone().unwrap(), widget));
                    yield ThreadEvent::ItemReplaced { item }.into();
                }
                Step::Named(NamedStep::Raise(failure)) => Err(AgentError::from(failure))?,
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

fn replaced(mut sender: ThreadItem, new: Value) -> ThreadItem {
    let ItemKind::Widget(item) = &mut sender.kind else { panic!("{sender:?} is no widget") };
    item.widget = new;
    sender
}
