//! Servers of models that speak Chat Completions each in its way.

use chatkit_gateway::{
    demo::scripted_model::{Manner, Step},
    protocol::ThreadEvent,
};
use serde_json::{Value, json};

use crate::support::{
    Received, TestServer, answer_text,
    events::{done_text, kinds},
};

const MANNERS: [Manner; 6] = [
    Manner::Openai,
    Manner::Azure,
    Manner::Vllm,
    Manner::LlamaCpp,
    Manner::Ollama,
    Manner::Openrouter,
];

/// What a run that failed says of it, and whether a retry is offered.
async fn failure(server: &TestServer, run: &str, events: &[Received]) -> (String, bool) {
    let Some(ThreadEvent::Error(error)) = events.last().map(|last| &last.event) else {
        panic!("the run went well: {events:?}");
    };
    let run = server.alice().run(run).await;
    (run["error"]["code"].as_str().unwrap().to_owned(), error.allow_retry)
}

#[tokio::test]
async fn thoughts_calls_text_and_usage_are_read_from_each_and_the_next_turn_is_taken_by_it() {
    for manner in MANNERS {
        let server = TestServer::start_with_model(manner, &[]).await;
        let alice = server.alice();
        server.model.will_play([
            Step::Reasoning("They want milk.".to_owned()),
            Step::call("add_task", &json!({ "title": "milk" })),
            Step::call("list_tasks", &json!({})),
        ]);

        let mut stream = alice.say("note milk").await;
        let events = stream.rest().await;
        let next = alice.say_in(&stream.thread_id, "and now?").await.rest().await;

        assert_eq!(done_text(&events).as_deref(), Some("Hello there."), "{manner:?}: {events:?}");
        assert!(kinds(&events).contains(&"thread.item.added workflow".to_owned()), "{manner:?}");
        assert_eq!(done_text(&next).as_deref(), Some("Hello there."), "{manner:?}");
        let outputs = server.model.call(2).await.body["messages"].clone();
        let outputs = outputs.as_array().unwrap().iter().filter(|one| one["role"] == "tool");
        assert_eq!(outputs.count(), 2, "{manner:?}");
        let run = alice.run(&stream.run_id).await;
        assert!(run["usage"]["input_tokens"].as_u64().unwrap() > 0, "{manner:?}: {run}");
        assert!(run["usage"]["output_tokens"].as_u64().unwrap() > 0, "{manner:?}: {run}");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_failure_in_mid_answer_is_seen_with_each_and_what_was_said_is_kept() {
    for (manner, expected) in [
        (Manner::Openai, "model_failed"),
        (Manner::Azure, "model_failed"),
        (Manner::Vllm, "model_failed"),
        (Manner::LlamaCpp, "model_failed"),
        // It does not say so: the end without a mark does.
        (Manner::Ollama, "model_truncated"),
        (Manner::Openrouter, "model_failed"),
    ] {
        let server = TestServer::start_with_model(manner, &[]).await;
        server.model.will_play([Step::text("Once"), Step::error("server_error", "out of memory")]);

        let mut stream = server.alice().say("tell me").await;
        let events = stream.rest().await;

        assert_eq!(answer_text(&events), "Once", "{manner:?}");
        let failure = failure(&server, &stream.run_id, &events).await;
        assert_eq!(failure, (expected.to_owned(), true), "{manner:?}");
        server.stop().await;
    }
}

#[tokio::test]
async fn broken_arguments_of_a_call_do_not_break_the_conversation_with_any() {
    for manner in MANNERS {
        let server = TestServer::start_with_model(manner, &[]).await;
        let broken = "{\"title\": ".to_owned();
        server.model.will_play([Step::Call { name: "add_task".to_owned(), arguments: broken }]);

        let events = server.alice().say("note milk").await.rest().await;

        assert_eq!(done_text(&events).as_deref(), Some("Hello there."), "{manner:?}: {events:?}");
        let told = server.model.call(2).await.body["messages"].as_array().unwrap().clone();
        let told = told.last().unwrap()["content"].as_str().unwrap().to_owned();
        assert!(told.contains("JSON"), "{manner:?}: {told}");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_chosen_tool_is_asked_for_in_a_way_that_each_knows() {
    let file = "[[composer_tools]]\nid = \"tasks\"\ntools = [\"list_tasks\"]\n";
    for manner in MANNERS {
        let server = TestServer::start_with_model(manner, &[("gateway.toml", file)]).await;
        server.model.will_play([Step::call("list_tasks", &json!({}))]);
        let content = json!([{ "type": "input_text", "text": "go" }]);
        let options = json!({ "tool_choice": { "id": "tasks" } });
        let input = json!({ "content": content, "attachments": [], "inference_options": options });

        let message = json!({ "input": input });
        let events = server.alice().chatkit_stream("threads.create", &message).await.rest().await;

        assert_eq!(done_text(&events).as_deref(), Some("Hello there."), "{manner:?}: {events:?}");
        let body = server.model.call(1).await.body.clone();
        assert_eq!(body["tool_choice"], "required");
        assert_eq!(body["tools"].as_array().unwrap().len(), 1);
        server.stop().await;
    }
}

#[tokio::test]
async fn the_limit_of_an_answer_has_the_name_that_each_server_knows() {
    let file =
        "[model_server]\nmax_output_tokens = 64\nextra_body = { parallel_tool_calls = false }\n";
    for manner in MANNERS {
        let server = TestServer::start_with_model(manner, &[("gateway.toml", file)]).await;

        let events = server.alice().say("hello").await.rest().await;

        assert_eq!(done_text(&events).as_deref(), Some("Hello there."), "{manner:?}: {events:?}");
        let body = server.model.call(1).await.body.clone();
        let is_newer = matches!(manner, Manner::Openai | Manner::Azure);
        let mut names = ["max_tokens", "max_completion_tokens"];
        names.rotate_left(usize::from(is_newer));
        let [sent, unsent] = names;
        assert_eq!((&body[sent], body.get(unsent)), (&json!(64), None), "{manner:?}");
        assert_eq!(body["parallel_tool_calls"], Value::Bool(false));
        server.stop().await;
    }
}

#[tokio::test]
async fn a_prompt_that_the_provider_blocks_is_said_to_be_so() {
    let server = TestServer::start_with_model(Manner::Azure, &[]).await;
    server.model.will_play([Step::status(400, "content_filter", "The response was filtered")]);

    let mut stream = server.alice().say("something bad").await;
    let events = stream.rest().await;

    let (code, can_retry) = failure(&server, &stream.run_id, &events).await;
    assert_eq!((code.as_str(), can_retry), ("model_refused", false));
    let Some(ThreadEvent::Error(error)) = events.last().map(|last| &last.event) else {
        unreachable!("it was one before");
    };
    assert!(error.message.as_ref().unwrap().contains("does not allow"), "{error:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_is_taken_for_another_refuses_and_nothing_hangs() {
    let vars = [("OPENAI_PROFILE", "openai")];
    let server = TestServer::start_with_model(Manner::Azure, &vars).await;

    let mut stream = server.alice().say("hello").await;
    let events = stream.rest().await;

    let (code, can_retry) = failure(&server, &stream.run_id, &events).await;
    assert_eq!((code.as_str(), can_retry), ("model_unauthorized", false));
    server.stop().await;
}
