//! What a remote agent's events mean here.
//!
//! An agent names its items as it likes; here they get identifiers of the gateway's, the same for
//! the same name throughout the run. A name that is the identifier of an item of the thread stays.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    agent::{AgentError, ThreadHandle, Turn},
    protocol::{ItemId, ThreadEvent, ThreadId, ThreadStatus, Timestamp, event::ErrorEvent},
    store::record::{History, Usage},
    upstream::FunctionCall,
};

use super::unusable;

/// More items than an answer has: a list of names must not take the memory.
const MAX_ITEMS: usize = 10_000;

/// More calls of tools than a run has.
const MAX_CALLS: usize = 1_000;

/// The longest name of a call.
const MAX_CALL_ID: usize = 255;

/// An answer as it comes.
pub(super) struct Answer {
    thread_id: ThreadId,
    /// The items of the thread, and when they were made.
    known: HashMap<ItemId, Timestamp>,
    /// The same of those that the agent has named.
    names: HashMap<String, (ItemId, Timestamp)>,
    /// Items that were added and are not done.
    open: HashSet<ItemId>,
    /// The calls of tools that it has asked for.
    calls: HashSet<String>,
}

/// What an event means.
#[derive(Debug)]
pub(super) enum Said {
    /// It happens in the thread.
    Event(Box<ThreadEvent>),
    /// The thread shall be so.
    Thread(Box<GivenThread>),
    /// These tools of the gateway shall be called when the answer has ended.
    Calls(Vec<FunctionCall>),
    /// Tokens that the agent has used.
    Usage(Usage),
    /// Nothing that the gateway does not do itself.
    Nothing,
}

/// What an agent may change of its thread; what is left out stays.
#[derive(Debug, Deserialize)]
pub(super) struct GivenThread {
    title: Option<String>,
    status: Option<ThreadStatus>,
    metadata: Option<Map<String, Value>>,
}

/// A `tool_calls` event.
#[derive(Debug, Deserialize)]
struct GivenCalls {
    calls: Vec<GivenCall>,
}

#[derive(Debug, Deserialize)]
struct GivenCall {
    call_id: String,
    name: String,
    /// An object, or its JSON as models write it.
    #[serde(default)]
    arguments: Value,
}

impl Answer {
    pub(super) fn new(turn: &Turn, history: &History) -> Self {
        let mut answer = Self {
            thread_id: turn.thread_id(),
            known: HashMap::new(),
            names: HashMap::new(),
            open: HashSet::new(),
            calls: HashSet::new(),
        };
        answer.learn(history);
        answer
    }

    /// The items that the agent has been sent, by which it may name them.
    pub(super) fn learn(&mut self, history: &History) {
        let items = history.items.iter().map(|record| &record.item);
        self.known.extend(items.map(|item| (item.id, item.created_at)));
    }

    /// The answer in a thread without items.
    #[cfg(any(test, fuzzing))]
    pub(super) fn in_thread(thread_id: ThreadId) -> Self {
        let (known, names, open, calls) = Default::default();
        Self { thread_id, known, names, open, calls }
    }

    /// Reads the data of one event.
    pub(super) fn read(&mut self, data: &str) -> Result<Said, AgentError> {
        let mut event: Value =
            serde_json::from_str(data).map_err(|_| unusable("an event is not JSON"))?;
        match event["type"].as_str().unwrap_or_default() {
            "thread.created" | "stream_options" => return Ok(Said::Nothing),
            "tool_calls" => return self.calls(event).map(Said::Calls),
            "usage" => {
                let usage = serde_json::from_value(event);
                return usage.map(Said::Usage).map_err(|error| unusable(&error.to_string()));
            }
            "thread.updated" => {
                let thread = serde_json::from_value(event["thread"].take());
                return thread
                    .map(|thread| Said::Thread(Box::new(thread)))
                    .map_err(|_| unusable("a thread.updated has no thread"));
            }
            _ => {}
        }
        self.rename(&mut event)?;
        let event: ThreadEvent =
            serde_json::from_value(event).map_err(|error| unusable(&error.to_string()))?;
        match &event {
            ThreadEvent::Error(error) => return Err(failed(error)),
            ThreadEvent::ItemAdded { item } => {
                self.open.insert(item.id);
            }
            ThreadEvent::ItemDone { item } | ThreadEvent::ItemReplaced { item } => {
                self.open.remove(&item.id);
            }
            ThreadEvent::ItemRemoved { item_id } => {
                self.open.remove(item_id);
            }
            _ => {}
        }
        Ok(Said::Event(Box::new(event)))
    }

