//! The converter against chunks of the shapes that servers are known to send.

use serde_json::{Value, json};

use super::convert::Converter;
use crate::{
    store::record::Usage,
    upstream::{
        FinishReason, FunctionCall, MessagePart, ModelEvent, UpstreamError, answer::Conversion,
    },
};

/// Feeds data as it stands, then the end of the body.
fn convert_data<'a>(
    data: impl IntoIterator<Item = &'a str>,
) -> (Vec<ModelEvent>, Result<(), UpstreamError>) {
    let mut converter = Converter::default();
    let mut out = Vec::new();
    let fed = data.into_iter().try_for_each(|data| converter.feed(data, &mut out));
    let end = fed.and_then(|()| converter.end(None, &mut out));
    (out, end)
}

fn convert(chunks: &[Value]) -> (Vec<ModelEvent>, Result<(), UpstreamError>) {
    let data: Vec<_> = chunks.iter().map(Value::to_string).collect();
    convert_data(data.iter().map(String::as_str))
}

fn good(chunks: &[Value]) -> Vec<ModelEvent> {
    let (out, end) = convert(chunks);
    end.unwrap();
    out
}

fn delta(delta: &Value) -> Value {
    json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}], "usage": null})
}

fn finish(reason: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

fn finished(reason: FinishReason) -> ModelEvent {
    ModelEvent::Finished { reason, usage: None }
}

fn call_delta(id: &str, arguments: &str) -> Value {
    delta(&json!({"tool_calls": [{"index": 0, "id": id, "type": "function",
        "function": {"name": "f", "arguments": arguments}}]}))
}

fn call(index: usize, id: &str, arguments: &str) -> ModelEvent {
    let call = FunctionCall {
        call_id: id.to_owned(),
        name: "f".to_owned(),
        arguments: arguments.to_owned(),
    };
    ModelEvent::FunctionCall { index, call }
}

/// A message of one part, from its beginning to its end.
fn message(index: usize, deltas: &[&str]) -> Vec<ModelEvent> {
    let text = deltas.concat();
    let mut events = vec![
        ModelEvent::MessageStarted { index },
        ModelEvent::PartStarted { index, part: 0, text: String::new() },
    ];
    events.extend(deltas.iter().map(|delta| ModelEvent::TextDelta {
        index,
        part: 0,
        delta: (*delta).to_owned(),
    }));
    events.push(ModelEvent::PartDone { index, part: 0, text: text.clone() });
    let parts = vec![MessagePart { text, annotations: Vec::new() }];
    events.push(ModelEvent::MessageDone { index, parts, phase: None });
    events
}

/// Thoughts, from their beginning to their end.
fn thoughts(index: usize, deltas: &[&str]) -> Vec<ModelEvent> {
    let mut events = vec![ModelEvent::ReasoningStarted { index }];
    events.extend(deltas.iter().map(|delta| ModelEvent::ReasoningDelta {
        index,
        part: 0,
        delta: (*delta).to_owned(),
    }));
    events.push(ModelEvent::ReasoningPartDone { index, part: 0, text: deltas.concat() });
    events.push(ModelEvent::ReasoningDone { index, item: None });
    events
}

#[test]
fn a_text_becomes_a_message_of_one_part() {
    let events = good(&[
        json!({"choices": [], "prompt_filter_results": []}),
        delta(&json!({"role": "assistant", "content": "", "refusal": null})),
        delta(&json!({"content": "Hel"})),
        delta(&json!({"content": "lo"})),
        finish("stop"),
    ]);

    assert_eq!(
        events,
        [message(0, &["Hel", "lo"]), vec![finished(FinishReason::Complete)]].concat()
    );
}

#[test]
fn usage_is_read_wherever_it_stands_and_the_last_one_counts() {
    let usage = json!({"prompt_tokens": 53, "completion_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 3}});
    let expected =
        Usage { input_tokens: 53, cached_tokens: 3, output_tokens: 15, reasoning_tokens: 0 };
    let last = ModelEvent::Finished { reason: FinishReason::Complete, usage: Some(expected) };

    let behind = good(&[
        delta(&json!({"content": "Hi"})),
        finish("stop"),
        json!({"choices": [], "usage": usage}),
        json!({"choices": [], "moderation": {"input": {}}}),
    ]);
    assert_eq!(behind.last(), Some(&last));

    let mut inside = finish("stop");
    inside["usage"] = usage;
    let early = json!({"choices": [], "usage": {"prompt_tokens": 1}});
    assert_eq!(good(&[early, inside]).last(), Some(&last));
}

#[test]
fn thoughts_end_where_the_text_begins() {
    for name in ["reasoning_content", "reasoning"] {
        let events = good(&[
            delta(&json!({"content": null, name: "H"})),
            delta(&json!({"content": "", name: "m"})),
            delta(&json!({"content": "Hi"})),
            finish("stop"),
        ]);

        let expected =
            [thoughts(0, &["H", "m"]), message(1, &["Hi"]), vec![finished(FinishReason::Complete)]];
        assert_eq!(events, expected.concat());
    }
}

#[test]
fn thoughts_said_in_two_members_are_shown_once() {
    let events =
        good(&[delta(&json!({"reasoning": "Hm", "reasoning_content": "Hm"})), finish("stop")]);

    assert_eq!(events, [thoughts(0, &["Hm"]), vec![finished(FinishReason::Complete)]].concat());
}

#[test]
fn content_may_be_a_list_of_parts() {
    let events = good(&[
        delta(
            &json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]}),
        ),
        delta(&json!({"content": [{"type": "text", "text": "Hi"}, {"type": "reference"}]})),
        finish("stop"),
    ]);

    let expected =
        [thoughts(0, &["Hm"]), message(1, &["Hi"]), vec![finished(FinishReason::Complete)]];
    assert_eq!(events, expected.concat());
}

