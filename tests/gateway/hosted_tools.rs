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
