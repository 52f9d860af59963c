//! The output items of an answer, and which of them an event belongs to.

use serde_json::Value;

use super::{
    call::Call,
    hosted::Hosted,
    image::Image,
    message::Message,
    reasoning::Reasoning,
    wire::{Place, id, text},
};
use crate::upstream::ModelEvent;

/// All items in order of appearance; an item's place here is its index in events.
#[derive(Default)]
pub(super) struct Items {
    list: Vec<Item>,
}

struct Item {
    output_index: Option<u64>,
    id: Option<String>,
    is_done: bool,
    content: Content,
}

enum Content {
    Message(Message),
    Reasoning(Reasoning),
    Call(Call),
    Hosted(Hosted),
    Image(Image),
    /// What else may come: no event, but it takes an index.
    Other,
}

/// What kind of item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Message,
    Reasoning,
    Call,
    Hosted,
    Image,
    Other,
}

impl Kind {
    /// Those that are told.
    const TOLD: [Self; 5] = [Self::Message, Self::Reasoning, Self::Call, Self::Hosted, Self::Image];

    fn of(item: &Value) -> Self {
        match text(&item["type"]) {
            "message" => Self::Message,
            "reasoning" => Self::Reasoning,
            "function_call" => Self::Call,
            "image_generation_call" => Self::Image,
            kind if Hosted::is_kind(kind) => Self::Hosted,
            _ => Self::Other,
        }
    }
}

impl Item {
    fn kind(&self) -> Kind {
        match self.content {
            Content::Message(_) => Kind::Message,
            Content::Reasoning(_) => Kind::Reasoning,
            Content::Call(_) => Kind::Call,
            Content::Hosted(_) => Kind::Hosted,
            Content::Image(_) => Kind::Image,
            Content::Other => Kind::Other,
        }
    }

    fn end(&mut self, index: usize, item: Option<&Value>, out: &mut Vec<ModelEvent>) {
        if std::mem::replace(&mut self.is_done, true) {
            return;
        }
        match &mut self.content {
            Content::Message(message) => message.end(index, item, out),
            Content::Reasoning(reasoning) => reasoning.end(index, item, out),
            Content::Call(call) => call.end(index, item, out),
            Content::Hosted(hosted) => hosted.end(index, item, out),
            Content::Image(image) => image.end(index, item, out),
            Content::Other => out.extend(item.and_then(context)),
        }
    }
}

/// What of all else is worth to be sent back: with the list of its tools, the provider need not ask
/// an MCP server for them again.
fn context(item: &Value) -> Option<ModelEvent> {
    if text(&item["type"]) != "mcp_list_tools" {
        return None;
    }
    if !item["error"].is_null() {
        let server = text(&item["server_label"]);
        tracing::warn!(server, "the provider could not list the tools of an MCP server");
        return None;
    }
    Some(ModelEvent::Context { item: item.clone() })
}

impl Items {
    /// An item begins.
    pub(super) fn start(&mut self, place: Place<'_>, item: &Value, out: &mut Vec<ModelEvent>) {
        let place = Place { item_id: id(&item["id"]).or(place.item_id), ..place };
        self.push(place, Kind::of(item), item, out);
    }

    /// An item is whole.
    pub(super) fn end(&mut self, place: Place<'_>, item: &Value, out: &mut Vec<ModelEvent>) {
        let kind = Kind::of(item);
        let place = Place { item_id: id(&item["id"]).or(place.item_id), ..place };
        let index = match self.find_call(item).or_else(|| self.find(place, kind)) {
            Some(index) if self.list[index].kind() == kind => index,
            _ => self.push(place, kind, item, out),
        };
        self.list[index].end(index, Some(item), out);
    }

    /// The answer is whole: what of its items was not told, or not to the end, is now. The items
    /// are matched by kind and order, not by id or place: ids may change and servers leave items
    /// out here.
    pub(super) fn end_all(&mut self, output: &Value, calls_count: bool, out: &mut Vec<ModelEvent>) {
        let mut seen = Kind::TOLD.map(|kind| (kind, 0));
        for item in output.as_array().into_iter().flatten() {
            let kind = Kind::of(item);
            let Some((_, nth)) = seen.iter_mut().find(|(seen, _)| *seen == kind) else { continue };
            let ours = self.list.iter().enumerate().filter(|(_, ours)| ours.kind() == kind);
            let known = ours.map(|(index, _)| index).nth(*nth);
            *nth += 1;
            if kind == Kind::Call && !calls_count {
                continue;
            }
            let index = known.unwrap_or_else(|| self.push(Place::default(), kind, item, out));
            self.list[index].end(index, Some(item), out);
        }
        for (index, item) in self.list.iter_mut().enumerate() {
            if item.kind() != Kind::Call || calls_count {
                item.end(index, None, out);
            }
        }
    }

