//! The widget that asks the user whether a tool may be called, and what its buttons say.
//!
//! Each button carries the run, the call and a hash of its arguments, so that an answer holds for
//! the call that was shown and for no other. What becomes of it is said in place of the buttons.

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{RunId, item::WidgetItem, request::Action};

/// The action of the button that lets the call be made.
const RUN: &str = "gateway.run_tool";
/// The action of the button that does not.
const CANCEL: &str = "gateway.cancel_tool";
/// The part of the widget that the buttons stand in, and later what was decided.
const DECISION: &str = "decision";

/// How many arguments are shown.
const MAX_ARGUMENTS: usize = 20;
/// How much of one, in characters.
const MAX_SHOWN: usize = 500;

/// A call that the user is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Confirmation<'a> {
    /// The tool's title.
    pub title: &'a str,
    /// What the model calls it.
    pub name: &'a str,
    /// The tool server, where it is of one.
    pub server: Option<&'a str>,
    /// The run that asks.
    pub run_id: RunId,
    /// The model's identifier of the call.
    pub call_id: &'a str,
    /// The arguments, JSON of an object as the model wrote it.
    pub arguments: &'a str,
}

/// What the user pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The call may be made.
    Run,
    /// It may not.
    Cancel,
}

/// Where a call is about which the user was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The user agreed.
    Approved,
    /// The call was made and gave a result.
    Done,
    /// The call was made and failed.
    Failed,
    /// The user did not agree.
    Declined,
    /// The user did not answer in time.
    Expired,
    /// The user went on without an answer.
    GivenUp,
}

/// The call that a button belongs to.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct BoundTo {
    run_id: RunId,
    call_id: String,
    arguments_sha256: String,
}

impl BoundTo {
    fn new(run_id: RunId, call_id: &str, arguments: &str) -> Self {
        Self { run_id, call_id: call_id.to_owned(), arguments_sha256: hashed(arguments) }
    }
}

impl Confirmation<'_> {
    /// The widget: what will be done, and two buttons.
    pub fn widget(&self) -> WidgetItem {
        let from = self.server.map(|server| format!("Tool server {}: ", shown(server)));
        let from = format!("{}{}", from.unwrap_or_default(), self.name);
        let mut children = vec![
            json!({ "type": "Title", "value": shown(self.title), "size": "sm" }),
            json!({ "type": "Caption", "value": from }),
        ];
        children.extend(arguments(self.arguments));
        children.push(self.buttons());
        let widget = json!({ "type": "Card", "size": "md", "children": children });
        WidgetItem { widget, copy_text: None }
    }

    fn buttons(&self) -> Value {
        let bound_to = BoundTo::new(self.run_id, self.call_id, self.arguments);
        let button = |label: &str, kind: &str, style: &str| {
            let action = json!({ "type": kind, "payload": bound_to });
            json!({ "type": "Button", "label": label, "style": style, "onClickAction": action })
        };
        let buttons = [button("Run", RUN, "primary"), button("Cancel", CANCEL, "secondary")];
        json!({ "type": "Row", "id": DECISION, "gap": 2, "children": buttons })
    }
}

/// What was pressed, if the action is that of one of the buttons.
pub fn choice(action: &Action) -> Option<Choice> {
    match action.kind.as_str() {
        RUN => Some(Choice::Run),
        CANCEL => Some(Choice::Cancel),
        _ => None,
    }
}

/// Whether an action belongs to this call with these arguments.
pub fn is_bound_to(action: &Action, run_id: RunId, call_id: &str, arguments: &str) -> bool {
    let bound_to: Option<BoundTo> = serde_json::from_value(action.payload.clone()).ok();
    bound_to == Some(BoundTo::new(run_id, call_id, arguments))
}

/// Says what became of the call, in place of the buttons.
pub fn settle(widget: &mut WidgetItem, settled: Settled) {
    let said = match settled {
        Settled::Approved => "Approved",
        Settled::Done => "Approved. Done.",
        Settled::Failed => "Approved. The call failed.",
        Settled::Declined => "Cancelled",
        Settled::Expired => "Not answered in time. Nothing was done.",
        Settled::GivenUp => "Not answered. Nothing was done.",
    };
    let children = widget.widget.get_mut("children").and_then(Value::as_array_mut);
    let is_decision = |child: &&mut Value| child["id"] == DECISION;
    if let Some(decision) = children.and_then(|children| children.iter_mut().find(is_decision)) {
        *decision = json!({ "type": "Text", "id": DECISION, "value": said, "weight": "semibold" });
    }
}

