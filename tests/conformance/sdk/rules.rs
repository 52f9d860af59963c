//! What the gateway does otherwise on purpose, each with a name and its reason. Rules bring both
//! sides to the same; one that a test names must change something, so that a stale one is noticed.

use serde_json::{Value, json};

/// What differs on purpose.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    /// For the reader; `docs/differences.md` says more.
    #[expect(dead_code, reason = "for the reader")]
    reason: &'static str,
    gateway: Change,
    official: Change,
}

/// Changes one side's events.
type Change = fn(&mut Vec<Value>);

impl Rule {
    /// Whether it changed anything.
    pub(crate) fn apply(&self, gateway: &mut Vec<Value>, official: &mut Vec<Value>) -> bool {
        let before = (gateway.clone(), official.clone());
        (self.gateway)(gateway);
        (self.official)(official);
        before != (gateway.clone(), official.clone())
    }
}

/// Those of every stream.
pub(crate) const ALWAYS: [Rule; 2] = [
    Rule {
        name: "merged deltas",
        reason: "a reader that is behind gets the deltas of a part as one",
        gateway: merge_deltas,
        official: merge_deltas,
    },
    Rule {
        name: "allow_cancel",
        reason: "the page's Stop button would stop nothing",
        gateway: nothing,
        official: |events| {
            let options = events.iter_mut().find(|event| event["type"] == "stream_options");
            if let Some(options) = options {
                options["stream_options"]["allow_cancel"] = false.into();
            }
        },
    },
];

/// What a model says when it refuses.
pub(crate) const REFUSAL: &str = "I can't.";

/// For a message with [`REFUSAL`] in it.
pub(crate) const REFUSAL_AS_IT_COMES: Rule = Rule {
    name: "a refusal as it comes",
    reason: "the words of a refusal are streamed as others are; the SDK shows them at the end",
    gateway: |events| {
        events.retain(|event| {
            let update = &event["update"];
            update["delta"] != REFUSAL
                && !(kind(update) == "assistant_message.content_part.done"
                    && update["content"]["text"] == REFUSAL)
        });
    },
    official: nothing,
};

/// For an answer that is nothing else than a refusal.
pub(crate) const REFUSAL_IS_AN_ANSWER: Rule = Rule {
    name: "a refusal is an answer",
    reason: "the Agents library fails on it, and takes away what was said",
    gateway: |events| {
        if !events.iter().any(|event| kind(event) == "error") {
            up_to_the_options(events);
        }
    },
    official: |events| {
        if events.iter().any(|event| kind(event) == "error") {
            up_to_the_options(events);
        }
    },
};

/// For a failure that another try would not mend.
pub(crate) const NO_USELESS_RETRY: Rule = Rule {
    name: "no useless retry",
    reason: "a request that the model's server calls wrong is so the next time, too",
    gateway: nothing,
    official: |events| {
        if let Some(error) = events.iter_mut().find(|event| kind(event) == "error") {
            error["allow_retry"] = false.into();
        }
    },
};

/// For a failure about which the user can do something.
pub(crate) const TOLD_IN_WORDS: Rule = Rule {
    name: "told in words",
    reason: "the user can act on it",
    gateway: |events| {
        let Some(error) = events.last_mut() else { return };
        if error["code"] == "custom"
            && error["message"].as_str().is_some_and(|text| text.contains("too long"))
        {
            *error = json!({"type": "error", "code": "stream.error", "allow_retry": false});
        }
    },
    official: NO_USELESS_RETRY.official,
};

/// For an answer that ends while thoughts are shown.
pub(crate) const WORKFLOWS_END: Rule = Rule {
    name: "workflows end",
    reason: "a workflow that is left open is shown as under way for ever",
    gateway: |events| {
        let of_workflow = |event: &Value| event["item"]["type"] == "workflow";
        events.retain(|event| kind(event) != "thread.item.done" || !of_workflow(event));
        for item in events.iter_mut().filter_map(|page| list(page, "data")).flatten() {
            if let Some(workflow) = item.get_mut("workflow").and_then(Value::as_object_mut) {
                workflow.shift_remove("summary");
            }
        }
    },
    official: nothing,
};

/// For an answer in which the provider uses tools of its own, and no other workflow is shown.
pub(crate) const SEARCHES_ARE_SHOWN: Rule = Rule {
    name: "searches are shown",
    reason: "the user sees what the provider's own tools do; the SDK drops it",
    gateway: |events| {
        let mut workflow = None;
        let mut is_of_workflow = |value: &Value| {
            if value["type"] == "workflow" {
                workflow = value["id"].as_str().map(str::to_owned);
            }
            value["type"] == "workflow"
        };
        events.retain(|event| {
            !is_of_workflow(&event["item"]) && !kind(&event["update"]).starts_with("workflow.")
        });
        for items in events.iter_mut().filter_map(|page| list(page, "data")) {
            items.retain(|item| !is_of_workflow(item));
        }
        if let Some(workflow) = workflow {
            for event in events {
                take_out_id(event, &workflow);
            }
        }
    },
    official: nothing,
};

