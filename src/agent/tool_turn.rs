//! The calls of one model turn, as they are kept and shown.

use std::collections::BTreeSet;

use crate::{
    protocol::ThreadEvent,
    store::record::{ToolCallRecord, ToolCallState},
    tools::{ToolImage, ToolOutput, ToolRegistry},
    upstream::{FunctionCall, InputItem, InputPart},
};

use super::{
    Turn,
    bridge::{Bridge, hosted::brief},
    history::output,
};

/// How much of a call's arguments is shown, in characters.
const BRIEF: usize = 200;

/// How large the images of tools may be that the model is shown in one run, as data URLs, together,
/// in bytes: some of the usual size. They go with every further question of the run.
pub(super) const MAX_IMAGE_BYTES: usize = 8 << 20;

/// The calls of one model turn.
pub(super) struct ToolTurn {
    /// As they are kept.
    pub(super) records: Vec<ToolCallRecord>,
    titles: Vec<String>,
    /// What the calls gave to be seen.
    images: Vec<Vec<ToolImage>>,
    /// The place of each call's task in the workflow.
    places: Vec<usize>,
    /// Calls that are not to be made: another process made them, or may have.
    settled: BTreeSet<usize>,
}

impl ToolTurn {
    /// Shows the calls in the workflow and makes their records. `number` is that of the model
    /// turn, `first_position` that of the first call, both in the run.
    pub(super) fn begin(
        turn: &Turn,
        tools: &ToolRegistry,
        number: u32,
        first_position: u32,
        calls: &[FunctionCall],
        bridge: &mut Bridge,
        out: &mut Vec<ThreadEvent>,
    ) -> Self {
        let title_of = |call: &FunctionCall| {
            tools
                .find(&call.name)
                .map_or_else(|| call.name.clone(), |tool| tool.spec().title.clone())
        };
        let titles: Vec<String> = calls.iter().map(title_of).collect();
        let (mut places, mut records) = (Vec::new(), Vec::new());
        for ((call, title), position) in calls.iter().zip(&titles).zip(first_position..) {
            let (item_id, place) = bridge.start_tool(title, brief(&call.arguments, BRIEF), out);
            places.push(place);
            records.push(ToolCallRecord {
                run_id: turn.run_id,
                position,
                turn: number,
                item_id,
                call_id: call.call_id.clone(),
                name: call.name.clone(),
                arguments: call.arguments.clone(),
                state: ToolCallState::Started,
                output: None,
            });
        }
        let images = vec![Vec::new(); calls.len()];
        Self { records, titles, images, places, settled: BTreeSet::new() }
    }

    /// What is said while the calls run.
    pub(super) fn progress(&self) -> ThreadEvent {
        ThreadEvent::ProgressUpdate { icon: None, text: self.titles.join(", ") }
    }

    /// Takes what a call gave, and shows that it has ended.
    pub(super) fn end(
        &mut self,
        call: usize,
        output: ToolOutput,
        bridge: &mut Bridge,
        out: &mut Vec<ThreadEvent>,
    ) {
        let record = &mut self.records[call];
        record.state =
            if output.is_error { ToolCallState::Failed } else { ToolCallState::Completed };
        record.output = Some(output.text);
        self.images[call] = output.images;
        self.show_end(call, bridge, out);
    }

    /// Shows that a call has ended.
    pub(super) fn show_end(&self, call: usize, bridge: &mut Bridge, out: &mut Vec<ThreadEvent>) {
        bridge.end_tool(self.records[call].item_id, self.places[call], out);
    }

    /// Takes over what another process began. A call that it did not see the end of is made again
    /// only if that can do no harm.
    pub(super) fn take_begun(&mut self, begun: Vec<ToolCallRecord>, tools: &ToolRegistry) {
        for before in begun {
            let same = |record: &ToolCallRecord| record.position == before.position;
            let Some(call) = self.records.iter().position(same) else { continue };
            // The tools have changed meanwhile: it asked the user before.
            if before.state == ToolCallState::Waiting {
                continue;
            }
            let may_repeat = || {
                let spec = tools.find(&before.name).map(|tool| tool.spec());
                spec.is_some_and(|spec| spec.read_only || spec.idempotent)
            };
            if before.state != ToolCallState::Started || !may_repeat() {
                let record = &mut self.records[call];
                (record.state, record.output) = (before.state, before.output);
                self.settled.insert(call);
            }
        }
    }

    /// The calls that are to be made, by their numbers.
    pub(super) fn to_make(&self) -> impl Iterator<Item = (usize, &ToolCallRecord)> {
        self.records.iter().enumerate().filter(|(call, _)| !self.settled.contains(call))
    }

    /// The calls that are not to be made.
    pub(super) fn settled(&self) -> impl Iterator<Item = usize> + use<'_> {
        self.settled.iter().copied()
    }

    /// What the calls gave, for the model.
    pub(super) fn outputs(&self) -> impl Iterator<Item = InputItem> {
        self.records.iter().map(|call| InputItem::FunctionCallOutput {
            call_id: call.call_id.clone(),
            output: output(call),
        })
    }

    /// The images that the calls gave.
    pub(super) fn images(&self, room: &mut usize) -> Option<InputItem> {
        let names = self.records.iter().map(|call| call.name.as_str());
        shown_images(names.zip(self.images.iter().map(Vec::as_slice)), room)
    }
}

/// Images that calls of tools gave, as far as there is room: the outputs of calls are text in one of
/// the two dialects, so they come behind them, as if the user showed them.
pub(super) fn shown_images<'a>(
    given: impl IntoIterator<Item = (&'a str, &'a [ToolImage])>,
    room: &mut usize,
) -> Option<InputItem> {
    let mut parts = Vec::new();
    for (tool, images) in given {
        for (number, url) in (1..).zip(images.iter().map(ToolImage::url)) {
            let of = format!("Image {number} that the tool {tool} gave");
            if let Some(left) = room.checked_sub(url.len()) {
                *room = left;
                parts.push(InputPart::Text(format!("{of}:")));
                parts.push(InputPart::Image { url });
            } else {
                parts.push(InputPart::Text(format!("{of} is too large to be shown.")));
            }
        }
    }
    (!parts.is_empty()).then_some(InputItem::User(parts))
}
