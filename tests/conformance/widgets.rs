//! Widgets are compared as they were given: the SDK reads them into classes and writes their
//! members in an order of its own, with defaults added; the gateway sends and keeps the JSON that
//! it was given.

use serde_json::Value;

/// A recorded text of lines with every widget as the recording's case gave it. Both have the same
/// names.
pub(crate) fn as_given(recorded: &str, case: &str) -> String {
    let case: Value = serde_json::from_str(case).unwrap();
    let mut given = Vec::new();
    collect(&case, &mut given);
    let lines = recorded.lines().map(|line| {
        let (prefix, json) = line.split_at(line.find('{').unwrap_or(line.len()));
        let Ok(mut json) = serde_json::from_str::<Value>(json) else { return line.to_owned() };
        if replace(&mut json, &given) { format!("{prefix}{json}") } else { line.to_owned() }
    });
    lines.collect::<Vec<String>>().join("\n")
}

fn is_widget_member(name: &str, value: &Value) -> bool {
    matches!(name, "widget" | "component") && value.is_object()
}

/// What the script makes of the widget that an action comes from, or a widget that a tool shows.
fn is_next_widget(name: &str) -> bool {
    matches!(name, "replace_sender_widget" | "sender_widget" | "context_widget")
}

fn collect<'a>(value: &'a Value, given: &mut Vec<&'a Value>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if is_widget_member(name, member) || is_next_widget(name) {
                    given.push(member);
                } else if name == "stream_widget" {
                    given.extend(member.as_array().into_iter().flatten());
                } else {
                    collect(member, given);
                }
            }
        }
        Value::Array(entries) => entries.iter().for_each(|entry| collect(entry, given)),
        _ => {}
    }
}

/// Whether something was replaced.
fn replace(value: &mut Value, given: &[&Value]) -> bool {
    let mut is_replaced = false;
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if is_widget_member(name, member) {
                    let found = given.iter().find(|given| covers(member, given));
                    *member = (*found.expect("the case gives the recorded widget")).clone();
                    is_replaced = true;
                } else {
                    is_replaced |= replace(member, given);
                }
            }
        }
        Value::Array(entries) => {
            for entry in entries {
                is_replaced |= replace(entry, given);
            }
        }
        _ => {}
    }
    is_replaced
}

/// Whether the recorded value says all that was given; it may say more.
fn covers(recorded: &Value, given: &Value) -> bool {
    match (recorded, given) {
        (Value::Object(recorded), Value::Object(given)) => given.iter().all(|(name, value)| {
            recorded.get(name).map_or(value.is_null(), |recorded| covers(recorded, value))
        }),
        (Value::Array(recorded), Value::Array(given)) => {
            recorded.len() == given.len()
                && recorded.iter().zip(given).all(|(recorded, given)| covers(recorded, given))
        }
        (recorded, given) => recorded == given,
    }
}

#[test]
fn a_recorded_widget_is_found_among_the_given_ones_whatever_its_order() {
    let case = r#"{"respond":[{"event":{"widget":{"type":"Card","size":"md"}}}]}"#;
    let recorded =
        "data: {\"item\":{\"widget\":{\"size\":\"md\",\"type\":\"Card\",\"more\":1}}}\ndata: {}";

    assert_eq!(
        as_given(recorded, case),
        "data: {\"item\":{\"widget\":{\"type\":\"Card\",\"size\":\"md\"}}}\ndata: {}"
    );
}
