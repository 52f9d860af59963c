//! Tools that the provider runs itself, and images.

use chatkit_gateway::{
    demo::scripted_model::Step,
    protocol::{ItemKind, ItemUpdate, ThreadEvent},
};
use serde_json::{Value, json};

use crate::support::{
    Received, TestServer,
    events::{done_text, kinds},
};

/// A small picture. Usual ones have four times as many; reading one event of that size takes the
/// event-source crate seconds in a debug build, since it begins anew with each piece that arrives.
const IMAGE_BYTES: usize = 1 << 20;
/// Thumbnails, and how many of them are more than a run may hold.
const THUMB_BYTES: usize = 256 << 10;
const TOO_MANY: usize = 65;

fn image_of(events: &[Received]) -> Option<String> {
    events.iter().find_map(|received| match &received.event {
        ThreadEvent::ItemDone { item } => match &item.kind {
            ItemKind::GeneratedImage { image } => image.as_ref().map(|image| image.url.clone()),
            _ => None,
        },
        _ => None,
    })
}

#[tokio::test]
async fn what_the_provider_does_is_shown_beside_the_gateways_own_calls() {
    let server = TestServer::start().await;
    let search = json!({"type": "web_search_call", "action": {"type": "search", "query": "milk"}});
    server.model.will_play([Step::Item(search), Step::call("add_task", &json!({"title": "milk"}))]);

    let events = server.alice().say("where is milk? note it").await.rest().await;

    let shown: Vec<String> = kinds(&events).into_iter().skip(3).take(7).collect();
    assert_eq!(
        shown,
        [
            "thread.item.added workflow",
            "thread.item.updated workflow.task.added",
            "thread.item.updated workflow.task.updated",
            "thread.item.updated workflow.task.added",
            "progress_update",
            "thread.item.updated workflow.task.updated",
            "thread.item.done workflow",
        ]
    );
    assert_eq!(done_text(&events).unwrap(), "Hello there.");
    server.stop().await;
}

#[tokio::test]
async fn the_providers_tools_are_offered_as_configured() {
    let file = r#"
        [agent]
        hosted_tools = [{ type = "image_generation", partial_images = 2 }]
    "#;
    let server = TestServer::start_with(&[("gateway.toml", file)]).await;
    let drafts = ["QUFB", "QkJC"].map(str::to_owned).to_vec();
    server.model.will_play([Step::Image { drafts, result: Some("Q0ND".to_owned()) }]);

    let events = server.alice().say("draw").await.rest().await;

    let tools = server.model.call(1).await.body["tools"].as_array().unwrap().clone();
    assert_eq!(tools.last(), Some(&json!({"type": "image_generation", "partial_images": 2})));
    let progress: Vec<f64> = events
        .iter()
        .filter_map(|received| match &received.event {
            ThreadEvent::ItemUpdated {
                update: ItemUpdate::GeneratedImageUpdated { progress, .. },
                ..
            } => *progress,
            _ => None,
        })
        .collect();
    assert_eq!(progress, [0.0, 0.5]);
    assert_eq!(image_of(&events).unwrap(), "data:image/png;base64,Q0ND");
    server.stop().await;
}

#[tokio::test]
async fn a_large_image_with_large_drafts_is_shown_stored_and_told_to_the_model() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let picture = || "A".repeat(IMAGE_BYTES);
    let drafts = vec![picture(), picture(), picture()];
    server.model.will_play([Step::Image { drafts, result: Some(picture()) }, Step::text("Here.")]);

    let mut stream = alice.say("draw").await;
    let events = stream.rest().await;
    alice.say_in(&stream.thread_id, "brighter").await.rest().await;

    assert_eq!(alice.run(&stream.run_id).await["status"], "completed");
    let url = image_of(&events).unwrap();
    assert!(url.len() > IMAGE_BYTES);
    let input = &server.model.call(2).await.body["input"];
    let parts: Vec<&Value> = input
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|item| item["content"].as_array())
        .flatten()
        .collect();
    assert!(parts.iter().any(|part| part["image_url"] == url.as_str()));
    server.stop().await;
}

#[tokio::test]
async fn a_flood_of_images_fails_the_run() {
    let server = TestServer::start().await;
    let picture = Step::Image { drafts: Vec::new(), result: Some("A".repeat(THUMB_BYTES)) };
    server.model.will_play(vec![picture; TOO_MANY]);

    let mut stream = server.alice().say("draw").await;
    let events = stream.rest().await;

    let Some(ThreadEvent::Error(error)) = events.last().map(|last| &last.event) else {
        panic!("the run went well");
    };
    assert!(!error.allow_retry);
    let run = server.alice().run(&stream.run_id).await;
    assert_eq!(run["error"]["code"], "output_too_large", "{run}");
    server.stop().await;
}

#[tokio::test]
async fn an_image_that_fails_leaves_nothing() {
    let server = TestServer::start().await;
    server
        .model
        .will_play([Step::Image { drafts: Vec::new(), result: None }, Step::text("Sorry.")]);

    let mut stream = server.alice().say("draw").await;
    let events = stream.rest().await;

    assert!(kinds(&events).contains(&"thread.item.removed".to_owned()), "{events:?}");
    assert_eq!(server.alice().thread(&stream.thread_id).await["message_count"], 2);
    server.stop().await;
}