#[test]
fn a_refusal_is_a_part_of_its_own() {
    let events = good(&[
        delta(&json!({"content": "Well. "})),
        delta(&json!({"refusal": "I will not."})),
        finish("stop"),
    ]);

    let parts = events.iter().find_map(|event| match event {
        ModelEvent::MessageDone { parts, .. } => {
            Some(parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>())
        }
        _ => None,
    });
    assert_eq!(parts, Some(vec!["Well. ", "I will not."]));
}

#[test]
fn a_call_is_told_at_the_end_whatever_the_reason_is_called() {
    for reason in ["tool_calls", "stop", "function_call", "eos"] {
        let events = good(&[
            delta(&json!({"content": "Let me look."})),
            call_delta("c", "{\"a\""),
            call_delta("", ":1}"),
            finish(reason),
        ]);

        let end = vec![call(1, "c", "{\"a\":1}"), finished(FinishReason::Complete)];
        assert_eq!(events, [message(0, &["Let me look."]), end].concat());
    }
}

#[test]
fn the_calls_of_an_answer_cut_short_are_void() {
    let reasons = [
        ("length", FinishReason::Length),
        ("content_filter", FinishReason::ContentFilter),
        ("sensitive", FinishReason::ContentFilter),
    ];
    for (reason, expected) in reasons {
        assert_eq!(good(&[call_delta("c", "{}"), finish(reason)]), [finished(expected)]);
    }
}

#[test]
fn the_one_call_of_old_times_is_a_call() {
    let events = good(&[
        delta(&json!({"function_call": {"name": "f", "arguments": ""}})),
        delta(&json!({"function_call": {"arguments": "{}"}})),
        finish("function_call"),
    ]);

    assert!(matches!(&events[0], ModelEvent::FunctionCall { call, .. } if call.arguments == "{}"));
}

#[test]
fn other_choices_and_odd_members_are_passed_over() {
    let events = good(&[
        json!({"choices": [{"index": 1, "delta": {"content": "no"}}]}),
        json!({"choices": [{"delta": {"content": "Hi", "tool_calls": null, "audio": {}}}]}),
        json!({"choices": null, "x_groq": {"id": "r"}}),
        json!({"choices": [{"index": 0, "delta": null, "finish_reason": ""}]}),
        finish("stop"),
    ]);

    assert_eq!(events, [message(0, &["Hi"]), vec![finished(FinishReason::Complete)]].concat());
}

#[test]
fn a_done_mark_is_enough_when_something_was_said() {
    let hi = delta(&json!({"content": "Hi"})).to_string();

    let (events, end) = convert_data([hi.as_str(), "[DONE]"]);
    end.unwrap();
    assert_eq!(events, [message(0, &["Hi"]), vec![finished(FinishReason::Complete)]].concat());

    let (events, end) = convert_data(["[DONE]"]);
    assert_eq!(events, []);
    assert!(matches!(end, Err(UpstreamError::Truncated(None))), "{end:?}");
}

#[test]
fn the_end_of_bytes_is_no_success() {
    let (events, end) = convert(&[delta(&json!({"content": "Hi"})), call_delta("c", "{}")]);

    assert!(matches!(end, Err(UpstreamError::Truncated(None))), "{end:?}");
    assert!(events.iter().all(|event| !matches!(event, ModelEvent::FunctionCall { .. })));
}

#[test]
fn an_answer_with_its_reason_is_whole_even_if_the_rest_breaks() {
    let mut converter = Converter::default();
    let mut out = Vec::new();
    converter.feed(&delta(&json!({"content": "Hi"})).to_string(), &mut out).unwrap();
    converter.feed(&finish("stop").to_string(), &mut out).unwrap();
    assert!(!converter.is_finished());

    converter.end(Some(UpstreamError::TimedOut { waited_for: "go on" }), &mut out).unwrap();

    assert_eq!(out.last(), Some(&finished(FinishReason::Complete)));
}

#[test]
fn a_late_error_is_an_error() {
    let late = [
        (json!({"error": {"message": "m", "type": "t", "code": 500}}), "500"),
        (json!({"error": "out of memory"}), "500"),
        (json!({"error": {"code": 502}, "choices": [{"finish_reason": "error"}]}), "502"),
        (finish("error"), "error"),
    ];
    for (chunk, expected) in late {
        let (_, end) = convert(&[delta(&json!({"content": "Hi"})), chunk]);
        assert!(
            matches!(&end, Err(UpstreamError::Failed { code, .. }) if code == expected),
            "{end:?}"
        );
    }
}

#[test]
fn data_that_is_no_json_is_unreadable() {
    let (_, end) = convert_data(["{\"choices\":["]);

    assert!(matches!(end, Err(UpstreamError::Unreadable { .. })), "{end:?}");
}

#[test]
fn calls_without_arguments_at_one_index_are_told_apart_by_their_ids() {
    let fragment = |id: &str| {
        delta(&json!({"tool_calls": [{"index": 0, "id": id, "function": {"name": "tasks_list"}}]}))
    };

    let events = good(&[fragment("a"), fragment("b"), finish("tool_calls")]);

    let calls = events.iter().filter(|event| matches!(event, ModelEvent::FunctionCall { .. }));
    assert_eq!(calls.count(), 2, "{events:?}");
}

#[test]
fn members_of_unexpected_types_do_not_end_an_answer() {
    let events = good(&[
        delta(
            &json!({"content": "Hi", "refusal": {}, "reasoning_content": 7, "tool_calls": "none"}),
        ),
        finish("stop"),
    ]);

    assert!(events.iter().any(|event| matches!(event, ModelEvent::MessageDone { .. })));
}
