//! What happened between two states of a widget, as the official SDK tells it.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::protocol::ItemUpdate;

/// The updates that lead from one state of a widget to the next.
///
/// Where nothing but the `value` of `Text` and `Markdown` components has grown, each that has an
/// `id` gives an update with the text that was added; text without an `id` cannot be named and
/// gives none. Anything else that differs gives the whole widget. A member that is `null` is as one
/// that is absent.
pub fn diff(before: &Value, after: &Value) -> Vec<ItemUpdate> {
    let mut changes = Changes::default();
    if changes.are_growth(before, after) && changes.are_named_once() {
        changes.grown.into_iter().map(Grown::into_update).collect()
    } else {
        vec![ItemUpdate::WidgetRootUpdated { widget: after.clone() }]
    }
}

/// What was found so far.
#[derive(Default)]
struct Changes<'a> {
    grown: Vec<Grown<'a>>,
    /// How many components have an id.
    ids: HashMap<&'a str, usize>,
}

/// A component whose text has grown.
struct Grown<'a> {
    id: &'a str,
    added: &'a str,
    is_streaming: bool,
}

impl Grown<'_> {
    fn into_update(self) -> ItemUpdate {
        ItemUpdate::WidgetTextDelta {
            component_id: self.id.to_owned(),
            delta: self.added.to_owned(),
            done: !self.is_streaming,
        }
    }
}

impl<'a> Changes<'a> {
    /// Whether two states of a component differ in nothing but text that has grown.
    fn are_growth(&mut self, before: &'a Value, after: &'a Value) -> bool {
        let (Value::Object(before), Value::Object(after)) = (before, after) else {
            return before == after;
        };
        if let Some(id) = id(after) {
            *self.ids.entry(id).or_default() += 1;
        }
        let new = after.keys().filter(|name| !before.contains_key(*name));
        before.keys().chain(new).all(|name| match name.as_str() {
            "children" => self.are_growth_of_children(member(before, name), member(after, name)),
            "value" if is_text(after) => self.is_growth_of_text(before, after),
            // What looks like a component in here, in the payload of an action say, is none.
            _ => member(before, name) == member(after, name),
        })
    }

    fn are_growth_of_children(
        &mut self,
        before: Option<&'a Value>,
        after: Option<&'a Value>,
    ) -> bool {
        match (before, after) {
            (Some(Value::Array(before)), Some(Value::Array(after))) => {
                before.len() == after.len()
                    && before
                        .iter()
                        .zip(after)
                        .all(|(before, after)| self.are_growth(before, after))
            }
            // The child of a `Transition`.
            (Some(before), Some(after)) => self.are_growth(before, after),
            (before, after) => before == after,
        }
    }

    fn is_growth_of_text(
        &mut self,
        before: &'a Map<String, Value>,
        after: &'a Map<String, Value>,
    ) -> bool {
        let (old, new) = (member(before, "value"), member(after, "value"));
        let texts = old.and_then(Value::as_str).zip(new.and_then(Value::as_str));
        let Some((old, new)) = texts else { return old == new };
        let Some(added) = new.strip_prefix(old) else { return false };
        if let Some(id) = id(after).filter(|_| !added.is_empty()) {
            let is_streaming = member(after, "streaming") == Some(&Value::Bool(true));
            self.grown.push(Grown { id, added, is_streaming });
        }
        true
    }

    /// Whether each id among what has grown names one component.
    fn are_named_once(&self) -> bool {
        self.grown.iter().all(|grown| self.ids[grown.id] == 1)
    }
}

/// A member; `null` is as good as none.
fn member<'a>(component: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    component.get(name).filter(|value| !value.is_null())
}

fn id(component: &Map<String, Value>) -> Option<&str> {
    component.get("id").and_then(Value::as_str).filter(|id| !id.is_empty())
}

