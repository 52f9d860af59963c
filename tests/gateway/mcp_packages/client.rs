//! The official SDK as a client of the gateway's own tools.

use serde_json::{Value, json};
use tokio::process::Command;

use super::var;
use crate::support::TestServer;

/// What the client saw, in the era of that mode.
async fn seen(server: &TestServer, token: &str, mode: &str) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gateway/mcp_packages/client.py");
    let mut python = Command::new(var("TEST_MCP_PYTHON"));
    let ran = python.args([script, &server.url("/mcp"), token, mode]).output().await.unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}

#[tokio::test]
#[ignore = "needs TEST_MCP_PYTHON"]
async fn the_official_client_lists_and_calls_the_tools_in_both_eras() {
    for (mode, version) in [("legacy", "2025-11-25"), ("2026-07-28", "2026-07-28")] {
        let server = TestServer::start().await;

        let seen = seen(&server, &server.token("alice"), mode).await;

        assert_eq!(seen["version"], version);
        let tools = ["add_task", "list_tasks", "complete_task", "update_task", "delete_task"];
        assert_eq!(seen["tools"], json!(tools));
        assert_eq!(seen["hints"], json!([false, true, false, false, false]));
        assert_eq!(seen["added"]["title"], "milk");
        assert_eq!(seen["resources"], json!(["chatkit://tasks"]));
        assert_eq!(seen["read"]["tasks"][0]["title"], "milk");
        assert_eq!(seen["wrong"][0], true);
        let tasks = server.alice().get("/api/alice/tasks").await.body;
        assert_eq!(tasks["data"][0]["title"], "milk");
        server.stop().await;
    }
}

#[tokio::test]
#[ignore = "needs TEST_MCP_PYTHON"]
async fn the_official_client_without_a_token_is_refused() {
    let server = TestServer::start().await;

    for mode in ["legacy", "2026-07-28", "auto"] {
        assert_eq!(seen(&server, "-", mode).await, json!({ "refused": 401 }));
    }

    server.stop().await;
}