    /// The answer is at its end. One that leaves an item half done has broken off.
    pub(super) fn end(&self) -> Result<(), AgentError> {
        if self.open.is_empty() {
            return Ok(());
        }
        Err(unusable("the answer ended before thread.item.done of an item that it had begun"))
    }

    /// The calls that an event asks for. A name means one call in all of the run.
    fn calls(&mut self, event: Value) -> Result<Vec<FunctionCall>, AgentError> {
        let given: GivenCalls =
            serde_json::from_value(event).map_err(|error| unusable(&error.to_string()))?;
        let mut calls = Vec::new();
        for GivenCall { call_id, name, arguments } in given.calls {
            if !(1..=MAX_CALL_ID).contains(&call_id.len()) || self.calls.len() == MAX_CALLS {
                return Err(unusable("a call_id is empty or too long, or there are too many"));
            }
            if !self.calls.insert(call_id.clone()) {
                return Err(unusable("two calls of a run have the same call_id"));
            }
            let arguments = match arguments {
                Value::String(json) => json,
                Value::Null => "{}".to_owned(),
                arguments => arguments.to_string(),
            };
            calls.push(FunctionCall { call_id, name, arguments });
        }
        Ok(calls)
    }

    /// Gives the items of an event the gateway's identifiers and times.
    fn rename(&mut self, event: &mut Value) -> Result<(), AgentError> {
        if let Some(name) = event["item_id"].as_str() {
            let (id, _) = self.item(name)?;
            event["item_id"] = id.to_string().into();
        }
        let Some(item) = event.get_mut("item").and_then(Value::as_object_mut) else {
            return Ok(());
        };
        let Some(name) = item.get("id").and_then(Value::as_str) else {
            return Err(unusable("an item has no id"));
        };
        let (id, made_at) = self.item(name)?;
        item.insert("id".to_owned(), id.to_string().into());
        item.insert("thread_id".to_owned(), self.thread_id.to_string().into());
        item.insert("created_at".to_owned(), made_at.to_string().into());
        Ok(())
    }

    fn item(&mut self, name: &str) -> Result<(ItemId, Timestamp), AgentError> {
        let id = name.parse().unwrap_or(ItemId::UNKNOWN);
        if let Some(made_at) = self.known.get(&id) {
            return Ok((id, *made_at));
        }
        if let Some(item) = self.names.get(name) {
            return Ok(*item);
        }
        if self.names.len() == MAX_ITEMS {
            return Err(unusable("an answer has more items than are taken"));
        }
        let item = (ItemId::new(), Timestamp::now());
        self.names.insert(name.to_owned(), item);
        Ok(item)
    }
}

/// Changes the thread as the agent said.
pub(super) fn change_thread(handle: &ThreadHandle, given: GivenThread) {
    if given.title.is_some() {
        handle.set_title(given.title);
    }
    if let Some(status) = given.status {
        handle.set_status(status);
    }
    if let Some(metadata) = given.metadata {
        handle.set_metadata(metadata);
    }
}

/// An error that the agent tells the reader of.
fn failed(error: &ErrorEvent) -> AgentError {
    let allow_retry = error.allow_retry;
    match &error.message {
        Some(message) => AgentError::Custom { message: message.clone(), allow_retry },
        None => AgentError::Stream { allow_retry },
    }
}
