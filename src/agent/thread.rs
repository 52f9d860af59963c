//! The thread of a turn, as its agent sees and changes it.

use std::sync::{Arc, Mutex};

use serde_json::{Map, Value};

use crate::{
    protocol::{ThreadId, ThreadStatus},
    store::record::{ThreadPatch, ThreadRecord},
};

/// The thread of a turn. A change is stored and shown right after the event during which it was
/// made.
#[derive(Clone, Debug)]
pub struct ThreadHandle {
    state: Arc<Mutex<HandleState>>,
}

#[derive(Debug)]
struct HandleState {
    thread: ThreadRecord,
    changes: ThreadPatch,
}

impl ThreadHandle {
    /// A handle on the thread as it was accepted.
    pub fn new(thread: ThreadRecord) -> Self {
        let changes = ThreadPatch::default();
        Self { state: Arc::new(Mutex::new(HandleState { thread, changes })) }
    }

    fn with<T>(&self, act: impl FnOnce(&mut HandleState) -> T) -> T {
        act(&mut self.state.lock().expect("no panic happens while the thread is locked"))
    }

    /// The thread's identifier.
    pub fn id(&self) -> ThreadId {
        self.with(|state| state.thread.id)
    }

    /// The thread as it is now.
    pub fn get(&self) -> ThreadRecord {
        self.with(|state| state.thread.clone())
    }

    /// Another title.
    pub fn set_title(&self, title: Option<String>) {
        self.with(|state| {
            state.thread.title.clone_from(&title);
            state.changes.title = Some(title);
        });
    }

    /// Takes note of a title that is kept already.
    pub(crate) fn note_title(&self, title: &str) {
        self.with(|state| state.thread.title = Some(title.to_owned()));
    }

    /// Another status.
    pub fn set_status(&self, status: ThreadStatus) {
        self.with(|state| {
            state.thread.status = status.clone();
            state.changes.status = Some(status);
        });
    }

    /// Other hosts from which widgets may show images.
    pub fn set_allowed_image_domains(&self, domains: Option<Vec<String>>) {
        self.with(|state| {
            state.thread.allowed_image_domains.clone_from(&domains);
            state.changes.allowed_image_domains = Some(domains);
        });
    }

    /// Other metadata, private to the agent.
    pub fn set_metadata(&self, metadata: Map<String, Value>) {
        self.with(|state| {
            state.thread.metadata.clone_from(&metadata);
            state.changes.metadata = Some(metadata);
        });
    }

    /// What changed since the last call.
    pub(crate) fn take_changes(&self) -> ThreadPatch {
        self.with(|state| std::mem::take(&mut state.changes))
    }
}
