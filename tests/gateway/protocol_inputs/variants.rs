//! What can be wrong with a JSON value.

use serde_json::{Map, Value, json};

/// A request, changed in one place.
pub(super) struct Variant {
    /// Where and how.
    pub(super) what: String,
    pub(super) body: Value,
    /// Whether it means what the valid request means.
    pub(super) is_valid: bool,
}

/// The request itself; then, at each place in it: nothing, `null`, each other type, values of the
/// right type that mean nothing, and unknown members.
pub(super) fn variants(valid: &Value) -> Vec<Variant> {
    let mut all =
        vec![Variant { what: "as it is".to_owned(), body: valid.clone(), is_valid: true }];
    let mut add = |what: String, body: Value, is_valid: bool| {
        all.push(Variant { what, body, is_valid });
    };
    for place in places(valid) {
        let found = valid.pointer(&place).unwrap();
        let is_free = FREE.iter().any(|free| place.contains(free));
        for (what, instead) in instead_of(found) {
            add(format!("{place} {what}"), with(valid, &place, instead), false);
        }
        if let Some(body) = without(valid, &place) {
            add(format!("{place} missing"), body, false);
        }
        if let Value::Object(members) = found {
            for (name, is_valid) in [("unknown", !is_free), ("\0", false)] {
                let mut members = members.clone();
                members.insert(name.to_owned(), json!({"deep": [null, 1.5, "\u{7f}"]}));
                let body = with(valid, &place, members.into());
                add(format!("{place} with a member {name:?}"), body, is_valid);
            }
        }
    }
    all
}

/// Objects whose members have types though not names: more of them are not unknown.
const FREE: [&str; 1] = ["/answers"];

/// The places of a value and of all that is in it.
fn places(value: &Value) -> Vec<String> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(members) => {
            members.iter().map(|(name, member)| (name.clone(), member)).collect()
        }
        Value::Array(entries) => {
            entries.iter().enumerate().map(|(index, entry)| (index.to_string(), entry)).collect()
        }
        _ => Vec::new(),
    };
    let below = inner.into_iter().flat_map(|(name, value)| {
        places(value).into_iter().map(move |place| format!("/{name}{place}"))
    });
    [String::new()].into_iter().chain(below).collect()
}

/// Each type, and values of the type found that mean nothing or too much.
fn instead_of(found: &Value) -> Vec<(String, Value)> {
    let types = [
        json!(null),
        json!(true),
        json!(7),
        json!("text"),
        json!(["text"]),
        json!({"member": "text"}),
    ];
    let mut values: Vec<Value> =
        types.into_iter().filter(|value| kind(value) != kind(found)).collect();
    match found {
        Value::String(_) => values.extend([json!(""), json!("\0"), json!("\u{feff}🦀\r\n")]),
        Value::Number(_) => {
            values.extend([json!(0), json!(-1), json!(1.5), json!(u64::MAX), json!(1e300)]);
            values.extend([json!("7"), json!("")]);
        }
        Value::Array(entries) => {
            values.push(json!([]));
            for entry in [json!(null), json!(7), json!("text"), json!([]), json!({})] {
                values.push(entries.iter().cloned().chain([entry]).collect());
            }
            values.push(entries.iter().chain(entries).cloned().collect());
        }
        Value::Object(_) => values.push(Map::new().into()),
        Value::Bool(_) | Value::Null => {}
    }
    let named = |value: Value| (format!("as {value}"), value);
    values.into_iter().filter(|value| value != found).map(named).collect()
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

fn with(valid: &Value, place: &str, instead: Value) -> Value {
    let mut body = valid.clone();
    *body.pointer_mut(place).unwrap() = instead;
    body
}

/// The value without what stands at a place; nothing can be taken from nowhere.
fn without(valid: &Value, place: &str) -> Option<Value> {
    let mut body = valid.clone();
    let (parent, name) = place.rsplit_once('/')?;
    match body.pointer_mut(parent)? {
        Value::Object(members) => members.shift_remove(name).map(drop)?,
        Value::Array(entries) => drop(entries.remove(name.parse().ok()?)),
        _ => return None,
    }
    Some(body)
}