/// For a thread in which the user went on without waiting for a client tool.
pub(crate) const CALLS_ARE_GIVEN_UP: Rule = Rule {
    name: "calls are given up",
    reason: "a call does not wait for ever, and the model learns that it was in vain",
    gateway: |values| {
        // Of the model's input: the call and its output, which the SDK leaves out.
        values.retain(|item| !kind(item).starts_with("function_call"));
        for item in values.iter_mut().filter_map(|page| list(page, "data")).flatten() {
            if item["output"]["error"].is_string() {
                item["status"] = "pending".into();
                item.as_object_mut().expect("an item").shift_remove("output");
            }
        }
    },
    official: nothing,
};

/// For the input of a model that has called a tool of the page.
pub(crate) const COMPACT_JSON: Rule = Rule {
    name: "compact JSON",
    reason: "Python writes spaces into JSON; they mean nothing",
    gateway: |items| read_json_texts(items),
    official: |items| read_json_texts(items),
};

fn read_json_texts(items: &mut [Value]) {
    for item in items.iter_mut().filter(|item| kind(item).starts_with("function_call")) {
        for member in ["arguments", "output"] {
            if let Some(Ok(value)) = item[member].as_str().map(serde_json::from_str) {
                item[member] = value;
            }
        }
    }
}

/// Numbers identifiers as if this one had never been.
fn take_out_id(value: &mut Value, gone: &str) {
    let number = |id: &str| id.strip_prefix("id-").and_then(|number| number.parse::<usize>().ok());
    match value {
        Value::Array(list) => list.iter_mut().for_each(|value| take_out_id(value, gone)),
        Value::Object(members) => {
            members.values_mut().for_each(|value| take_out_id(value, gone));
        }
        Value::String(text) => {
            if let Some(id) = number(text).filter(|id| Some(*id) > number(gone)) {
                *text = format!("id-{}", id - 1);
            }
        }
        _ => {}
    }
}

/// For an answer that reaches the model's limit of length.
pub(crate) const CUT_SHORT_IS_AN_ANSWER: Rule = Rule {
    name: "cut short is an answer",
    reason: "the Agents library fails on it when all is said",
    gateway: nothing,
    official: |events| {
        events.pop_if(|event| kind(event) == "error");
    },
};

/// What there is of an answer that fails.
pub(crate) const HALF: &str = "Half";

/// For lists with answers that are no more than [`HALF`].
pub(crate) const PARTIAL_ANSWERS: Rule = Rule {
    name: "partial answers",
    reason: "what the user has read is kept when the model fails",
    gateway: |answers| {
        for answer in answers {
            let items = list(answer, "data").expect("a page of items");
            items.retain(|item| item["content"][0]["text"] != HALF);
        }
    },
    official: nothing,
};

/// For the input of a model that has answered before.
pub(crate) const BARE_TEXT: Rule = Rule {
    name: "bare text",
    reason: "the SDK does not send an answer's citations back either, but an empty list of them",
    gateway: nothing,
    official: |items| {
        for part in items.iter_mut().filter_map(|item| list(item, "content")).flatten() {
            let Some(part) = part.as_object_mut() else { continue };
            part.retain(|name, value| {
                let is_empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
                !(is_empty && matches!(name.as_str(), "annotations" | "logprobs"))
            });
        }
    },
};

/// For the input of a model that has answered in several parts.
pub(crate) const ONE_TEXT: Rule = Rule {
    name: "one text",
    reason: "not all models' APIs know parts of an answer",
    gateway: nothing,
    official: |items| {
        for item in items.iter_mut().filter(|item| item["role"] == "assistant") {
            let parts = list(item, "content").expect("an answer has parts");
            let text: String = parts.iter().filter_map(|part| part["text"].as_str()).collect();
            parts.truncate(1);
            parts[0]["text"] = text.into();
        }
    },
};

/// A member that is a list. An index would make it, where there is none.
fn list<'a>(value: &'a mut Value, name: &str) -> Option<&'a mut Vec<Value>> {
    value.get_mut(name)?.as_array_mut()
}

fn kind(event: &Value) -> &str {
    event["type"].as_str().unwrap_or_default()
}

fn up_to_the_options(events: &mut Vec<Value>) {
    let options = events.iter().position(|event| kind(event) == "stream_options");
    events.truncate(options.map_or(0, |place| place + 1));
}

fn nothing(_: &mut Vec<Value>) {}

fn merge_deltas(events: &mut Vec<Value>) {
    let mut merged: Vec<Value> = Vec::new();
    for event in events.drain(..) {
        match merged.last_mut() {
            Some(last)
                if delta_place(last).is_some() && delta_place(last) == delta_place(&event) =>
            {
                let text = [&last["update"]["delta"], &event["update"]["delta"]];
                let text: String = text.iter().filter_map(|text| text.as_str()).collect();
                last["update"]["delta"] = text.into();
            }
            _ => merged.push(event),
        }
    }
    *events = merged;
}

/// The item and part of a text delta.
fn delta_place(event: &Value) -> Option<(&Value, &Value)> {
    let is_delta = event["update"]["type"] == "assistant_message.content_part.text_delta";
    is_delta.then(|| (&event["item_id"], &event["update"]["content_index"]))
}
