//! Tool calls put together from fragments.
//!
//! Servers differ in everything: an index may be missing, may begin at 1, may always be 0; an id
//! may come once, with every fragment, or empty; arguments may be an object. An empty value never
//! overwrites.

use serde::Deserialize;
use serde_json::Value;

use crate::upstream::{FunctionCall, UpstreamError, responses::whole_call};

/// More calls in one turn than a model would make.
const MAX_CALLS: usize = 64;
/// More arguments of one call than a model would write, in bytes.
const MAX_ARGUMENTS: usize = 256 * 1024;

/// A fragment of a call.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Fragment {
    #[serde(default)]
    index: Option<i64>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    function: Option<FunctionFragment>,
}

/// What a fragment says of the function.
#[derive(Debug, Default, Deserialize)]
pub(super) struct FunctionFragment {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arguments: Value,
}

impl Fragment {
    /// From the member `function_call`, which came before `tool_calls`.
    pub(super) fn of_function(function: FunctionFragment) -> Self {
        Self { index: Some(0), id: None, function: Some(function) }
    }

    fn id(&self) -> Option<&str> {
        self.id.as_deref().filter(|id| !id.is_empty())
    }
}

#[derive(Debug, Default)]
struct Slot {
    index: Option<i64>,
    id: String,
    name: String,
    arguments: String,
}

/// The calls of one answer, in the order of their beginning.
#[derive(Debug, Default)]
pub(super) struct Calls {
    slots: Vec<Slot>,
}

impl Calls {
    /// Takes the fragments of one chunk.
    pub(super) fn add(&mut self, fragments: Vec<Fragment>) -> Result<(), UpstreamError> {
        let are_several = fragments.len() > 1;
        for (place, fragment) in fragments.into_iter().enumerate() {
            let slot = self.slot(&fragment, are_several.then_some(place));
            if slot >= MAX_CALLS {
                return Err(too_much("it makes too many calls"));
            }
            if self.slots.len() <= slot {
                self.slots.resize_with(slot + 1, Slot::default);
            }
            self.slots[slot].take(fragment)?;
        }
        Ok(())
    }

    /// Which call a fragment belongs to; one past the end is a new one.
    fn slot(&self, fragment: &Fragment, place: Option<usize>) -> usize {
        let new = self.slots.len();
        let by_id = || {
            let id = fragment.id()?;
            self.slots.iter().rposition(|slot| slot.id == id)
        };
        if let Some(index) = fragment.index {
            let found = self.slots.iter().rposition(|slot| slot.index == Some(index));
            // Some servers say index 0 of every call: another id behind whole arguments is new.
            let is_another = |slot: &Slot| {
                fragment.id().is_some_and(|id| !slot.id.is_empty() && slot.id != id)
                    && slot.is_whole()
            };
            return match found {
                Some(found) if is_another(&self.slots[found]) => by_id().unwrap_or(new),
                Some(found) => found,
                None => new,
            };
        }
        match (fragment.id(), place) {
            (Some(_), _) => by_id().unwrap_or(new),
            (None, Some(place)) => place.min(new),
            (None, None) => new.saturating_sub(1),
        }
    }

    /// Whether a call was named.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.iter().all(|slot| slot.name.is_empty())
    }

    /// The calls, each whole as far as the server said.
    pub(super) fn finish(self) -> impl Iterator<Item = FunctionCall> {
        self.slots
            .into_iter()
            .filter(|slot| !slot.name.is_empty())
            .map(|slot| whole_call(&slot.id, &slot.name, &slot.arguments))
    }
}

impl Slot {
    fn take(&mut self, fragment: Fragment) -> Result<(), UpstreamError> {
        self.index = self.index.or(fragment.index);
        if self.id.is_empty() {
            self.id = fragment.id.unwrap_or_default();
        }
        let Some(function) = fragment.function else { return Ok(()) };
        if let Some(name) = function.name {
            self.take_name(&name);
        }
        match function.arguments {
            Value::String(text) if !(self.is_whole() && self.arguments == text) => {
                self.arguments.push_str(&text);
            }
            whole @ (Value::Object(_) | Value::Array(_)) => self.arguments = whole.to_string(),
            _ => {}
        }
        if self.arguments.len() > MAX_ARGUMENTS {
            return Err(too_much("the arguments of a call are too large"));
        }
        Ok(())
    }

    /// A name comes once, or again with each fragment, or rarely in pieces.
    fn take_name(&mut self, name: &str) {
        if self.name.is_empty() || (self.arguments.is_empty() && self.name != name) {
            self.name.push_str(name);
        }
    }

    fn is_whole(&self) -> bool {
        !self.arguments.is_empty() && serde_json::from_str::<Value>(&self.arguments).is_ok()
    }
}

fn too_much(reason: &str) -> UpstreamError {
    UpstreamError::Unreadable { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Name and arguments of the calls that chunks of fragments make.
    fn calls(chunks: Value) -> Vec<(String, String)> {
        let mut calls = Calls::default();
        for chunk in chunks.as_array().unwrap() {
            calls.add(serde_json::from_value(chunk.clone()).unwrap()).unwrap();
        }
        calls.finish().map(|call| (call.name, call.arguments)).collect()
    }

    fn pair(name: &str, arguments: &str) -> (String, String) {
        (name.to_owned(), arguments.to_owned())
    }

    #[test]
    fn fragments_are_joined_by_index_wherever_it_begins() {
        let joined = calls(json!([
            [{"index": 1, "id": "a", "function": {"name": "f", "arguments": ""}}],
            [{"index": 2, "id": "b", "function": {"name": "g", "arguments": "{\"x\""}}],
            [{"index": 1, "id": "", "type": "function", "function": {"arguments": "{}"}}],
            [{"index": 2, "id": null, "function": {"name": null, "arguments": ":1}"}}],
        ]));
        assert_eq!(joined, [pair("f", "{}"), pair("g", "{\"x\":1}")]);
    }

    #[test]
    fn without_an_index_ids_and_places_tell() {
        let by_id = calls(json!([
            [{"id": "a", "function": {"name": "f", "arguments": "{}"}}],
            [{"id": "b", "function": {"name": "g", "arguments": "{\"x\""}}],
            [{"function": {"arguments": ":1}"}}],
        ]));
        assert_eq!(by_id, [pair("f", "{}"), pair("g", "{\"x\":1}")]);
        let by_place = calls(json!([[
            {"function": {"name": "f", "arguments": {}}},
            {"function": {"name": "g", "arguments": {"x": 1}}},
        ]]));
        assert_eq!(by_place, [pair("f", "{}"), pair("g", "{\"x\":1}")]);
    }

    #[test]
    fn another_id_at_the_same_index_is_another_call() {
        let always_zero = calls(json!([
            [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}],
            [{"index": 0, "id": "b", "function": {"name": "g", "arguments": "{}"}}],
        ]));
        assert_eq!(always_zero, [pair("f", "{}"), pair("g", "{}")]);
    }

    #[test]
    fn what_comes_again_is_not_doubled() {
        let repeated = calls(json!([
            [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{\"x\":1}"}}],
            [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{\"x\":1}"}}],
        ]));
        assert_eq!(repeated, [pair("f", "{\"x\":1}")]);
    }

    #[test]
    fn no_arguments_are_an_empty_object() {
        let bare = calls(json!([[{"index": 0, "id": "a", "function": {"name": "f"}}]]));
        assert_eq!(bare, [pair("f", "{}")]);
    }
}
