//! The model's input, item by item.

use serde_json::json;

use super::{calls::UNKNOWN_OUTCOME, *};
use crate::{
    protocol::{
        Attachment, AttachmentId, ItemId, RunId, ThreadId, Timestamp, Workflow,
        attachment::AttachmentKind,
        item::{ClientToolStatus, GeneratedImage, UserMessage},
        workflow::WorkflowKind,
    },
    store::record::{ItemRecord, ItemStatus, ToolCallRecord, ToolCallState},
};

fn record(kind: ItemKind) -> ItemRecord {
    let item = ThreadItem {
        id: ItemId::new(),
        thread_id: ThreadId::UNKNOWN,
        created_at: Timestamp::from_seconds(0),
        kind,
    };
    ItemRecord { item, status: ItemStatus::Complete, run_id: None }
}

fn said(text: &str) -> ItemRecord {
    record(ItemKind::UserMessage(UserMessage::from_text(text)))
}

fn workflow() -> ItemRecord {
    let workflow =
        Workflow { kind: WorkflowKind::Custom, tasks: Vec::new(), summary: None, expanded: false };
    record(ItemKind::Workflow { workflow })
}

fn client_call(call_id: &str, status: ClientToolStatus) -> ItemRecord {
    let output = (status == ClientToolStatus::Completed).then(|| json!("page"));
    record(ItemKind::ClientToolCall(ClientToolCall {
        status,
        call_id: call_id.to_owned(),
        name: "select".to_owned(),
        arguments: serde_json::Map::new(),
        output,
    }))
}

fn call(
    run_id: RunId,
    item_id: ItemId,
    position: u32,
    turn: u32,
    output: Option<&str>,
) -> ToolCallRecord {
    ToolCallRecord {
        run_id,
        position,
        turn,
        item_id,
        call_id: format!("call_{position}"),
        name: "f".to_owned(),
        arguments: "{}".to_owned(),
        state: ToolCallState::Completed,
        output: output.map(str::to_owned),
    }
}

fn image(url: String) -> ItemRecord {
    record(ItemKind::GeneratedImage { image: Some(GeneratedImage { id: "i".to_owned(), url }) })
}

/// Each entry in a word.
fn outline(input: Vec<InputItem>) -> Vec<String> {
    let word = |item| match item {
        InputItem::User(_) => "user".to_owned(),
        InputItem::FunctionCall { call_id, .. } => call_id,
        InputItem::FunctionCallOutput { output, .. } => output,
        other => panic!("{other:?}"),
    };
    input.into_iter().map(word).collect()
}

/// The addresses of images.
fn images(input: &[InputItem]) -> Vec<&str> {
    let parts = input.iter().flat_map(|item| match item {
        InputItem::User(parts) => parts.as_slice(),
        _ => &[],
    });
    let urls = parts.filter_map(|part| match part {
        InputPart::Image { url } => Some(url.as_str()),
        InputPart::Text(_) => None,
    });
    urls.collect()
}

#[test]
fn parallel_calls_stand_together_before_their_outputs() {
    let shown = workflow();
    let (run, id) = (RunId::new(), shown.item.id);
    let history = History {
        items: vec![said("hi"), shown],
        tool_calls: vec![
            call(run, id, 0, 0, Some("a")),
            call(run, id, 1, 0, None),
            call(run, id, 2, 1, Some("c")),
        ],
    };

    let outline = outline(model_input(&history));

    assert_eq!(outline, ["user", "call_0", "call_1", "a", UNKNOWN_OUTCOME, "call_2", "c"]);
}

#[test]
fn calls_of_the_run_that_went_on_with_a_workflow_stand_behind_the_pages_answer() {
    let mut shown = workflow();
    let (first, second, id) = (RunId::new(), RunId::new(), shown.item.id);
    shown.run_id = Some(first);
    let mut history = History {
        items: vec![
            said("hi"),
            shown,
            client_call("call_page", ClientToolStatus::Completed),
            said("and?"),
        ],
        tool_calls: vec![call(first, id, 0, 0, Some("a")), call(second, id, 7, 0, Some("b"))],
    };

    let of_both = outline(model_input(&history));
    history.tool_calls.remove(0);
    let of_the_second = outline(model_input(&history));

    let page = ["call_page", "\"page\""];
    assert_eq!(of_both, [&["user", "call_0", "a"], &page[..], &["call_7", "b", "user"]].concat());
    assert_eq!(of_the_second, [&["user"], &page[..], &["call_7", "b", "user"]].concat());
}

#[test]
fn calls_refused_beside_a_pending_one_have_outputs_and_the_pending_one_is_left_out() {
    let pending = client_call("call_page", ClientToolStatus::Pending);
    let refused = call(RunId::new(), pending.item.id, 1, 0, Some("no"));
    let history =
        History { items: vec![said("hi"), pending, said("never mind")], tool_calls: vec![refused] };

    assert_eq!(outline(model_input(&history)), ["user", "call_1", "no", "user"]);
}

#[test]
fn the_quoted_text_is_told_of_the_newest_message_only() {
    let quoting = || {
        let mut message = UserMessage::from_text("hi");
        message.quoted_text = Some("that".to_owned());
        record(ItemKind::UserMessage(message))
    };
    let history = History { items: vec![quoting(), quoting()], tool_calls: Vec::new() };

    assert_eq!(model_input(&history).len(), 3);
}

#[test]
fn only_the_newest_images_are_sent_and_addresses_always() {
    let data = |mark: &str| format!("data:image/png;base64,{mark}{}", "A".repeat(5 << 20));
    let address = "https://files.example.com/i.png".to_owned();
    let items = vec![
        image(data("old")),
        image(address.clone()),
        image(data("newer")),
        image(data("newest")),
    ];

    let input = model_input(&History { items, tool_calls: Vec::new() });

    assert_eq!(input.len(), 4);
    assert_eq!(images(&input), [address, data("newer"), data("newest")]);
}

#[test]
fn an_attached_image_is_looked_at_where_it_can_be_and_named_always() {
    let with = |preview_url: &str| {
        let mut message = UserMessage::from_text("look");
        message.attachments.push(Attachment {
            id: AttachmentId::new(),
            name: "a.png".to_owned(),
            mime_type: "image/png".to_owned(),
            upload_descriptor: None,
            thread_id: None,
            kind: AttachmentKind::Image { preview_url: preview_url.to_owned() },
        });
        record(ItemKind::UserMessage(message))
    };
    let items = vec![
        with("https://files.example.com/old.png"),
        with("data:image/png;base64,QQ=="),
        with("/files/a.png"),
        with("https://files.example.com/new.png"),
    ];

    let input = model_input(&History { items, tool_calls: Vec::new() });

    let is_named = |item: &InputItem| match item {
        InputItem::User(parts) => {
            matches!(&parts[1], InputPart::Text(text) if text.contains(">a.png</ATTACHMENT>"))
        }
        _ => false,
    };
    assert!(input.iter().all(is_named), "{input:?}");
    assert_eq!(images(&input), ["data:image/png;base64,QQ==", "https://files.example.com/new.png"]);
}

#[test]
fn hidden_context_that_is_no_text_is_told_as_json() {
    let hidden = record(ItemKind::HiddenContextItem { content: json!({ "a": 1 }) });

    let input = model_input(&History { items: vec![hidden], tool_calls: Vec::new() });

    let InputItem::User(parts) = &input[0] else { panic!("{input:?}") };
    let InputPart::Text(text) = &parts[0] else { panic!("{input:?}") };
    assert!(text.contains("<HiddenContext>\n{\"a\":1}\n</HiddenContext>"), "{text}");
}
