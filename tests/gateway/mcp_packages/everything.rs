//! `@modelcontextprotocol/server-everything` from npm, as a child process and over HTTP.

use std::{net::Ipv4Addr, process::Stdio};

use chatkit_gateway::{demo::scripted_model::Step, protocol::ThreadEvent};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    process::{Child, Command},
};

use super::{gateway, offered, var};
use crate::{
    support::{TestServer, events::done_text},
    tool_servers::outputs,
};

/// Has it listen for this machine only, which it has no setting for.
const ON_LOOPBACK: &str = "data:text/javascript,import{Server}from'node:net';\
    const listen=Server.prototype.listen;Server.prototype.listen=\
    function(port,told){return listen.call(this,port,'127.0.0.1',told)}";

/// The server over HTTP, and where it is.
async fn over_http() -> (Child, String) {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let mut child = Command::new(var("TEST_NODE"))
        .args(["--import", ON_LOOPBACK, &var("TEST_MCP_EVERYTHING"), "streamableHttp"])
        .env("PORT", port.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains(&port.to_string()) {
            return (child, format!("http://127.0.0.1:{port}/mcp"));
        }
    }
    panic!("the server does not listen");
}

/// Has the model call all that is worth seeing, and looks at what it is told.
async fn all_of_it(server: TestServer) {
    let operation = json!({ "duration": 1, "steps": 2 });
    server.model.will_play([
        Step::call("pkg__echo", &json!({ "message": "hi" })),
        Step::call("pkg__get-sum", &json!({ "a": 2, "b": 3 })),
        Step::call("pkg__get-tiny-image", &json!({})),
        Step::call("pkg__get-resource-links", &json!({ "count": 2 })),
        Step::call("pkg__get-structured-content", &json!({ "location": "Chicago" })),
        Step::call("pkg__get-sum", &json!({ "a": "two" })),
        Step::call("pkg__trigger-long-running-operation", &operation),
    ]);

    let events = server.alice().say("show me").await.rest().await;

    assert_eq!(done_text(&events).unwrap(), "Hello there.");
    assert!(offered(&server).await.contains(&"pkg__echo".to_owned()));
    let asked = server.model.call(2).await;
    let outputs = outputs(&asked.body);
    assert!(outputs[0].contains("hi"), "{outputs:?}");
    assert!(outputs[1].contains('5'), "{outputs:?}");
    assert!(outputs[2].contains("[image 1]"), "{outputs:?}");
    assert!(asked.body.to_string().contains("data:image/png;base64,"));
    assert!(outputs[3].contains("[link to "), "{outputs:?}");
    assert!(outputs[4].contains("temperature"), "{outputs:?}");
    assert!(outputs[5].to_lowercase().contains("invalid"), "{outputs:?}");
    assert!(outputs[6].contains("completed"), "{outputs:?}");
    let is_progress = |event: &ThreadEvent| match event {
        ThreadEvent::ProgressUpdate { text, .. } => text.ends_with("50 %"),
        _ => false,
    };
    assert!(events.iter().any(|received| is_progress(&received.event)), "{events:#?}");
    server.stop().await;
}

#[tokio::test]
#[ignore = "needs TEST_NODE and TEST_MCP_EVERYTHING"]
async fn everything_works_with_a_node_server_that_is_a_process() {
    let (node, script) = (var("TEST_NODE"), var("TEST_MCP_EVERYTHING"));

    all_of_it(gateway(&format!("command = \"{node}\"\nargs = [\"{script}\", \"stdio\"]")).await)
        .await;
}

#[tokio::test]
#[ignore = "needs TEST_NODE and TEST_MCP_EVERYTHING"]
async fn everything_works_with_a_node_server_over_http() {
    let (_child, url) = over_http().await;

    all_of_it(gateway(&format!("url = \"{url}\"")).await).await;
}
