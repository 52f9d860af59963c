//! Function calls from their fragments.
//!
//! A fragment names its call by `index`, by `id`, or not at all, and repeats or leaves out what
//! the first one said, as the server likes. An empty or missing value never replaces one.

use serde::de::IgnoredAny;
use serde_json::Value;
use uuid::Uuid;

use super::wire::non_empty;
use crate::upstream::{FunctionCall, UpstreamError};

/// Calls of one answer. Models make a handful; this is against servers run wild.
const MAX_CALLS: usize = 64;
/// Of one call's arguments.
const MAX_ARGUMENT_BYTES: usize = 256 << 10;

/// The calls of one answer so far, in the order in which they began.
#[derive(Default)]
pub(super) struct Calls {
    slots: Vec<Slot>,
}

#[derive(Default)]
struct Slot {
    /// The server's number. It names the call and is not its place: some servers begin at 1.
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
}

impl Calls {
    /// Whether there is a call that can be made.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.iter().all(|slot| slot.name.is_empty())
    }

    /// Takes the fragments of one chunk.
    pub(super) fn add(&mut self, fragments: &[Value]) -> Result<(), UpstreamError> {
        for (position, fragment) in fragments.iter().enumerate() {
            let position = (fragments.len() > 1).then_some(position);
            let slot = self.slot(fragment, position)?;
            slot.take(fragment)?;
        }
        Ok(())
    }

    /// The calls. Ids are made up where the server gave none.
    pub(super) fn finish(&mut self) -> impl Iterator<Item = FunctionCall> {
        let named = self.slots.drain(..).filter(|slot| !slot.name.is_empty());
        named.map(|slot| FunctionCall {
            call_id: match slot.id {
                id if id.is_empty() => format!("call_{}", Uuid::now_v7().simple()),
                id => id,
            },
            name: slot.name,
            arguments: match slot.arguments {
                arguments if arguments.trim().is_empty() => "{}".to_owned(),
                arguments => arguments,
            },
        })
    }

    /// The slot of a fragment. `position` is its place among the fragments of its chunk, if it
    /// has company there.
    fn slot(
        &mut self,
        fragment: &Value,
        position: Option<usize>,
    ) -> Result<&mut Slot, UpstreamError> {
        let index = fragment["index"].as_u64();
        let id = non_empty(&fragment["id"]).unwrap_or_default();
        let known = if index.is_some() {
            self.slots.iter().rposition(|slot| slot.index == index)
        } else if !id.is_empty() {
            self.slots.iter().position(|slot| slot.id == id)
        } else {
            position.or(self.slots.len().checked_sub(1)).filter(|known| *known < self.slots.len())
        };
        let known = known.filter(|known| !self.slots[*known].is_followed_by(id, fragment));
        let place = match known {
            Some(known) => known,
            None if self.slots.len() >= MAX_CALLS => {
                return Err(UpstreamError::unreadable("it makes more calls than allowed"));
            }
            None => {
                self.slots.push(Slot { index, ..Slot::default() });
                self.slots.len() - 1
            }
        };
        Ok(&mut self.slots[place])
    }
}

impl Slot {
    /// Whether a fragment that seems to belong here begins another call: this one is whole, and
    /// the fragment has another id (servers that say index 0 always) or, without any id, a name
    /// and arguments again (servers that send whole calls and neither index nor id). A named call
    /// without arguments is whole, too, when another id comes with a name of its own.
    fn is_followed_by(&self, id: &str, fragment: &Value) -> bool {
        let is_named = non_empty(&fragment["function"]["name"]).is_some();
        if id.is_empty() || self.id.is_empty() {
            let arguments = non_empty(&fragment["function"]["arguments"]);
            return id.is_empty()
                && fragment["index"].is_null()
                && is_named
                && arguments.is_some_and(|arguments| arguments != self.arguments)
                && self.is_whole();
        }
        let is_bare = self.arguments.is_empty() && !self.name.is_empty();
        id != self.id && (self.is_whole() || (is_bare && is_named))
    }

    fn is_whole(&self) -> bool {
        serde_json::from_str::<IgnoredAny>(&self.arguments).is_ok()
    }

