//! The converter against streams of the shapes that servers are known to send.

mod hosted;

use serde_json::{Value, json};

use super::convert::Converter;
use crate::upstream::{
    FinishReason, FunctionCall, MessagePart, ModelEvent, UpstreamError, answer::Conversion,
};

/// Feeds events, then the end of the body.
fn convert(events: &[Value]) -> (Vec<ModelEvent>, Result<(), UpstreamError>) {
    let mut converter = Converter::default();
    let mut out = Vec::new();
    let fed = events.iter().try_for_each(|event| converter.feed(&event.to_string(), &mut out));
    let end = fed.and_then(|()| converter.end(None, &mut out));
    (out, end)
}

fn good(events: &[Value]) -> Vec<ModelEvent> {
    let (out, end) = convert(events);
    end.unwrap();
    out
}

/// Without an end of its own.
fn before_completion(events: &[Value]) -> Vec<ModelEvent> {
    let (out, end) = convert(events);
    assert!(matches!(end, Err(UpstreamError::Truncated(None))), "{end:?}");
    out
}

fn completed(output: &Value) -> Value {
    json!({"type": "response.completed", "response": {"status": "completed", "output": output}})
}

fn calls(events: &[ModelEvent]) -> Vec<(usize, FunctionCall)> {
    let calls = events.iter().filter_map(|event| match event {
        ModelEvent::FunctionCall { index, call } => Some((*index, call.clone())),
        _ => None,
    });
    calls.collect()
}

fn messages(events: &[ModelEvent]) -> Vec<(usize, String)> {
    let messages = events.iter().filter_map(|event| match event {
        ModelEvent::MessageDone { index, parts, .. } => {
            Some((*index, parts.iter().map(|part| part.text.as_str()).collect()))
        }
        _ => None,
    });
    messages.collect()
}

fn call(id: &str, arguments: &str) -> FunctionCall {
    FunctionCall {
        call_id: id.to_owned(),
        name: "tasks_list".to_owned(),
        arguments: arguments.to_owned(),
    }
}

fn call_item(id: &str, arguments: &str) -> Value {
    json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id,
        "name": "tasks_list", "arguments": arguments})
}

fn added(index: usize, item: &Value) -> Value {
    json!({"type": "response.output_item.added", "output_index": index, "item": item})
}

fn done(index: usize, item: &Value) -> Value {
    json!({"type": "response.output_item.done", "output_index": index, "item": item})
}

fn delta(index: usize, delta: &str) -> Value {
    json!({"type": "response.output_text.delta", "output_index": index, "content_index": 0,
        "delta": delta})
}

fn text(delta: &str) -> ModelEvent {
    ModelEvent::TextDelta { index: 0, part: 0, delta: delta.to_owned() }
}

fn message_item(text: &str) -> Value {
    json!({"type": "message", "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": []}]})
}