fn is_text(component: &Map<String, Value>) -> bool {
    matches!(component.get("type").and_then(Value::as_str), Some("Text" | "Markdown"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::{super::property::check, *};

    fn delta(component_id: &str, delta: &str, done: bool) -> ItemUpdate {
        let (component_id, delta) = (component_id.to_owned(), delta.to_owned());
        ItemUpdate::WidgetTextDelta { component_id, delta, done }
    }

    fn card(children: Value) -> Value {
        let mut card = json!({ "type": "Card" });
        card["children"] = children;
        card
    }

    #[test]
    fn texts_that_grow_give_what_was_added_to_each_in_their_order() {
        let before = card(json!([
            {"type": "Text", "id": "a", "value": "né", "streaming": true},
            {"type": "Row", "children": [
                {"type": "Transition", "children": {"type": "Markdown", "id": "b", "value": ""}},
                {"type": "Text", "id": "c", "value": "same"},
            ]},
        ]));
        let after = card(json!([
            {"type": "Text", "id": "a", "value": "née 🦀", "streaming": true},
            {"type": "Row", "children": [
                {"type": "Transition", "children": {"type": "Markdown", "id": "b", "value": "# B"}},
                {"type": "Text", "id": "c", "value": "same"},
            ]},
        ]));

        assert_eq!(diff(&before, &after), [delta("a", "e 🦀", false), delta("b", "# B", true)]);
    }

    #[test]
    fn growing_text_that_cannot_be_named_gives_nothing() {
        for id in [json!(null), json!(""), json!(7)] {
            let before = card(json!([{"type": "Text", "id": id, "value": "a"}]));
            let after = card(json!([{"type": "Text", "id": id, "value": "ab"}]));

            assert_eq!(diff(&before, &after), [], "{id}");
        }
    }

    #[test]
    fn what_means_the_same_is_no_change() {
        let before = json!({"type": "Card", "size": null, "children": null, "key": "k"});
        let after = json!({"key": "k", "type": "Card", "id": null});

        assert_eq!(diff(&before, &after), []);
    }

    /// Two states of one child.
    #[test]
    fn anything_else_gives_the_whole_widget() {
        let text = json!({"type": "Text", "id": "a", "value": "one", "streaming": true});
        let with = |name: &str, value: Value| {
            let mut text = text.clone();
            text[name] = value;
            text
        };
        let action = |value: &str| {
            let payload = json!({"type": "Text", "id": "p", "value": value});
            json!({"type": "Button", "onClickAction": {"type": "buy", "payload": payload}})
        };
        let child = |child: Value| json!({"type": "Row", "children": child});
        let cases = [
            ("shorter", text.clone(), with("value", json!("on"))),
            ("another", text.clone(), with("value", json!("two"))),
            ("no text", text.clone(), with("value", json!(null))),
            ("the end of the stream", text.clone(), with("streaming", json!(false))),
            ("another type", text.clone(), with("type", json!("Markdown"))),
            ("another id", text.clone(), with("id", json!("b"))),
            ("another key", text.clone(), with("key", json!("k"))),
            ("another colour", text.clone(), with("color", json!({"dark": "red"}))),
            (
                "a title that grows",
                json!({"type": "Title", "id": "a", "value": "a"}),
                json!({"type": "Title", "id": "a", "value": "ab"}),
            ),
            ("no component", action("a"), action("ab")),
            ("a child more", child(json!([])), child(json!([text]))),
            ("children at last", child(json!(null)), child(json!([]))),
            ("one child, not a list", child(text.clone()), child(json!([text]))),
            ("no object", json!("a"), json!("ab")),
        ];

        for (what, before, after) in cases {
            let (before, after) = (card(json!([before])), card(json!([after])));
            let whole = ItemUpdate::WidgetRootUpdated { widget: after.clone() };
            assert_eq!(diff(&before, &after), [whole], "{what}");
        }
    }

    #[test]
    fn components_that_change_places_give_the_whole_widget() {
        let one = json!({"type": "Text", "id": "a", "value": "x"});
        let other = json!({"type": "Text", "id": "b", "value": "x"});
        let (before, after) = (card(json!([one, other])), card(json!([other, one])));

        assert_eq!(diff(&before, &after), [ItemUpdate::WidgetRootUpdated { widget: after }]);
    }

    #[test]
    fn text_under_an_id_that_two_components_have_gives_the_whole_widget() {
        let title = json!({"type": "Title", "id": "a", "value": "x"});
        let text = |value: &str| json!({"type": "Text", "id": "a", "value": value});
        let (before, after) = (card(json!([text("x"), title])), card(json!([text("xy"), title])));

        assert_eq!(diff(&before, &after), [ItemUpdate::WidgetRootUpdated { widget: after }]);
        assert_eq!(diff(&before, &before), []);
    }

    // ---- any widget ----------------------------------------------------------------------------

    fn any_text() -> impl Strategy<Value = Value> {
        let kind = prop_oneof![Just("Text"), Just("Markdown"), Just("Title")];
        (kind, "[abc]", "[aé🦀]{0,3}", any::<Option<bool>>()).prop_map(
            |(kind, id, value, streaming)| {
                json!({"type": kind, "id": id, "value": value, "streaming": streaming})
            },
        )
    }

    fn any_widget() -> impl Strategy<Value = Value> {
        any_text().prop_recursive(3, 12, 3, |child| {
            let children = prop_oneof![
                prop::collection::vec(child.clone(), 0..3).prop_map(Value::Array),
                child,
                Just(Value::Null),
            ];
            children.prop_map(|children| json!({"type": "Box", "children": children}))
        })
    }

    /// The widget with more text in some places.
    fn grown(widget: &Value, added: &mut impl Iterator<Item = String>) -> Value {
        let mut widget = widget.clone();
        if let Some(text) = widget.get("value").and_then(Value::as_str) {
            widget["value"] = format!("{text}{}", added.next().unwrap_or_default()).into();
        }
        let children = match &widget["children"] {
            Value::Array(children) => children.iter().map(|child| grown(child, added)).collect(),
            child @ Value::Object(_) => grown(child, added),
            _ => return widget,
        };
        widget["children"] = children;
        widget
    }

    proptest! {
        #[test]
        fn the_updates_lead_from_any_state_to_any_other(
            before in any_widget(), after in any_widget(),
        ) {
            check(&before, &after);
        }

        #[test]
        fn the_updates_lead_from_any_state_to_one_with_more_text(
            before in any_widget(), added in prop::collection::vec("[aé🦀]{0,2}", 0..12),
        ) {
            let after = grown(&before, &mut added.into_iter());

            check(&before, &after);
        }
    }
}
