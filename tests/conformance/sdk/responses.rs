//! Whole answers of a model, event by event, for what the scripted model has no steps for.

use std::fmt::Write as _;

use bytes::Bytes;
use chatkit_gateway::demo::scripted_model::Step;
use serde_json::{Value, json};

use super::gateway::MODEL;
use crate::recording::Recording;

/// The events of the model in a recording, as an answer.
pub(crate) fn of_recording(flow: &str) -> Step {
    answer(events_of_recording(flow))
}

/// The events of the model in a recording.
pub(crate) fn events_of_recording(flow: &str) -> Vec<Value> {
    let case: Value = serde_json::from_str(&Recording::read(flow).case).unwrap();
    let steps = case["respond"][0]["responses_run"].as_array().unwrap();
    let events = steps.iter().filter_map(|step| step.get("response_event").cloned());
    events.collect()
}

/// The events of a message with parts.
pub(crate) fn message(output_index: u64, texts: &[&str]) -> Vec<Value> {
    let item = |status: &str, content: Value| {
        json!({"id": "msg_1", "type": "message", "role": "assistant", "status": status,
            "content": content})
    };
    let whole: Vec<Value> = texts.iter().map(|text| output_text(text)).collect();
    let begin = json!({"type": "response.output_item.added", "output_index": output_index,
        "item": item("in_progress", json!([]))});
    let end = json!({"type": "response.output_item.done", "output_index": output_index,
        "item": item("completed", whole.into())});
    let parts = (0..).zip(texts).flat_map(|(index, text)| part(output_index, index, text));
    [begin].into_iter().chain(parts).chain([end]).collect()
}

fn part(output_index: u64, index: u64, text: &str) -> [Value; 4] {
    let at = json!({"item_id": "msg_1", "output_index": output_index, "content_index": index});
    let with = |kind: &str, members: Value| {
        let mut event = json!({"type": kind});
        for members in [&at, &members] {
            event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        }
        event
    };
    [
        with("response.content_part.added", json!({"part": output_text("")})),
        with("response.output_text.delta", json!({"delta": text, "logprobs": []})),
        with("response.output_text.done", json!({"text": text, "logprobs": []})),
        with("response.content_part.done", json!({"part": output_text(text)})),
    ]
}

fn output_text(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
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