    fn take(&mut self, fragment: &Value) -> Result<(), UpstreamError> {
        if let Some(id) = non_empty(&fragment["id"]).filter(|_| self.id.is_empty()) {
            id.clone_into(&mut self.id);
        }
        let function = &fragment["function"];
        if let Some(name) = non_empty(&function["name"]) {
            // A name in pieces is rare, a repeated one is common.
            if self.name.is_empty() || (self.arguments.is_empty() && self.name != name) {
                self.name.push_str(name);
            }
        }
        match &function["arguments"] {
            // Some servers repeat the whole at the end.
            Value::String(text) if *text == self.arguments && self.is_whole() => {}
            Value::String(text) => self.arguments.push_str(text),
            Value::Null => {}
            other => self.arguments = other.to_string(),
        }
        if self.arguments.len() > MAX_ARGUMENT_BYTES {
            return Err(UpstreamError::unreadable("a call's arguments are longer than allowed"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The calls of some chunks' fragments, as (id, name, arguments).
    fn assemble(chunks: &[Value]) -> Vec<(String, String, String)> {
        let mut calls = Calls::default();
        for chunk in chunks {
            calls.add(chunk.as_array().unwrap()).unwrap();
        }
        calls.finish().map(|call| (call.call_id, call.name, call.arguments)).collect()
    }

    fn whole(id: &str, name: &str, arguments: &str) -> (String, String, String) {
        (id.to_owned(), name.to_owned(), arguments.to_owned())
    }

    #[test]
    fn fragments_of_several_calls_may_interleave() {
        let calls = assemble(&[
            json!([{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}},
                {"index": 1, "id": "b", "function": {"name": "g", "arguments": "{\"x\""}}]),
            json!([{"index": 0, "function": {"arguments": "{}"}}]),
            json!([{"index": 1, "function": {"arguments": ":1}"}}]),
        ]);

        assert_eq!(calls, [whole("a", "f", "{}"), whole("b", "g", "{\"x\":1}")]);
    }

    #[test]
    fn empty_and_null_values_replace_nothing() {
        let calls = assemble(&[
            json!([{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{"}}]),
            json!([{"index": 0, "id": "", "function": {"name": "", "arguments": "\"x\""}}]),
            json!([{"index": 0, "id": null, "function": {"name": null, "arguments": null}}]),
            json!([{"index": 0, "id": "a", "function": {"name": "f", "arguments": ":1}"}}]),
        ]);

        assert_eq!(calls, [whole("a", "f", "{\"x\":1}")]);
    }

    #[test]
    fn an_index_is_a_name_and_not_a_place() {
        let calls = assemble(&[json!([{"index": 7, "id": "a", "function": {"name": "f"}}])]);

        assert_eq!(calls, [whole("a", "f", "{}")]);
    }

    #[test]
    fn without_an_index_the_id_joins_and_without_both_the_place() {
        let by_id = assemble(&[
            json!([{"id": "a", "function": {"name": "f", "arguments": "{"}}]),
            json!([{"id": "b", "function": {"name": "g", "arguments": "{"}}]),
            json!([{"id": "a", "function": {"arguments": "}"}}]),
            json!([{"function": {"arguments": "}"}}]),
        ]);
        assert_eq!(by_id, [whole("a", "f", "{}"), whole("b", "g", "{}")]);

        let by_place = assemble(&[
            json!([{"function": {"name": "f", "arguments": "{"}}, {"function": {"name": "g", "arguments": "["}}]),
            json!([{"function": {"arguments": "}"}}, {"function": {"arguments": "]"}}]),
        ]);
        let told: Vec<_> = by_place.iter().map(|call| (&*call.1, &*call.2)).collect();
        assert_eq!(told, [("f", "{}"), ("g", "[]")]);
        assert!(by_place.iter().all(|call| call.0.starts_with("call_")), "{by_place:?}");
    }

    #[test]
    fn another_id_at_the_same_index_is_another_call_once_the_first_is_whole() {
        let calls = assemble(&[
            json!([{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]),
            json!([{"index": 0, "id": "b", "function": {"name": "g", "arguments": "{"}}]),
            json!([{"index": 0, "function": {"arguments": "}"}}]),
        ]);

        assert_eq!(calls, [whole("a", "f", "{}"), whole("b", "g", "{}")]);
    }

    #[test]
    fn whole_calls_without_any_name_of_theirs_are_told_apart() {
        let calls = assemble(&[
            json!([{"function": {"name": "f", "arguments": "{\"x\":1}"}}]),
            json!([{"function": {"name": "f", "arguments": "{\"x\":2}"}}]),
        ]);

        let arguments: Vec<_> = calls.iter().map(|call| &*call.2).collect();
        assert_eq!(arguments, ["{\"x\":1}", "{\"x\":2}"]);
    }

    #[test]
    fn arguments_may_be_an_object_and_may_be_repeated() {
        let object = assemble(&[
            json!([{"index": 0, "id": "a", "function": {"name": "f", "arguments": {"x": 1}}}]),
        ]);
        assert_eq!(object, [whole("a", "f", "{\"x\":1}")]);

        let repeated =
            json!([{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]);
        assert_eq!(assemble(&[repeated.clone(), repeated]), [whole("a", "f", "{}")]);
    }

    #[test]
    fn a_name_may_come_in_pieces() {
        let calls = assemble(&[
            json!([{"index": 0, "id": "a", "function": {"name": "tasks_"}}]),
            json!([{"index": 0, "function": {"name": "list"}}]),
            json!([{"index": 0, "function": {"name": "tasks_list", "arguments": "{}"}}]),
        ]);

        assert_eq!(calls, [whole("a", "tasks_list", "{}")]);
    }

    #[test]
    fn neither_calls_nor_arguments_grow_without_end() {
        let mut calls = Calls::default();
        let long = "x".repeat(MAX_ARGUMENT_BYTES + 1);
        assert!(calls.add(&[json!({"index": 0, "function": {"arguments": long}})]).is_err());

        let mut calls = Calls::default();
        let many: Vec<_> = (0..=MAX_CALLS).map(|index| json!({"index": index})).collect();
        assert!(calls.add(&many).is_err());
    }
}
