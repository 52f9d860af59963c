//! Values and their JSON.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Writes it as JSON, and sees that it is the same when it is read again.
pub(crate) fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(given: &T) -> Value {
    let json = serde_json::to_value(given).expect("it can be written");
    let again: T = serde_json::from_value(json.clone()).expect("and read");
    assert_eq!(&again, given);
    json
}

/// Whether there is a fraction in it: these are not exact in the text of JSON.
pub(crate) fn has_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(entries) => entries.iter().any(has_fraction),
        Value::Object(members) => members.values().any(has_fraction),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}
