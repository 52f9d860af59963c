//! kill -9 right behind an event that says that something is stored.

use chatkit_gateway::demo::scripted_model::{ModelCall, ScriptedModel, Step};
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use std::sync::Arc;

use crate::rig::{Database, GatewayProcess, settings};

#[tokio::test]
async fn what_was_done_is_there_after_a_kill_on_sqlite() {
    kill_behind_done(&Database::sqlite()).await;
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn what_was_done_is_there_after_a_kill_on_postgres() {
    kill_behind_done(&Database::postgres().await).await;
}

async fn kill_behind_done(database: &Database) {
    let answer = |call: Arc<ModelCall>| {
        let text = format!("answer {}", call.number);
        stream::iter([Step::text(text), Step::text(" in full")])
    };
    let model = ScriptedModel::new(answer).start().await.unwrap();
    let mut gateway = GatewayProcess::start(&database.url, &model.base_url()).await;
    for round in 1..=settings::rounds(5, 100) {
        let (thread, item) = read_until_done(&gateway).await;
        gateway.kill();

        gateway.restart().await;
        let kept = gateway.get(&format!("/api/chatkit/threads/{thread}")).await;
        let message = &kept["messages"][1];
        assert_eq!(message["id"], item.as_str(), "round {round}: {kept}");
        assert_eq!(message["content"], format!("answer {round} in full"), "round {round}: {kept}");
        assert_eq!(message["status"], "complete", "round {round}: {kept}");
    }
}

/// Sends a message and reads until the answer is said to be stored; answers thread and item.
async fn read_until_done(gateway: &GatewayProcess) -> (String, String) {
    let request = gateway
        .http
        .post(format!("{}/api/chatkit/messages", gateway.base))
        .bearer_auth(&gateway.token)
        .json(&json!({ "content": "hi" }));
    let response = request.send().await.unwrap().error_for_status().unwrap();
    let thread = response.headers()["x-thread-id"].to_str().unwrap().to_owned();
    let mut body = response.bytes_stream();
    let mut seen = String::new();
    loop {
        seen.push_str(std::str::from_utf8(&body.next().await.unwrap().unwrap()).unwrap());
        for event in seen.lines().filter_map(|line| line.strip_prefix("data: ")) {
            let Ok(event) = serde_json::from_str::<serde_json::Value>(event) else { continue };
            let item = &event["item"];
            if event["type"] == "thread.item.done" && item["type"] == "assistant_message" {
                return (thread, item["id"].as_str().unwrap().to_owned());
            }
        }
    }
}
