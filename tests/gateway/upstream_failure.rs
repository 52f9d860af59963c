//! A model that fails.

use chatkit_gateway::{
    demo::scripted_model::Step,
    protocol::{
        ThreadEvent,
        event::{ErrorCode, ErrorEvent},
    },
};

use crate::support::{Received, TestServer};

fn error_of(events: &[Received]) -> &ErrorEvent {
    match &events.last().unwrap().event {
        ThreadEvent::Error(error) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refused_key_is_a_clear_error_without_the_key() {
    let server = TestServer::start_with(&[("OPENAI_API_KEY", "sk-canary-0123456789")]).await;
    let refusal = Step::status(401, "invalid_api_key", "Incorrect API key: sk-canary-0123456789");
    server.model.will_play([refusal]);

    let mut stream = server.alice().say("hi").await;
    let events = stream.rest().await;

    let error = error_of(&events);
    assert_eq!((error.code, error.allow_retry), (ErrorCode::Custom, false));
    assert!(!String::from_utf8_lossy(&stream.raw).contains("canary"));
    let run = server.alice().run(&stream.run_id).await;
    assert_eq!(
        (&run["status"], &run["error"]["code"]),
        (&"failed".into(), &"model_unauthorized".into())
    );
    server.stop().await;
}

#[tokio::test]
async fn a_partial_answer_is_kept_when_the_model_breaks_off() {
    let server = TestServer::start().await;
    let alice = server.alice();
    for end in [Step::Cut, Step::EndWithoutMark, Step::error("server_error", "boom")] {
        server.model.will_play([Step::text("half an"), end.clone()]);

        let mut stream = alice.say("hi").await;
        let events = stream.rest().await;

        assert!(error_of(&events).allow_retry, "{end:?}");
        let thread = alice.thread(&stream.thread_id).await;
        assert_eq!(thread["messages"][1]["content"], "half an", "{end:?}");
        assert_eq!(thread["messages"][1]["status"], "failed");
        assert_eq!(alice.run(&stream.run_id).await["status"], "failed");
    }
    assert_eq!(server.model.calls(), 3, "nothing is asked again once some of the answer was used");
    server.stop().await;
}

#[tokio::test]
async fn a_model_that_stalls_is_given_up() {
    let server = TestServer::start_with(&[("CHATKIT_IDLE_TIMEOUT", "100ms")]).await;
    server.model.will_play([Step::text("half an"), Step::Hang]);

    let mut stream = server.alice().say("hi").await;
    let events = stream.rest().await;

    assert!(error_of(&events).allow_retry);
    server.model.running.model().wait_until(|counters| counters.closed_by_client == 1).await;
    server.stop().await;
}

#[tokio::test]
async fn a_busy_model_is_asked_again_before_its_answer_begins() {
    let server = TestServer::start().await;
    server.model.will_play([Step::status(503, "overloaded", "later")]);

    let events = server.alice().say("hi").await.rest().await;

    assert_eq!(crate::support::answer_text(&events), "Hello there.");
    assert_eq!(server.model.calls(), 2);
    server.stop().await;
}

#[tokio::test]
async fn both_apis_of_models_give_the_same_answer() {
    let mut seen = Vec::new();
    for api in ["responses", "chat_completions"] {
        let server = TestServer::start_with(&[("OPENAI_API", api)]).await;
        server.model.will_play([
            Step::text("Let me add it."),
            Step::call("add_task", &serde_json::json!({"title": "milk"})),
        ]);
        let events = server.alice().say("add milk").await.rest().await;
        seen.push(crate::support::events::kinds(&events));
        server.stop().await;
    }
    assert_eq!(seen[0], seen[1]);
}
