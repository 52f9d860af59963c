//! `mcp-server-time` from `PyPI`, a child process.

use chatkit_gateway::demo::scripted_model::Step;
use serde_json::{Value, json};

use super::{gateway, offered, var};
use crate::{
    support::events::{done_text, kinds},
    tool_servers::outputs,
};

#[tokio::test]
#[ignore = "needs TEST_MCP_PYTHON"]
async fn the_model_asks_a_python_server_what_time_it_is() {
    let entry =
        format!("command = \"{}\"\nargs = [\"-m\", \"mcp_server_time\"]", var("TEST_MCP_PYTHON"));
    let server = gateway(&entry).await;
    let arguments = json!({
        "source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo",
    });
    server.model.will_play([
        Step::call("pkg__convert_time", &arguments),
        Step::call("pkg__get_current_time", &json!({ "timezone": "Nowhere/Land" })),
    ]);

    let events = server.alice().say("noon in Tokyo?").await.rest().await;

    assert_eq!(done_text(&events).unwrap(), "Hello there.");
    assert_eq!(offered(&server).await, ["pkg__get_current_time", "pkg__convert_time"]);
    let shown: Vec<String> = kinds(&events).into_iter().skip(3).take(3).collect();
    assert_eq!(
        shown,
        [
            "thread.item.added workflow",
            "thread.item.updated workflow.task.added",
            "progress_update",
        ]
    );
    let asked = server.model.call(2).await;
    let outputs = outputs(&asked.body);
    let converted: Value = serde_json::from_str(outputs[0]).unwrap();
    assert!(converted["target"]["datetime"].as_str().unwrap().contains("T21:00"), "{converted}");
    assert!(outputs[1].contains("Nowhere/Land"), "{outputs:?}");
    server.stop().await;
}
