//! What a run begins with: what it changes when it is accepted, what its readers see of that
//! first, and what the agent is asked.

use crate::{
    agent::{Agent, AgentStream, Turn, WidgetAction},
    protocol::{ItemId, ItemKind, ThreadEvent, ThreadItem},
    store::record::{ExpectedItem, NewRun, RunThread, ToolCallRecord},
};

use super::log::RunLog;

/// What a run begins with.
#[derive(Clone, Debug)]
pub enum Opening {
    /// A new message of the user.
    Message(ThreadItem),
    /// An earlier message of the user, answered anew: all behind it goes.
    Retry(ThreadItem),
    /// The page has run a client tool.
    ClientToolOutput {
        /// The call as it was, the thread's newest item.
        pending: ThreadItem,
        /// The call with its output.
        completed: ThreadItem,
        /// Older calls that wait in vain.
        stale: Vec<ItemId>,
    },
    /// The user has answered what an item asked.
    Answer {
        /// The item as it was.
        pending: ThreadItem,
        /// With the answer.
        answered: ThreadItem,
        /// The calls of tools that waited for it, as they are from now on.
        calls: Vec<ToolCallRecord>,
    },
    /// Something was done with a widget, or by the page.
    Action(WidgetAction),
    /// Another process died over it, at a point from which the agent can go on.
    Resume(String),
}

impl Opening {
    /// The item that is answered.
    pub(super) fn item(&self) -> Option<&ThreadItem> {
        match self {
            Self::Message(item) | Self::Retry(item) => Some(item),
            Self::ClientToolOutput { completed, .. } => Some(completed),
            Self::Answer { answered, .. } => Some(answered),
            Self::Action(_) | Self::Resume(_) => None,
        }
    }

    /// Says what is changed, and what must not have changed, when the run is accepted.
    pub(super) fn write(&self, run: &mut NewRun) {
        match self {
            Self::Message(item) => {
                run.items.push(item.clone());
                // A new thread has none.
                run.abandon_calls = matches!(run.thread, RunThread::Existing(_));
                if let ItemKind::UserMessage(message) = &item.kind {
                    run.attachments = message.attachments.iter().map(|given| given.id).collect();
                }
            }
            Self::Retry(item) => {
                run.expected = Some(ExpectedItem { item: item.clone(), is_newest: false });
                run.delete_after = Some(item.id);
            }
            Self::ClientToolOutput { pending, completed, stale } => {
                run.expected = Some(ExpectedItem { item: pending.clone(), is_newest: true });
                run.items.push(completed.clone());
                run.delete_items.clone_from(stale);
            }
            Self::Answer { pending, answered, calls } => {
                run.expected = Some(ExpectedItem { item: pending.clone(), is_newest: false });
                run.items.push(answered.clone());
                run.decided_calls.clone_from(calls);
            }
            Self::Action(_) | Self::Resume(_) => {}
        }
    }

    /// What stands before the options of the stream.
    pub(super) fn announce(&self, log: &RunLog) {
        if let Self::Message(item) = self {
            log.append(&ThreadEvent::ItemDone { item: Box::new(item.clone()) });
        }
    }

    /// What stands behind them: the first that happens in the turn.
    pub(super) fn announce_in_turn(&self, log: &RunLog) {
        if let Self::Answer { answered, .. } = self {
            log.append(&ThreadEvent::ItemReplaced { item: Box::new(answered.clone()) });
        }
    }

    /// Asks the agent; `None` when it cannot go on.
    pub(super) fn ask<'a>(&self, agent: &'a dyn Agent, turn: Turn) -> Option<AgentStream<'a>> {
        match self {
            Self::Action(action) => Some(agent.action(turn, action.clone())),
            Self::Resume(point) => agent.resume(turn, point),
            _ => Some(agent.respond(turn)),
        }
    }
}
