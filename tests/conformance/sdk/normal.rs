//! What both servers' JSON is brought to before it is compared. What else may differ is a rule of
//! [`super::rules`].
//!
//! - Identifiers are numbered in order of appearance: both servers make them up.
//! - Times and durations are constant.

use serde_json::Value;

/// Members whose value is an identifier.
const IDS: [&str; 4] = ["id", "item_id", "thread_id", "after"];

/// The identifiers of one server in one talk.
#[derive(Default)]
pub(crate) struct Normal {
    ids: Vec<String>,
}

impl Normal {
    /// Brings JSON into the common form.
    pub(crate) fn json(&mut self, value: &mut Value) {
        match value {
            Value::Array(list) => list.iter_mut().for_each(|value| self.json(value)),
            Value::Object(members) => {
                for (name, value) in members.iter_mut() {
                    match value {
                        Value::String(id) if IDS.contains(&name.as_str()) => *id = self.number(id),
                        Value::String(_) if name == "created_at" => *value = "now".into(),
                        Value::Number(_) if name == "duration" => *value = 0.into(),
                        _ => self.json(value),
                    }
                }
            }
            _ => {}
        }
    }

    /// A text in the common form, with the server's own identifiers.
    pub(crate) fn to_own(&self, text: &str) -> String {
        let words = text.split('"').map(|word| {
            let number = word.strip_prefix("id-").and_then(|number| number.parse::<usize>().ok());
            number.map_or(word, |number| &self.ids[number - 1])
        });
        words.collect::<Vec<_>>().join("\"")
    }

    fn number(&mut self, id: &str) -> String {
        let known = self.ids.iter().position(|known| known == id);
        let place = known.unwrap_or_else(|| {
            self.ids.push(id.to_owned());
            self.ids.len() - 1
        });
        format!("id-{}", place + 1)
    }
}

#[test]
fn what_a_server_makes_up_is_numbered_in_order_of_appearance() {
    let mut normal = Normal::default();
    let mut json: Value = serde_json::from_str(
        r#"{"id":"b","data":[{"item_id":"a","created_at":"2025"},{"id":"b","duration":3}]}"#,
    )
    .unwrap();

    normal.json(&mut json);

    assert_eq!(
        json.to_string(),
        r#"{"id":"id-1","data":[{"item_id":"id-2","created_at":"now"},{"id":"id-1","duration":0}]}"#
    );
    assert_eq!(normal.to_own(r#"["id-2","id-1"]"#), r#"["a","b"]"#);
}
