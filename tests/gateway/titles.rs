//! How a new thread gets its title.

use chatkit_gateway::{demo::scripted_model::Step, protocol::ThreadEvent};

use crate::support::TestServer;

#[tokio::test]
async fn a_new_thread_is_titled_by_its_first_words() {
    let server = TestServer::start_with(&[("CHATKIT_TITLES", "first_words")]).await;
    let alice = server.alice();
    let voice = server.model.will_listen();

    let mut stream = alice.say("water the plants").await;
    let is_titled = |event: &ThreadEvent| matches!(event, ThreadEvent::ThreadUpdated { .. });
    stream.until(is_titled).await;
    voice.finish();
    stream.rest().await;

    assert_eq!(alice.thread(&stream.thread_id).await["title"], "water the plants");
    server.stop().await;
}

#[tokio::test]
async fn a_new_thread_is_titled_by_the_model_once() {
    let server = TestServer::start_with(&[("CHATKIT_TITLES", "model")]).await;
    let alice = server.alice();
    // Which of the two calls comes first is not said: each gets an answer that fits both.
    server.model.will_play([Step::text("Plants and water")]);
    server.model.will_play([Step::text("Plants and water")]);

    let mut stream = alice.say("water the plants").await;
    stream.rest().await;
    let mut thread = alice.thread(&stream.thread_id).await;
    while thread.get("title").is_none() {
        // The title may be made a moment after the answer.
        thread = alice.thread(&stream.thread_id).await;
    }
    alice.say_in(&stream.thread_id, "thanks").await.rest().await;

    assert_eq!(thread["title"], "Plants and water");
    assert_eq!(server.model.calls(), 3);
    server.stop().await;
}
