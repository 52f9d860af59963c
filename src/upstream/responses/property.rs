//! The short way through a delta and the long one agree.

use std::ops::ControlFlow;

use serde_json::Value;

use super::wire::{Place, TextDelta};
use crate::upstream::json;

/// Whether the short way takes this data of an event: then the long one, if it can read it, finds the
/// same. (The short way does not look behind the last member that it has use for, where an error, or
/// one of them again, would not be seen.)
pub(crate) fn short_way(data: &str) -> bool {
    let Some(short) = TextDelta::parse(data) else { return false };
    let mut members = 0;
    let _ = json::members(data, |_, _| {
        members += 1;
        ControlFlow::Continue(())
    });
    match json::parse::<Value>(data) {
        Ok(Value::Object(event)) if event.len() == members && !event.contains_key("error") => {
            let event = Value::Object(event);
            assert_eq!(event["type"], "response.output_text.delta", "{data}");
            assert_eq!(event["delta"], short.delta, "{data}");
            assert_eq!(event["content_index"].as_u64(), short.content_index, "{data}");
            let place = Place::of(&event);
            assert_eq!(place.output_index, short.place.output_index, "{data}");
            assert_eq!(place.item_id, short.place.item_id, "{data}");
        }
        _ => {}
    }
    true
}
