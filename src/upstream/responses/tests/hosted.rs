//! Tools that the provider runs itself, and images.

use serde_json::json;

use super::{added, before_completion, completed, done, good};
use crate::{
    protocol::item::GeneratedImage,
    upstream::{HostedCall, ModelEvent, WebSource},
};

/// The calls as they began and as they ended.
fn hosted(events: &[ModelEvent]) -> Vec<(&'static str, usize, HostedCall)> {
    let calls = events.iter().filter_map(|event| match event {
        ModelEvent::HostedCallStarted { index, call } => Some(("started", *index, call.clone())),
        ModelEvent::HostedCallDone { index, call, .. } => Some(("done", *index, call.clone())),
        _ => None,
    });
    calls.collect()
}

fn web(queries: &[&str], urls: &[(&str, &str)]) -> HostedCall {
    let source = |(url, title): &(&str, &str)| WebSource {
        url: (*url).to_owned(),
        title: (*title).to_owned(),
    };
    HostedCall::WebSearch {
        queries: queries.iter().map(|query| (*query).to_owned()).collect(),
        sources: urls.iter().map(source).collect(),
    }
}

fn png(base64: &str) -> GeneratedImage {
    GeneratedImage { id: "ig".to_owned(), url: format!("data:image/png;base64,{base64}") }
}

#[test]
fn a_web_search_says_what_it_looked_for_once_it_is_whole() {
    let whole = json!({"id": "ws", "type": "web_search_call", "status": "completed", "action": {
        "type": "search", "query": "acme", "queries": ["acme", "acme inc"],
        "sources": [{"type": "url", "url": "https://a.example/"}, {"type": "api", "name": "oai-weather"}]}});

    let events = good(&[
        added(0, &json!({"id": "ws", "type": "web_search_call"})),
        json!({"type": "response.web_search_call.searching", "output_index": 0, "item_id": "ws"}),
        done(0, &whole),
        completed(&json!([whole])),
    ]);

    let found = [("https://a.example/", "https://a.example/")];
    assert_eq!(
        hosted(&events),
        [("started", 0, web(&[], &[])), ("done", 0, web(&["acme", "acme inc"], &found))]
    );
    let sent_back = events.iter().any(
        |event| matches!(event, ModelEvent::HostedCallDone { item: Some(item), .. } if *item == whole),
    );
    assert!(sent_back, "{events:?}");
}

#[test]
fn a_look_at_a_page_names_the_page() {
    let item = json!({"type": "web_search_call", "action": {"type": "open_page", "url": "https://a.example/x"}});

    let events = before_completion(&[done(0, &item)]);

    let page = [("https://a.example/x", "https://a.example/x")];
    assert_eq!(hosted(&events)[1], ("done", 0, web(&[], &page)));
}

#[test]
fn file_searches_programs_and_mcp_calls_are_told() {
    let events = before_completion(&[
        done(
            0,
            &json!({"type": "file_search_call", "queries": ["q"], "results": [
            {"filename": "a.pdf"}, {"filename": "a.pdf"}, {"filename": "b.pdf"}, {}]}),
        ),
        done(
            1,
            &json!({"type": "code_interpreter_call", "code": "1 + 1", "outputs": [
            {"type": "logs", "logs": "2"}, {"type": "logs", "logs": "3"},
            {"type": "image", "url": "data:image/png;base64,QUFB"},
            {"type": "image", "url": "javascript:alert(1)"}]}),
        ),
        done(
            2,
            &json!({"type": "mcp_call", "server_label": "s", "name": "n", "arguments": "{}",
            "error": {"message": "refused"}}),
        ),
        done(3, &json!({"type": "mcp_call", "name": "n", "error": null})),
    ]);

    let ended: Vec<HostedCall> = hosted(&events)
        .into_iter()
        .filter_map(|(step, _, call)| (step == "done").then_some(call))
        .collect();
    let mcp = |server: &str, arguments: &str, error: Option<&str>| HostedCall::Mcp {
        server: server.to_owned(),
        name: "n".to_owned(),
        arguments: arguments.to_owned(),
        error: error.map(str::to_owned),
    };
    assert_eq!(
        ended,
        [
            HostedCall::FileSearch {
                queries: vec!["q".to_owned()],
                filenames: vec!["a.pdf".to_owned(), "b.pdf".to_owned()],
            },
            HostedCall::CodeInterpreter {
                code: "1 + 1".to_owned(),
                logs: "2\n3".to_owned(),
                images: vec!["data:image/png;base64,QUFB".to_owned()],
            },
            mcp("s", "{}", Some("refused")),
            mcp("", "", None),
        ]
    );
}

