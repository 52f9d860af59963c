//! Whole answers of a model, event by event, for what the scripted model has no steps for.

use std::fmt::Write as _;

use bytes::Bytes;
use chatkit_gateway::demo::scripted_model::Step;
use serde_json::{Value, json};

use super::gateway::MODEL;
use crate::recording::Recording;

/// The events of the model in a recording, as an answer.
pub(crate) fn of_recording(flow: &str) -> Step {
    let case: Value = serde_json::from_str(&Recording::read(flow).case).unwrap();
    let steps = case["respond"][0]["responses_run"].as_array().unwrap();
    let events = steps.iter().filter_map(|step| step.get("response_event").cloned());
    answer(events.collect())
}

/// An answer of these events, in the frame that every answer has.
pub(crate) fn answer(events: Vec<Value>) -> Step {
    let done = |event: &&Value| event["type"] == "response.output_item.done";
    let output: Vec<&Value> = events.iter().filter(done).map(|event| &event["item"]).collect();
    let begin = json!({"type": "response.created", "response": response("in_progress", &[])});
    let end = json!({"type": "response.completed", "response": response("completed", &output)});
    let mut stream = String::new();
    for (number, mut event) in [begin].into_iter().chain(events).chain([end]).enumerate() {
        event["sequence_number"] = number.into();
        let _ = write!(stream, "event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    }
    Step::Raw(Bytes::from(stream))
}

fn response(status: &str, output: &[&Value]) -> Value {
    json!({
        "id": "resp_1", "object": "response", "created_at": 1_700_000_000, "status": status,
        "background": false, "error": null, "incomplete_details": null, "instructions": null,
        "metadata": {}, "model": MODEL, "output": output, "parallel_tool_calls": true,
        "store": false, "tool_choice": "auto", "tools": [], "usage": usage(),
    })
}

fn usage() -> Value {
    json!({
        "input_tokens": 1, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 1,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 2,
    })
}
