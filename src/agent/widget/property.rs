//! The updates lead from any state of a widget to any other.

use serde_json::{Map, Value};

use super::diff;
use crate::protocol::ItemUpdate;

/// Two lines of JSON: a state and the next.
pub(crate) fn widget(data: &[u8]) -> bool {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut state = || serde_json::from_slice::<Value>(lines.next()?).ok();
    let (Some(before), Some(after)) = (state(), state()) else { return false };
    check(&before, &after);
    check(&after, &before);
    true
}

/// A client that was shown the one and is sent the updates shows the other, but for text without an
/// id that has grown, of which it cannot be told.
pub(super) fn check(before: &Value, after: &Value) {
    let mut shown = before.clone();
    for update in diff(before, after) {
        apply(&mut shown, update);
    }
    assert_eq!(diff(&shown, after), vec![], "{before} {after}");
    assert_eq!(normal(&shown), normal(after), "{before} {after}");
}

/// What the client does with an update.
fn apply(widget: &mut Value, update: ItemUpdate) {
    match update {
        ItemUpdate::WidgetRootUpdated { widget: new } => *widget = new,
        ItemUpdate::WidgetTextDelta { component_id, delta, .. } => {
            let found = add_text(widget, &component_id, &delta);
            assert_eq!(found, 1, "{component_id} names one component");
        }
        other => panic!("no update of a widget: {other:?}"),
    }
}

/// Answers how many components have the id.
fn add_text(component: &mut Value, id: &str, delta: &str) -> usize {
    let mut found = 0;
    if component["id"] == id {
        let text = component["value"].as_str().expect("only text grows");
        component["value"] = format!("{text}{delta}").into();
        found += 1;
    }
    if let Some(children) = component.get_mut("children") {
        found += match children {
            Value::Array(children) => {
                children.iter_mut().map(|child| add_text(child, id, delta)).sum()
            }
            child => add_text(child, id, delta),
        };
    }
    found
}

/// A component without what a client cannot tell from its absence, and without text that cannot be
/// named.
fn normal(component: &Value) -> Value {
    let Value::Object(members) = component else { return component.clone() };
    let has_id = members.get("id").and_then(Value::as_str).is_some_and(|id| !id.is_empty());
    let is_text = matches!(members.get("type").and_then(Value::as_str), Some("Text" | "Markdown"));
    let members = members.iter().filter(|(name, value)| {
        !value.is_null() && (has_id || !is_text || name.as_str() != "value" || !value.is_string())
    });
    let normal = members.map(|(name, value)| {
        let value = match (name.as_str(), value) {
            ("children", Value::Array(children)) => children.iter().map(normal).collect(),
            ("children", child) => normal(child),
            _ => value.clone(),
        };
        (name.clone(), value)
    });
    Value::Object(normal.collect::<Map<_, _>>())
}
