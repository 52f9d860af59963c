//! From a model's events to the thread's, as the official SDK's bridge does it.
//!
//! One state machine for a whole run, over all its model calls: it makes the items' identifiers,
//! keeps the workflow that shows thoughts and tool calls, and ends it when a message begins.
//!
//! | file | does |
//! |---|---|
//! | `ids` | what the items are called |
//! | `messages` | text, citations, refusals |
//! | `workflow` | thoughts and tasks, and the workflow that an earlier run left open |
//! | `calls` | calls of the gateway's tools, what they show, calls of the page's tools |
//! | `for_later` | what tools show that has its place behind them |
//! | `hosted` | calls of tools that the provider runs itself |
//! | `images` | images that the model draws |

mod calls;
mod for_later;
pub(super) mod hosted;
mod ids;
mod images;
mod messages;
#[cfg(any(test, fuzzing))]
pub(super) mod property;
mod workflow;

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    protocol::{ItemId, ThreadEvent, ThreadId, Timestamp, workflow::WorkflowKind},
    upstream::ModelEvent,
};

pub use self::ids::ItemIds;
pub(super) use self::workflow::OpenWorkflow;
use self::{for_later::ForLater, images::OpenImage, messages::OpenMessage};

/// The state of one run.
pub struct Bridge {
    thread_id: ThreadId,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ids: ItemIds,
    /// How many drafts an image is expected to have.
    partial_images: Option<u32>,
    /// Messages of the model call under way, by output index.
    messages: BTreeMap<usize, OpenMessage>,
    /// Images of the model call under way, by output index.
    images: BTreeMap<usize, OpenImage>,
    draft_bytes_left: usize,
    /// Calls of the provider's tools, by output index: their workflow and place in it.
    hosted: BTreeMap<usize, (ItemId, usize)>,
    /// A whole message or image, held back until the model says something else: most often that it
    /// has finished, and then its commit and that of the run are one.
    done: Option<ThreadEvent>,
    workflow: Option<OpenWorkflow>,
    /// The workflow that shows the calls under way.
    calls_shown_in: Option<ItemId>,
    /// That workflow, if it was ended before them.
    ended: Option<OpenWorkflow>,
    /// What tools have shown for later.
    for_later: ForLater,
}

impl Bridge {
    /// For a run in this thread.
    pub fn new(thread_id: ThreadId, clock: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Self {
        Self {
            thread_id,
            clock,
            ids: ItemIds::default(),
            partial_images: None,
            messages: BTreeMap::new(),
            images: BTreeMap::new(),
            draft_bytes_left: images::MAX_DRAFT_BYTES,
            hosted: BTreeMap::new(),
            done: None,
            workflow: None,
            calls_shown_in: None,
            ended: None,
            for_later: ForLater::default(),
        }
    }

    /// How many drafts an image is expected to have, for its progress; by default it has none.
    #[must_use]
    pub fn with_partial_images(mut self, expected: Option<u32>) -> Self {
        self.partial_images = expected;
        self
    }

    /// Calls the items as they are called in this run.
    #[must_use]
    pub fn with_ids(mut self, ids: ItemIds) -> Self {
        self.ids = ids;
        self
    }

    /// A model turn begins. What was held back of the last one is out by now.
    pub(super) fn begin_turn(&mut self, turn: u32) {
        self.ids.begin_turn(turn);
    }

    /// Takes what the model says; appends what happens in the thread.
    pub fn feed(&mut self, event: ModelEvent, out: &mut Vec<ThreadEvent>) {
        out.extend(self.done.take());
        match event {
            ModelEvent::MessageStarted { index } => self.start_message(index, out),
            ModelEvent::PartStarted { index, part, text } => {
                self.start_part(index, part, text, out);
            }
            ModelEvent::TextDelta { index, part, delta } => self.add_text(index, part, delta, out),
            ModelEvent::Annotation { index, part, annotation } => {
                self.annotate(index, part, annotation, out);
            }
            ModelEvent::PartDone { index, part, text } => self.end_part(index, part, text, out),
            ModelEvent::MessageDone { index, parts, .. } => self.end_message(index, parts, out),
            ModelEvent::ReasoningStarted { .. } => {
                self.open_workflow(WorkflowKind::Reasoning, out);
            }
            ModelEvent::ReasoningDelta { index, part, delta } => {
                self.think(index, part, &delta, out);
            }
            ModelEvent::ReasoningPartDone { index, part, text } => {
                self.end_thought(index, part, text, out);
            }
            ModelEvent::HostedCallStarted { index, call } => self.start_hosted(index, call, out),
            ModelEvent::HostedCallDone { index, call, .. } => self.end_hosted(index, call, out),
            image @ (ModelEvent::ImageStarted { .. }
            | ModelEvent::ImagePartial { .. }
            | ModelEvent::ImageDone { .. }) => self.draw(image, out),
            ModelEvent::Begun { .. }
            | ModelEvent::ReasoningDone { .. }
            | ModelEvent::Context { .. }
            | ModelEvent::FunctionCall { .. } => {}
            ModelEvent::Finished { .. } => {
                self.messages.clear();
                self.images.clear();
                self.hosted.clear();
            }
        }
    }

    /// The end of the run, or of what it can do: what was held back, and the workflow's end.
    pub fn finish(&mut self, out: &mut Vec<ThreadEvent>) {
        out.extend(self.done.take());
        self.end_workflow(out);
    }

    /// What was held back, when the model fails right behind a whole message.
    pub fn flush(&mut self) -> Option<ThreadEvent> {
        self.done.take()
    }
}

#[cfg(test)]
mod tests;