#[tokio::test]
async fn each_kind_is_offered_with_what_is_to_be_told_of_it_and_shown_in_its_way() {
    let file = r#"
        [agent]
        hosted_tools = [
            { type = "web_search" },
            { type = "file_search", vector_store_ids = ["vs_1"] },
            { type = "code_interpreter", container = { type = "auto" } },
            { type = "mcp", server_label = "docs", server_url = "https://a.example/mcp", require_approval = "never", authorization = "${TOKEN}" },
        ]
    "#;
    let vars = [("gateway.toml", file), ("TOKEN", "of-the-operator"), ("OPENAI_PROFILE", "openai")];
    let vars = [&vars[..], &[("OPENAI_API_KEY", "k")]].concat();
    let server = TestServer::start_with(&vars).await;
    let items = [
        json!({"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "docs", "tools": []}),
        json!({"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {
            "type": "search", "query": "milk",
            "sources": [{"type": "url", "url": "https://milk.example/"}]}}),
        json!({"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": ["milk"],
            "results": [{"filename": "list.pdf", "text": "milk"}]}),
        json!({"type": "code_interpreter_call", "id": "ci_1", "status": "completed",
            "container_id": "c", "code": "print(1 + 1)", "outputs": [
                {"type": "logs", "logs": "2"},
                {"type": "image", "url": "data:image/png;base64,QUFB"}]}),
        json!({"type": "mcp_call", "id": "mcp_1", "server_label": "docs", "name": "read",
            "arguments": "{\"page\":1}", "output": "text", "error": null}),
        json!({"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "docs",
            "name": "write", "arguments": "{}"}),
    ];
    let steps = items.clone().map(Step::Item).into_iter();
    server.model.will_play(steps.chain([Step::call("list_tasks", &json!({}))]));

    let mut stream = server.alice().say("find out").await;
    let events = stream.rest().await;

    let asked = server.model.call(1).await.body.clone();
    let kinds: Vec<&str> = asked["tools"].as_array().unwrap()[5..]
        .iter()
        .map(|tool| tool["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["web_search", "file_search", "code_interpreter", "mcp"]);
    assert_eq!(asked["tools"][8]["authorization"], "of-the-operator");
    let included = asked["include"].as_array().unwrap();
    for what in [
        "web_search_call.action.sources",
        "file_search_call.results",
        "code_interpreter_call.outputs",
    ] {
        assert!(included.contains(&json!(what)), "{included:?}");
    }
    // What came goes back with the calls' outputs, but for the request that nobody answers.
    let back = server.model.call(2).await.body["input"].as_array().unwrap().clone();
    let back: Vec<&Value> = back.iter().filter(|item| item["id"].is_string()).collect();
    assert_eq!(back.len(), 5, "{back:?}");

    assert_eq!(image_of(&events).unwrap(), "data:image/png;base64,QUFB");
    let page = json!({ "thread_id": stream.thread_id, "order": "asc" });
    let stored = server.alice().chatkit("items.list", &page).await.body["data"].clone();
    let stored = stored.as_array().unwrap();
    let workflow = stored.iter().find(|item| item["type"] == "workflow").unwrap();
    let tasks = workflow["workflow"]["tasks"].as_array().unwrap();
    let told: Vec<&str> = tasks.iter().map(|task| task["type"].as_str().unwrap()).collect();
    assert_eq!(told, ["web_search", "file", "custom", "custom", "custom", "custom"]);
    assert!(tasks.iter().all(|task| task["status_indicator"] == "complete"), "{tasks:?}");
    assert_eq!(tasks[0]["sources"][0]["url"], "https://milk.example/");
    assert_eq!(tasks[1]["sources"][0]["filename"], "list.pdf");
    assert_eq!(tasks[2]["content"], "```python\nprint(1 + 1)\n```\n\n```text\n2\n```");
    assert_eq!(
        (&tasks[3]["title"], &tasks[3]["content"]),
        (&json!("docs: read"), &json!("{\"page\":1}"))
    );
    assert!(tasks[4]["content"].as_str().unwrap().contains("approval"), "{}", tasks[4]);
    server.stop().await;
}

#[tokio::test]
async fn citations_of_what_was_found_are_annotations_of_the_answer() {
    let server = TestServer::start().await;
    let text = "Milk is white, says the web, and cheap, says a file.";
    let message = json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": [
            {"type": "url_citation", "url": "https://milk.example/", "title": "Milk",
                "start_index": 0, "end_index": 13},
            {"type": "file_citation", "file_id": "f", "filename": "list.pdf", "index": 30},
            {"type": "container_file_citation", "container_id": "c", "file_id": "f",
                "filename": "plot.png", "start_index": 0, "end_index": 51}]}]});
    server.model.will_play([Step::Item(message)]);

    let events = server.alice().say("what is milk?").await.rest().await;

    assert_eq!(done_text(&events).unwrap(), text);
    let done = events.iter().find_map(|received| match &received.event {
        ThreadEvent::ItemDone { item } => match &item.kind {
            ItemKind::AssistantMessage(message) => Some(serde_json::to_value(message).unwrap()),
            _ => None,
        },
        _ => None,
    });
    let annotations = done.unwrap()["content"][0]["annotations"].clone();
    let sources: Vec<&Value> =
        annotations.as_array().unwrap().iter().map(|annotation| &annotation["source"]).collect();
    assert_eq!(sources[0]["url"], "https://milk.example/");
    assert_eq!(
        (&sources[1]["filename"], &sources[2]["filename"]),
        (&json!("list.pdf"), &json!("plot.png"))
    );
    assert_eq!(annotations[0]["index"], 13);
    server.stop().await;
}