/// Each argument by its name. What is left out is said: it may be what matters.
fn arguments(text: &str) -> Vec<Value> {
    let arguments: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    let mut lines = Vec::new();
    for (name, value) in arguments.iter().take(MAX_ARGUMENTS) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        lines.push(json!({ "type": "Caption", "value": shown(name) }));
        lines.push(json!({ "type": "Text", "value": shown(&value) }));
    }
    if let Some(more @ 1..) = arguments.len().checked_sub(MAX_ARGUMENTS) {
        let note = format!("{more} more arguments are not shown.");
        lines.push(json!({ "type": "Text", "value": note, "weight": "semibold" }));
    }
    lines
}

/// A text of the model's or a server's, as a line that cannot pretend to be another: neither by
/// control characters nor by turning the direction of writing.
fn shown(text: &str) -> String {
    let plain = |c: char| match c {
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => ' ',
        c => c,
    };
    let count = text.chars().count();
    let beginning: String = text.chars().take(MAX_SHOWN).map(plain).collect();
    if count > MAX_SHOWN {
        format!("{beginning}… [cut: {count} characters in all]")
    } else {
        beginning
    }
}

fn hashed(text: &str) -> String {
    use std::fmt::Write as _;
    let digest = digest(&SHA256, text.as_bytes());
    digest.as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confirmation(arguments: &str) -> Confirmation<'_> {
        Confirmation {
            title: "Delete a file",
            name: "files__delete",
            server: Some("files"),
            run_id: RunId::from(uuid::Uuid::nil()),
            call_id: "call_1",
            arguments,
        }
    }

    fn press(widget: &WidgetItem, button: usize) -> Action {
        let decision = widget.widget["children"].as_array().unwrap().last().unwrap();
        serde_json::from_value(decision["children"][button]["onClickAction"].clone()).unwrap()
    }

    #[test]
    fn buttons_hold_for_the_run_the_call_and_the_arguments_that_were_shown() {
        let asked = confirmation(r#"{"path":"/a"}"#);
        let action = press(&asked.widget(), 0);

        let run_id = asked.run_id;
        assert_eq!(choice(&action), Some(Choice::Run));
        assert_eq!(choice(&press(&asked.widget(), 1)), Some(Choice::Cancel));
        assert!(is_bound_to(&action, run_id, "call_1", r#"{"path":"/a"}"#));
        assert!(!is_bound_to(&action, RunId::new(), "call_1", r#"{"path":"/a"}"#));
        assert!(!is_bound_to(&action, run_id, "call_2", r#"{"path":"/a"}"#));
        assert!(!is_bound_to(&action, run_id, "call_1", r#"{"path":"/b"}"#));
        let bare = Action { payload: Value::Null, ..action };
        assert!(!is_bound_to(&bare, run_id, "call_1", r#"{"path":"/a"}"#));
    }

    #[test]
    fn what_became_of_the_call_stands_in_place_of_the_buttons() {
        let mut widget = confirmation("{}").widget();

        settle(&mut widget, Settled::Approved);
        settle(&mut widget, Settled::Done);

        let children = widget.widget["children"].as_array().unwrap();
        assert_eq!(children.last().unwrap()["value"], "Approved. Done.");
        assert!(!widget.widget.to_string().contains("Button"));
    }

    #[test]
    fn arguments_are_bounded_and_cannot_pretend_to_be_others() {
        let many: Map<String, Value> =
            (0..30).map(|n| (format!("a{n:02}"), "x".repeat(1_000).into())).collect();
        let odd = json!({ "path": "a\nb\u{202e}c", "deep": { "n": 1 } }).to_string();

        let shown = confirmation(&odd).widget().widget.to_string();
        let bounded = confirmation(&Value::Object(many).to_string()).widget().widget.to_string();

        assert!(shown.contains("a b\u{fffd}c"), "{shown}");
        assert!(shown.contains(r#"{\"n\":1}"#), "{shown}");
        assert!(bounded.len() < 20 * 700 + 2_000, "{}", bounded.len());
        assert!(bounded.contains("10 more arguments are not shown."));
        assert!(bounded.contains("1000 characters in all"));
    }
}
