use chatkit_gateway::tools::{ToolRegistry, mcp_server::McpSettings, tasks::task_tools};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    memory_store::MemoryStore,
    scripted_tool::{Script, tool},
    test_server::{LEGACY, MODERN, TestServer, answer, within_seconds},
};

/// The JSON in the text of a tool's result.
fn tool_json(message: &Value) -> Value {
    assert_eq!(message["result"]["isError"], false, "{message}");
    let text = message["result"]["content"][0]["text"].as_str().expect("a text");
    serde_json::from_str(text).expect("JSON")
}

#[tokio::test]
async fn a_client_that_initializes_lists_and_calls_the_tools() {
    let server = TestServer::with_task_tools().await;
    let hello = json!({
        "protocolVersion": LEGACY,
        "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" },
    });

    let welcome = server.legacy("initialize", hello).await;
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let accepted = server.post(LEGACY, &initialized).send().await.unwrap();
    let list = server.legacy("tools/list", json!({})).await;
    let call = json!({ "name": "add_task", "arguments": { "title": "milk" } });
    let added = server.legacy("tools/call", call).await;

    assert_eq!(welcome["result"]["protocolVersion"], LEGACY);
    assert_eq!(welcome["result"]["serverInfo"]["name"], "chatkit-gateway");
    assert!(welcome["result"]["capabilities"]["tools"].is_object());
    assert_eq!(accepted.status(), 202);
    assert_eq!(list["result"]["tools"].as_array().unwrap().len(), 5);
    assert_eq!(tool_json(&added)["title"], "milk");
    assert_eq!(added["result"].get("resultType"), None);
}

#[tokio::test]
async fn a_self_contained_request_needs_no_handshake() {
    let server = TestServer::with_task_tools().await;

    let discovered = server.modern("server/discover", json!({})).await;
    let list = server.modern("tools/list", json!({})).await;
    let call = json!({ "name": "add_task", "arguments": { "title": "milk" } });
    let added = server.modern("tools/call", call).await;

    let versions = discovered["result"]["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!(MODERN)), "{discovered}");
    assert_eq!(list["result"]["tools"][0]["name"], "add_task");
    assert_eq!(tool_json(&added)["id"], 1);
    assert_eq!(added["result"]["resultType"], "complete");
}

#[tokio::test]
async fn a_tool_is_described_with_its_schema_and_its_hints() {
    let server = TestServer::with_task_tools().await;

    let list = server.legacy("tools/list", json!({})).await;

    let delete = &list["result"]["tools"][4];
    assert_eq!(delete["name"], "delete_task");
    assert_eq!(delete["title"], "Delete task");
    assert_eq!(delete["inputSchema"]["required"], json!(["task_id"]));
    assert_eq!(
        delete["annotations"],
        json!({
            "title": "Delete task",
            "readOnlyHint": false,
            "destructiveHint": true,
            "idempotentHint": true,
        })
    );
}

#[tokio::test]
async fn users_have_tasks_of_their_own() {
    let server = TestServer::with_task_tools().await;
    let call = json!({ "name": "add_task", "arguments": { "title": "milk" } });
    server.legacy("tools/call", call).await;
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "list_tasks" } });

    let of_bob = server.anonymous(LEGACY, &list).header("x-test-user", "bob");

    assert_eq!(tool_json(&answer(of_bob).await), json!({ "tasks": [] }));
    assert_eq!(tool_json(&answer(server.post(LEGACY, &list)).await)["tasks"][0]["title"], "milk");
}

#[tokio::test]
async fn an_unknown_tool_is_an_error_of_the_protocol_in_both_eras() {
    let server = TestServer::with_task_tools().await;
    let call = json!({ "name": "drop_table", "arguments": {} });

    for message in [
        server.legacy("tools/call", call.clone()).await,
        server.modern("tools/call", call.clone()).await,
    ] {
        assert_eq!(message["error"]["code"], -32602, "{message}");
        assert_eq!(message["error"]["message"], "unknown tool: drop_table");
    }
}

#[tokio::test]
async fn wrong_arguments_are_a_result_that_the_model_can_read() {
    let server = TestServer::with_task_tools().await;
    let call = json!({ "name": "complete_task", "arguments": { "task_id": 7 } });
    let wrong = json!({ "name": "complete_task", "arguments": { "id": 7 } });

    let missing = server.legacy("tools/call", call).await;
    let wrong = server.modern("tools/call", wrong).await;

    assert_eq!(missing["result"]["isError"], true);
    assert_eq!(
        missing["result"]["content"][0]["text"],
        "there is no task 7; call list_tasks to see the tasks"
    );
    assert_eq!(wrong["result"]["isError"], true);
    assert!(wrong["result"]["content"][0]["text"].as_str().unwrap().contains("`id`"), "{wrong}");
}

#[tokio::test]
async fn a_request_without_a_user_is_refused() {
    let server = TestServer::with_task_tools().await;
    let calls = [
        ("tools/list", json!({})),
        ("tools/call", json!({ "name": "list_tasks" })),
        ("resources/list", json!({})),
        ("resources/read", json!({ "uri": "chatkit://tasks" })),
    ];

    for (method, params) in calls {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });

        let message = answer(server.anonymous(LEGACY, &body)).await;

        assert_eq!(message["error"]["code"], -32600, "{message}");
    }
}

#[tokio::test]
async fn foreign_hosts_and_pages_are_refused_until_they_are_allowed() {
    let registry = || ToolRegistry::new(task_tools(MemoryStore::default())).unwrap();
    let by_default = TestServer::start(registry(), McpSettings::default()).await;
    let settings = McpSettings {
        allowed_hosts: ["127.0.0.1", "chat.example.com"].map(str::to_owned).into(),
        allowed_origins: vec!["https://app.example.com".to_owned()],
    };
    let configured = TestServer::start(registry(), settings).await;
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });

    for (header, value, status) in [
        ("host", "chat.example.com", 200),
        ("host", "evil.example.com", 403),
        ("origin", "https://app.example.com", 200),
        ("origin", "https://app.example.com:8443", 403),
    ] {
        let refused = by_default.post(LEGACY, &list).header(header, value).send().await.unwrap();
        let answered = configured.post(LEGACY, &list).header(header, value).send().await.unwrap();

        assert_eq!(refused.status(), 403, "{header}: {value}");
        assert_eq!(answered.status(), status, "{header}: {value}");
    }
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_its_call() {
    let (started, dropped) = (CancellationToken::new(), CancellationToken::new());
    let hang = Script::Hang { started: started.clone(), dropped: dropped.clone() };
    let registry = ToolRegistry::new(vec![tool("hang", hang)]).unwrap();
    let server = TestServer::start(registry, McpSettings::default()).await;

    tokio::select! {
        message = server.legacy("tools/call", json!({ "name": "hang" })) => panic!("{message}"),
        () = started.cancelled() => {}
    }

    within_seconds(dropped.cancelled()).await;
}

#[tokio::test]
async fn shutdown_ends_the_calls_under_way() {
    let (started, dropped) = (CancellationToken::new(), CancellationToken::new());
    let hang = Script::Hang { started: started.clone(), dropped: dropped.clone() };
    let registry = ToolRegistry::new(vec![tool("hang", hang)]).unwrap();
    let server = TestServer::start(registry, McpSettings::default()).await;
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "hang" } });
    let shut_down = async {
        started.cancelled().await;
        server.shutdown.cancel();
    };

    let (response, ()) = tokio::join!(server.post(LEGACY, &call).send(), shut_down);

    assert_eq!(response.unwrap().status(), 500);
    within_seconds(dropped.cancelled()).await;
}
