//! Remote agents and the official SDK.

use chatkit_gateway::demo::scripted_model::Step;
use tokio::process::Command;

use crate::{
    remote_agent::{a_message_and_an_action, example, gateway, path},
    support::{TestServer, answer_text, events::done_text},
};

#[tokio::test]
#[ignore = "needs TEST_SDK_PYTHON"]
async fn what_the_agent_is_sent_is_what_its_schema_says() {
    let check = "import json, sys, jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
for turn in sys.argv[2:]:
    jsonschema.validate(json.loads(turn), schema, jsonschema.Draft202012Validator)";
    let schema = format!("{}/docs/remote-agent.schema.json", env!("CARGO_MANIFEST_DIR"));
    let turns = a_message_and_an_action().await.into_iter().map(|asked| asked.json().to_string());

    let mut python = Command::new(std::env::var("TEST_SDK_PYTHON").unwrap());
    let checked = python.args(["-c", check, &schema]).args(turns).output().await.unwrap();

    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[tokio::test]
#[ignore = "needs TEST_SDK_PYTHON"]
async fn an_existing_chatkit_python_server_answers_behind_the_gateway() {
    let python = std::env::var("TEST_SDK_PYTHON").unwrap();
    // The model of the agent's own, which this gateway never asks.
    let model = TestServer::start().await;
    model.model.will_play([Step::text("Tea "), Step::text("it is.")]);
    let (_agent, url) = example(
        Command::new(python)
            .arg(path("python/agent.py"))
            .env("OPENAI_API_KEY", "none")
            .env("OPENAI_BASE_URL", model.model.running.base_url()),
    )
    .await;
    let server = gateway(&url).await;
    let alice = server.alice();

    let mut stream = alice.say("tea or coffee?").await;
    let events = stream.rest().await;

    assert_eq!(answer_text(&events), "Tea it is.");
    assert_eq!(done_text(&events).as_deref(), Some("Tea it is."));
    let thread = alice.thread(&stream.thread_id).await;
    assert_eq!(thread["messages"][1]["content"], "Tea it is.");
    let input = model.model.call(1).await.body["input"].to_string();
    assert!(input.contains("tea or coffee?"), "{input}");
    server.stop().await;
    model.stop().await;
}
