//! The tools of all servers beside the gateway's own: what the model is offered.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;

use crate::tools::{LiveTools, Tool, ToolRegistry};

/// How many functions a model is offered at most, which is OpenAI's limit; one more, and every
/// message would be refused.
const MAX_OFFERED: usize = 128;
/// How long the descriptions and schemas of servers' tools may be together, in bytes: they go with
/// every question to the model, and this is more than most models could read.
const MAX_OFFERED_BYTES: usize = 512 * 1024;

/// The tools of a server.
pub(super) type ToolList = Arc<[Arc<dyn Tool>]>;

/// Keeps the list of each server, and makes one registry of them all whenever one changes. The
/// tools of a server that is gone stay: what the model was told stays the same, and a call says
/// what is the matter.
pub(super) struct Catalog {
    own: ToolRegistry,
    reserved: HashSet<String>,
    lists: Mutex<Vec<ToolList>>,
    offered: watch::Sender<ToolRegistry>,
    up: watch::Sender<Vec<bool>>,
}

impl Catalog {
    pub(super) fn new(
        own: ToolRegistry,
        reserved: impl IntoIterator<Item = String>,
        servers: usize,
    ) -> Self {
        Self {
            reserved: reserved.into_iter().collect(),
            lists: Mutex::new(vec![Arc::from([]); servers]),
            offered: watch::Sender::new(own.clone()),
            up: watch::Sender::new(vec![false; servers]),
            own,
        }
    }

    pub(super) fn tools(&self) -> LiveTools {
        self.offered.subscribe()
    }

    pub(super) fn up(&self) -> watch::Receiver<Vec<bool>> {
        self.up.subscribe()
    }

    /// Says whether a server is connected.
    pub(super) fn set_up(&self, place: usize, is_up: bool) {
        self.up.send_if_modified(|up| std::mem::replace(&mut up[place], is_up) != is_up);
    }

    /// Replaces the list of a server.
    pub(super) fn put(&self, place: usize, tools: ToolList) {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        lists[place] = tools;
        // Still under the lock, so that an older merger never replaces a newer one.
        match self.merge(&lists) {
            Ok(merged) => drop(self.offered.send_replace(merged)),
            Err(error) => tracing::error!(error = %error, "the servers' tools cannot be offered"),
        }
    }

    fn merge(
        &self,
        lists: &[Arc<[Arc<dyn Tool>]>],
    ) -> Result<ToolRegistry, crate::tools::RegistryError> {
        let mut merged: Vec<Arc<dyn Tool>> = self.own.iter().cloned().collect();
        let mut taken: HashSet<&str> = self.reserved.iter().map(String::as_str).collect();
        taken.extend(self.own.iter().map(|tool| tool.spec().name.as_str()));
        let room = MAX_OFFERED.saturating_sub(self.reserved.len());
        let (mut bytes, mut left_out) = (0, 0_usize);
        for tool in lists.iter().flat_map(|list| list.iter()) {
            let name = tool.spec().name.as_str();
            if taken.contains(name) {
                tracing::warn!(tool.name = name, "left out: another tool has the name");
                continue;
            }
            let size = size(tool.as_ref());
            if merged.len() >= room || bytes + size > MAX_OFFERED_BYTES {
                left_out += 1;
            } else {
                bytes += size;
                taken.insert(name);
                merged.push(tool.clone());
            }
        }
        if left_out > 0 {
            tracing::warn!(
                offered = merged.len() + self.reserved.len(),
                left_out,
                "too many tools for a model: the last ones are left out; name those that are \
                 needed in allowed_tools of mcp.servers"
            );
        }
        ToolRegistry::new(merged)
    }
}

/// How much a tool adds to a question to the model, in bytes.
fn size(tool: &dyn Tool) -> usize {
    let spec = tool.spec();
    spec.name.len() + spec.description.len() + spec.parameters.to_string().len()
}
