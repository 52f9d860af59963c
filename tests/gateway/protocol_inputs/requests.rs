//! A valid request of each type, all its members given. Names of things of the starting state
//! stand for their identifiers.

use serde_json::{Value, json};

/// Those that are answered by events.
pub(super) const STREAMED: &[&str] = &[
    "threads.create",
    "threads.add_user_message",
    "threads.add_client_tool_output",
    "threads.add_structured_input",
    "threads.retry_after_item",
    "threads.custom_action",
];

/// Stands for the thread of the starting state; a name of an item is `ITEM:` and its type.
pub(super) const THREAD: &str = "THREAD";
/// Stands for an attachment that no message has.
pub(super) const ATTACHMENT: &str = "ATTACHMENT";

pub(super) fn requests() -> Vec<(&'static str, Value)> {
    let item = |kind: &str| format!("ITEM:{kind}");
    let action = json!({
        "thread_id": THREAD,
        "item_id": item("widget"),
        "action": {"type": "order.cancel", "payload": {"order": 7}},
    });
    let answers = json!({
        "colour": {"values": ["red"], "skipped": false},
        "note": {"values": [], "skipped": true},
    });
    let page = json!({"limit": 5, "order": "asc", "after": THREAD});
    let items = json!({
        "thread_id": THREAD, "limit": 5, "order": "desc", "after": item("widget"),
    });
    let feedback = json!({
        "thread_id": THREAD, "item_ids": [item("assistant_message")], "kind": "positive",
    });
    let requests = [
        ("threads.create", json!({ "input": message() })),
        ("threads.add_user_message", json!({ "thread_id": THREAD, "input": message() })),
        (
            "threads.add_client_tool_output",
            json!({ "thread_id": THREAD, "result": {"latitude": 1.5} }),
        ),
        (
            "threads.add_structured_input",
            json!({
                "thread_id": THREAD,
                "item_id": item("structured_input"),
                "input": {"status": "answered", "answers": answers},
            }),
        ),
        (
            "threads.retry_after_item",
            json!({ "thread_id": THREAD, "item_id": item("user_message") }),
        ),
        ("threads.custom_action", action.clone()),
        ("threads.sync_custom_action", action),
        ("threads.get_by_id", json!({ "thread_id": THREAD })),
        ("threads.list", page),
        ("threads.update", json!({ "thread_id": THREAD, "title": "Order 7" })),
        ("threads.delete", json!({ "thread_id": THREAD })),
        ("items.list", items),
        ("items.feedback", feedback),
        ("attachments.create", json!({ "name": "a.txt", "size": 3, "mime_type": "text/plain" })),
        ("attachments.delete", json!({ "attachment_id": ATTACHMENT })),
        (
            "input.transcribe",
            json!({ "audio_base64": "AAAA", "mime_type": "audio/webm;codecs=opus" }),
        ),
    ];
    let whole = |(kind, params): (&'static str, Value)| {
        (kind, json!({ "type": kind, "metadata": {"page": 1}, "params": params }))
    };
    requests.map(whole).into()
}

fn message() -> Value {
    let tag = json!({
        "type": "input_tag",
        "id": "order-7",
        "text": "Order 7",
        "data": {"names": ["seven"]},
        "group": "Orders",
        "interactive": true,
    });
    json!({
        "content": [{"type": "input_text", "text": "Where is "}, tag],
        "attachments": [ATTACHMENT],
        "quoted_text": "It is on its way.",
        "inference_options": {"tool_choice": {"id": "search"}, "model": "test-model"},
    })
}