    /// The message an event belongs to, begun if need be; `None` if there is another item.
    pub(super) fn message(
        &mut self,
        place: Place<'_>,
        out: &mut Vec<ModelEvent>,
    ) -> Option<(usize, &mut Message)> {
        let index = self.open(place, Kind::Message, out)?;
        match &mut self.list[index].content {
            Content::Message(message) => Some((index, message)),
            _ => None,
        }
    }

    /// The reasoning an event belongs to, begun if need be; `None` if there is another item.
    pub(super) fn reasoning(
        &mut self,
        place: Place<'_>,
        out: &mut Vec<ModelEvent>,
    ) -> Option<(usize, &mut Reasoning)> {
        let index = self.open(place, Kind::Reasoning, out)?;
        match &mut self.list[index].content {
            Content::Reasoning(reasoning) => Some((index, reasoning)),
            _ => None,
        }
    }

    /// The call an event belongs to. Never begun here: the event does not say what is called.
    pub(super) fn call(&mut self, place: Place<'_>) -> Option<&mut Call> {
        let index = self.find(place, Kind::Call)?;
        match &mut self.list[index] {
            Item { is_done: false, content: Content::Call(call), .. } => Some(call),
            _ => None,
        }
    }

    /// The image an event belongs to, begun if need be; `None` if there is another item.
    pub(super) fn image(
        &mut self,
        place: Place<'_>,
        out: &mut Vec<ModelEvent>,
    ) -> Option<(usize, &mut Image)> {
        let index = self.open(place, Kind::Image, out)?;
        match &mut self.list[index].content {
            Content::Image(image) => Some((index, image)),
            _ => None,
        }
    }

    fn open(&mut self, place: Place<'_>, kind: Kind, out: &mut Vec<ModelEvent>) -> Option<usize> {
        let index = match self.find(place, kind) {
            Some(index) => index,
            None => self.push(place, kind, &Value::Null, out),
        };
        (!self.list[index].is_done).then_some(index)
    }

    /// The item at a place: by `output_index`, else by id (llama.cpp gives no index; Copilot's
    /// gateway gives every event another id), else the open one of the kind.
    fn find(&self, place: Place<'_>, kind: Kind) -> Option<usize> {
        let Place { output_index, item_id } = place;
        let by_index = |item: &Item| output_index.is_some() && item.output_index == output_index;
        // An item with another index is another item, whatever its id.
        let may_be = |item: &Item| output_index.is_none() || item.output_index.is_none();
        let by_id =
            |item: &Item| may_be(item) && item_id.is_some() && item.id.as_deref() == item_id;
        let by_kind = |item: &Item| may_be(item) && !item.is_done && item.kind() == kind;
        let list = &self.list;
        list.iter()
            .rposition(by_index)
            .or_else(|| list.iter().rposition(by_id))
            .or_else(|| list.iter().rposition(by_kind))
    }

    /// The open call that has the item's `call_id`: several may be open where nothing else joins.
    fn find_call(&self, item: &Value) -> Option<usize> {
        let call_id = id(&item["call_id"])?;
        self.list.iter().rposition(|item| match &item.content {
            Content::Call(call) => !item.is_done && call.is(call_id),
            _ => false,
        })
    }

    fn push(
        &mut self,
        place: Place<'_>,
        kind: Kind,
        item: &Value,
        out: &mut Vec<ModelEvent>,
    ) -> usize {
        let index = self.list.len();
        let content = match kind {
            Kind::Message => Content::Message(Message::start(index, item, out)),
            Kind::Reasoning => Content::Reasoning(Reasoning::start(index, out)),
            Kind::Call => Content::Call(Call::start(item)),
            Kind::Hosted => Content::Hosted(Hosted::start(index, item, out)),
            Kind::Image => Content::Image(Image::start(index, item, place.item_id, out)),
            Kind::Other => Content::Other,
        };
        self.list.push(Item {
            output_index: place.output_index,
            id: place.item_id.map(str::to_owned),
            is_done: false,
            content,
        });
        index
    }
}