#[test]
fn a_text_comes_in_the_usual_order() {
    let open = json!({"id": "m", "type": "message", "content": [], "phase": "final_answer"});
    let part = json!({"type": "output_text", "text": "", "annotations": []});
    let events = good(&[
        json!({"type": "response.created", "response": {"status": "in_progress"}}),
        added(0, &open),
        json!({"type": "response.content_part.added", "output_index": 0, "content_index": 0, "part": part}),
        delta(0, "Hel"),
        delta(0, "lo"),
        delta(0, ""),
        json!({"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "Hello"}),
        json!({"type": "response.content_part.done", "output_index": 0, "content_index": 0,
            "part": {"type": "output_text", "text": "Hello"}}),
        done(0, &message_item("Hello")),
        json!({"type": "response.completed", "response": {"status": "completed", "output": [message_item("Hello")],
            "usage": {"input_tokens": 8, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 2}}}),
    ]);

    let usage = crate::store::record::Usage {
        input_tokens: 8,
        cached_tokens: 4,
        output_tokens: 2,
        reasoning_tokens: 0,
    };
    assert_eq!(
        events,
        [
            ModelEvent::MessageStarted { index: 0 },
            ModelEvent::PartStarted { index: 0, part: 0, text: String::new() },
            text("Hel"),
            text("lo"),
            ModelEvent::PartDone { index: 0, part: 0, text: "Hello".to_owned() },
            ModelEvent::MessageDone {
                index: 0,
                parts: vec![MessagePart { text: "Hello".to_owned(), annotations: Vec::new() }],
                phase: Some("final_answer".to_owned()),
            },
            ModelEvent::Finished { reason: FinishReason::Complete, usage: Some(usage) },
        ]
    );
}

#[test]
fn ids_that_change_with_every_event_do_not_matter() {
    let events = good(&[
        added(0, &json!({"id": "x1", "type": "message"})),
        added(1, &json!({"id": "x2", "type": "message"})),
        json!({"type": "response.output_text.delta", "item_id": "x3", "output_index": 1, "content_index": 0, "delta": "b"}),
        json!({"type": "response.output_text.delta", "item_id": "x4", "output_index": 0, "content_index": 0, "delta": "a"}),
        done(1, &json!({"id": "x5", "type": "message"})),
        done(0, &json!({"id": "x6", "type": "message"})),
        completed(&json!([{"id": "x7", "type": "message"}, {"id": "x8", "type": "message"}])),
    ]);

    assert_eq!(messages(&events), [(1, "b".to_owned()), (0, "a".to_owned())]);
}

#[test]
fn without_an_output_index_the_id_joins_and_then_the_open_item() {
    let events = good(&[
        json!({"type": "response.output_item.added", "item": {"id": "m1", "type": "message"}}),
        json!({"type": "response.output_item.added", "item": {"id": "m2", "type": "message"}}),
        json!({"type": "response.output_text.delta", "item_id": "m1", "delta": "a"}),
        json!({"type": "response.output_text.delta", "delta": "b"}),
        json!({"type": "response.output_item.done", "item": {"id": "m1", "type": "message"}}),
        json!({"type": "response.output_item.done", "item": {"type": "message"}}),
        json!({"type": "response.output_item.added", "item": {"type": "function_call", "call_id": "fc_a", "name": "tasks_list"}}),
        json!({"type": "response.output_item.added", "item": {"type": "function_call", "call_id": "fc_b", "name": "tasks_list"}}),
        json!({"type": "response.output_item.done", "item": {"type": "function_call", "call_id": "fc_a", "arguments": "{\"a\":1}"}}),
        json!({"type": "response.output_item.done", "item": {"type": "function_call", "call_id": "fc_b", "arguments": "{\"b\":1}"}}),
        completed(&json!([])),
    ]);

    assert_eq!(messages(&events), [(0, "a".to_owned()), (1, "b".to_owned())]);
    assert_eq!(calls(&events), [(2, call("fc_a", "{\"a\":1}")), (3, call("fc_b", "{\"b\":1}"))]);
}

#[test]
fn the_whole_text_replaces_what_was_joined() {
    let events = good(&[
        added(0, &json!({"type": "message"})),
        delta(0, "Helo"),
        json!({"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "Hello"}),
        done(0, &message_item("Hello!")),
        completed(&json!([message_item("other")])),
    ]);

    assert!(events.contains(&ModelEvent::PartDone { index: 0, part: 0, text: "Hello".to_owned() }));
    assert_eq!(messages(&events), [(0, "Hello!".to_owned())]);
}

#[test]
fn an_empty_terminal_output_takes_nothing_away() {
    let events =
        good(&[added(0, &json!({"type": "message"})), delta(0, "Hi"), completed(&json!([]))]);

    assert_eq!(messages(&events), [(0, "Hi".to_owned())]);
}

#[test]
fn items_that_only_the_terminal_event_has_are_told_by_it() {
    let events = good(&[completed(&json!([
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Thinking"}]},
        message_item("Hi"),
        call_item("c", "{}"),
    ]))]);

    assert!(events.contains(&ModelEvent::ReasoningPartDone {
        index: 0,
        part: 0,
        text: "Thinking".to_owned()
    }));
    assert_eq!(messages(&events), [(1, "Hi".to_owned())]);
    assert_eq!(calls(&events), [(2, call("c", "{}"))]);
}

#[test]
fn the_terminal_output_tells_nothing_twice_even_if_it_leaves_items_out() {
    let events = good(&[
        added(0, &json!({"type": "reasoning"})),
        done(0, &json!({"type": "reasoning", "summary": []})),
        added(1, &json!({"type": "message"})),
        done(1, &message_item("Hi")),
        done(2, &call_item("c", "{}")),
        completed(&json!([message_item("Hi"), call_item("c", "{}")])),
    ]);

    assert_eq!(messages(&events).len(), 1);
    assert_eq!(calls(&events).len(), 1);
}

#[test]
fn arguments_may_come_without_a_delta() {
    let events = good(&[
        added(0, &call_item("c", "")),
        json!({"type": "response.function_call_arguments.done", "output_index": 0, "arguments": "{\"a\":1}"}),
        completed(&json!([])),
    ]);

    assert_eq!(calls(&events), [(0, call("c", "{\"a\":1}"))]);
}

#[test]
fn a_call_is_told_only_once_it_is_whole() {
    let open = [
        added(0, &call_item("c", "")),
        json!({"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "{\"a\""}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 0, "delta": ":1}"}),
    ];
    assert_eq!(before_completion(&open), []);

    let whole = before_completion(&[&open[..], &[done(0, &call_item("c", "{\"a\":2}"))]].concat());
    assert_eq!(calls(&whole), [(0, call("c", "{\"a\":2}"))]);
}

#[test]
fn a_call_of_an_answer_cut_short_is_not_told() {
    let mut item = call_item("c", "{\"a\"");
    item["status"] = json!("incomplete");
    for reason in ["max_output_tokens", "content_filter"] {
        let events = good(&[
            added(0, &message_item("")),
            delta(0, "Hi"),
            added(1, &call_item("c", "")),
            done(1, &item),
            added(2, &call_item("d", "{}")),
            json!({"type": "response.incomplete", "response": {"status": "incomplete",
                "incomplete_details": {"reason": reason}, "output": [item, call_item("d", "{}")]}}),
        ]);

        assert_eq!(calls(&events), []);
        assert_eq!(messages(&events), [(0, "Hi".to_owned())]);
        let expected = match reason {
            "content_filter" => FinishReason::ContentFilter,
            _ => FinishReason::Length,
        };
        assert_eq!(events.last(), Some(&ModelEvent::Finished { reason: expected, usage: None }));
    }
}

#[test]
fn a_refusal_is_text_like_any_other() {
    let refusal = json!({"type": "refusal", "refusal": "I will not."});
    let events = good(&[
        added(0, &json!({"type": "message"})),
        json!({"type": "response.content_part.added", "output_index": 0, "content_index": 0,
            "part": {"type": "refusal", "refusal": ""}}),
        json!({"type": "response.refusal.delta", "output_index": 0, "content_index": 0, "delta": "I will "}),
        json!({"type": "response.refusal.done", "output_index": 0, "content_index": 0, "refusal": "I will not."}),
        done(0, &json!({"type": "message", "content": [refusal]})),
        completed(&json!([])),
    ]);

    assert!(events.contains(&text("I will ")));
    assert_eq!(messages(&events), [(0, "I will not.".to_owned())]);
}

#[test]
fn summaries_are_shown_and_the_item_is_kept_to_be_sent_back() {
    let item = json!({"type": "reasoning", "id": "r", "encrypted_content": "e",
        "summary": [{"type": "summary_text", "text": "One"}, {"type": "summary_text", "text": "Two"}]});
    let events = good(&[
        added(0, &json!({"type": "reasoning", "encrypted_content": "other"})),
        json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "On"}),
        json!({"type": "response.reasoning_text.delta", "output_index": 0, "content_index": 0, "delta": "raw"}),
        json!({"type": "response.reasoning_summary_text.done", "output_index": 0, "summary_index": 0, "text": "One"}),
        done(0, &item),
        completed(&json!([])),
    ]);

    let part =
        |part, text: &str| ModelEvent::ReasoningPartDone { index: 0, part, text: text.to_owned() };
    assert_eq!(
        events[..5],
        [
            ModelEvent::ReasoningStarted { index: 0 },
            ModelEvent::ReasoningDelta { index: 0, part: 0, delta: "On".to_owned() },
            part(0, "One"),
            part(1, "Two"),
            ModelEvent::ReasoningDone { index: 0, item: Some(item) },
        ]
    );
}

#[test]
fn raw_thoughts_are_shown_where_there_is_no_summary() {
    let events = before_completion(&[
        added(0, &json!({"type": "reasoning"})),
        json!({"type": "response.content_part.added", "output_index": 0, "content_index": 0,
            "part": {"type": "reasoning_text", "text": ""}}),
        json!({"type": "response.reasoning_text.delta", "output_index": 0, "content_index": 0, "delta": "Hm"}),
        json!({"type": "response.reasoning_text.done", "output_index": 0, "content_index": 0, "text": "Hm"}),
        json!({"type": "response.content_part.done", "output_index": 0, "content_index": 0,
            "part": {"type": "reasoning_text", "text": "Hm"}}),
    ]);

    assert_eq!(
        events,
        [
            ModelEvent::ReasoningStarted { index: 0 },
            ModelEvent::ReasoningDelta { index: 0, part: 0, delta: "Hm".to_owned() },
            ModelEvent::ReasoningPartDone { index: 0, part: 0, text: "Hm".to_owned() },
        ]
    );
}

#[test]
fn citations_are_told_as_they_come_and_belong_to_the_part() {
    let cited =
        json!({"type": "url_citation", "url": "https://a.example/", "title": "A", "end_index": 2});
    let place = |annotation: &Value| {
        json!({"type": "response.output_text.annotation.added",
        "output_index": 0, "content_index": 0, "annotation": annotation})
    };
    let events = good(&[
        added(0, &json!({"type": "message"})),
        delta(0, "Hi"),
        place(&cited),
        place(&json!({"type": "file_path", "file_id": "f", "index": 1})),
        done(
            0,
            &json!({"type": "message", "content": [{"type": "output_text", "text": "Hi", "annotations": [cited]}]}),
        ),
        completed(&json!([])),
    ]);

    let told = events.iter().filter(|event| matches!(event, ModelEvent::Annotation { .. }));
    assert_eq!(told.count(), 1);
    let whole = events.iter().find_map(|event| match event {
        ModelEvent::MessageDone { parts, .. } => Some(parts[0].annotations.len()),
        _ => None,
    });
    assert_eq!(whole, Some(1));
}

#[test]
fn unknown_events_items_and_parts_are_passed_over_but_take_their_index() {
    let events = good(&[
        json!({"type": "keepalive", "sequence_number": 3}),
        json!({"type": "response.shell_call_command.delta", "delta": {"stdout": "x"}}),
        json!([1]),
        added(0, &json!({"type": "web_search_call", "id": "ws"})),
        json!({"type": "response.web_search_call.searching", "output_index": 0, "item_id": "ws"}),
        delta(0, "not of a message"),
        done(0, &json!({"type": "web_search_call", "id": "ws"})),
        added(1, &json!({"type": "message"})),
        json!({"type": "response.content_part.added", "output_index": 1, "content_index": 0, "part": {"type": "hologram"}}),
        delta(1, "Hi"),
        completed(&json!([])),
    ]);

    assert_eq!(messages(&events), [(1, "Hi".to_owned())]);
}

#[test]
fn an_error_in_the_stream_is_an_error_in_each_of_its_shapes() {
    let shapes = [
        json!({"type": "error", "code": "insufficient_quota", "message": "m"}),
        json!({"type": "error", "error": {"type": "insufficient_quota", "code": "insufficient_quota", "message": "m"}}),
        json!({"error": {"code": "insufficient_quota", "message": "m"}}),
        json!({"type": "response.failed", "response": {"status": "failed", "output": [],
            "error": {"code": "insufficient_quota", "message": "m"}}}),
    ];
    for shape in shapes {
        let (_, end) = convert(&[delta(0, "Hi"), shape]);
        assert!(matches!(end, Err(UpstreamError::QuotaExhausted { .. })), "{end:?}");
    }
}

#[test]
fn done_marks_prove_nothing_and_the_end_of_bytes_is_no_success() {
    let mut converter = Converter::default();
    let mut out = Vec::new();
    converter.feed(&delta(0, "Hi").to_string(), &mut out).unwrap();
    converter.feed("[DONE]", &mut out).unwrap();

    assert!(!converter.is_finished());
    let end = converter.end(None, &mut out);
    assert!(matches!(end, Err(UpstreamError::Truncated(None))), "{end:?}");
}

#[test]
fn data_that_is_no_json_is_unreadable() {
    let fed = Converter::default().feed("{\"type\":", &mut Vec::new());

    assert!(matches!(fed, Err(UpstreamError::Unreadable { .. })), "{fed:?}");
}

#[test]
fn two_calls_of_a_server_without_indices_are_told_apart_by_their_ids() {
    let (a, b) = (call_item("a", ""), call_item("b", ""));
    let piece = |item: &Value, delta: &str| {
        json!({"type": "response.function_call_arguments.delta", "item_id": item["id"],
            "delta": delta})
    };
    let added = |item: &Value| json!({"type": "response.output_item.added", "item": item});
    let done = |item: &Value| json!({"type": "response.output_item.done", "item": item});

    let events = good(&[
        added(&a),
        added(&b),
        piece(&a, "{\"x\":1}"),
        piece(&b, "{\"x\":2}"),
        done(&call_item("a", "{\"x\":1}")),
        done(&call_item("b", "{\"x\":2}")),
        completed(&json!([])),
    ]);

    let calls: Vec<FunctionCall> = calls(&events).into_iter().map(|(_, call)| call).collect();
    assert_eq!(calls, [call("a", "{\"x\":1}"), call("b", "{\"x\":2}")]);
}

#[test]
fn thoughts_that_come_only_whole_are_shown() {
    let item = json!({"type": "reasoning", "id": "r",
        "summary": [{"type": "summary_text", "text": "I see."}]});

    let events = good(&[done(0, &item), completed(&json!([]))]);

    let shown = ModelEvent::ReasoningPartDone { index: 0, part: 0, text: "I see.".to_owned() };
    assert!(events.contains(&shown), "{events:?}");
}

#[test]
fn a_wild_index_takes_no_memory() {
    let wild = 4_000_000_000_u64;
    let delta = |output: u64, content: u64| {
        json!({"type": "response.output_text.delta", "output_index": output,
            "content_index": content, "delta": "x"})
    };

    let (events, _) = convert(&[delta(wild, 0), delta(0, wild), completed(&json!([]))]);

    assert!(events.len() < 100, "{} events", events.len());
}