#[test]
fn a_call_that_would_need_an_approval_is_told_as_failed_and_not_sent_back() {
    let item = json!({"id": "mcpr", "type": "mcp_approval_request", "server_label": "s",
        "name": "n", "arguments": "{}"});

    let events = good(&[added(0, &item), done(0, &item), completed(&json!([item]))]);

    let (_, _, call) = &hosted(&events)[1];
    assert!(
        matches!(call, HostedCall::Mcp { error: Some(error), .. } if error.contains("approval"))
    );
    assert!(
        events.iter().any(|event| matches!(event, ModelEvent::HostedCallDone { item: None, .. }))
    );
}

#[test]
fn the_list_of_a_servers_tools_goes_back_and_one_that_failed_does_not() {
    let list = json!({"id": "mcpl", "type": "mcp_list_tools", "server_label": "s", "tools": []});
    let failed = json!({"id": "mcpl", "type": "mcp_list_tools", "server_label": "s",
        "error": {"message": "away"}});

    let told = before_completion(&[added(0, &list), done(0, &list)]);
    let untold = before_completion(&[added(0, &failed), done(0, &failed)]);

    assert_eq!(told, [ModelEvent::Context { item: list }]);
    assert_eq!(untold, []);
}

#[test]
fn a_call_that_stands_only_in_the_whole_answer_is_told_and_one_that_was_told_is_not_told_again() {
    let item = json!({"id": "ws", "type": "web_search_call", "action": {"query": "acme"}});

    let unheard = good(&[completed(&json!([item]))]);
    let heard = good(&[added(0, &item), done(0, &item), completed(&json!([item]))]);

    assert_eq!(hosted(&unheard), hosted(&heard));
    assert_eq!(hosted(&heard).len(), 2);
}

#[test]
fn an_image_is_told_with_its_drafts() {
    let partial = |number: u32, base64: &str| {
        json!({"type": "response.image_generation_call.partial_image", "item_id": "ig",
            "output_index": 0, "partial_image_index": number, "partial_image_b64": base64})
    };
    let whole = json!({"id": "ig", "type": "image_generation_call", "status": "completed",
        "result": "Q0ND", "output_format": "webp"});

    let events = before_completion(&[
        added(0, &json!({"id": "ig", "type": "image_generation_call", "result": null})),
        json!({"type": "response.image_generation_call.generating", "output_index": 0}),
        partial(0, "QUFB"),
        partial(1, "QkJC"),
        done(0, &whole),
    ]);

    let webp = GeneratedImage { url: "data:image/webp;base64,Q0ND".to_owned(), ..png("") };
    assert_eq!(
        events,
        [
            ModelEvent::ImageStarted { index: 0 },
            ModelEvent::ImagePartial { index: 0, number: 0, image: png("QUFB") },
            ModelEvent::ImagePartial { index: 0, number: 1, image: png("QkJC") },
            ModelEvent::ImageDone { index: 0, image: Some(webp), item: Some(whole) },
        ]
    );
}

#[test]
fn an_image_without_a_result_or_an_end_is_none() {
    let failed = json!({"id": "ig", "type": "image_generation_call", "status": "failed"});

    let ended = before_completion(&[added(0, &failed), done(0, &failed)]);
    let never_ended = good(&[added(0, &failed), completed(&json!([]))]);

    let none = ModelEvent::ImageDone { index: 0, image: None, item: None };
    assert_eq!(ended[1], none);
    assert_eq!(never_ended[1], none);
}
