//! What an agent of one's own says.

use serde_json::{Value, json};

use crate::support::{
    TestServer,
    agent::{SHOW_ALL, Showman},
};

#[tokio::test]
async fn what_an_agent_says_in_one_call_is_shown_and_kept() {
    let (server, _) = TestServer::start_with_agent(Showman).await;
    let alice = server.alice();

    let mut stream = alice.say(SHOW_ALL).await;
    let events = stream.rest().await;

    let events: Vec<Value> =
        events.iter().map(|received| serde_json::to_value(&received.event).unwrap()).collect();
    let passing: Vec<&Value> =
        events.iter().skip_while(|event| event["type"] != "progress_update").take(3).collect();
    assert_eq!(*passing[0], json!({"type": "progress_update", "text": "Looking"}));
    assert_eq!(*passing[1], json!({"type": "notice", "level": "info", "message": "*All* of it"}));
    assert_eq!(
        *passing[2],
        json!({"type": "client_effect", "name": "confetti", "data": {"pieces": 7}})
    );
    let shown: Vec<&Value> = events
        .iter()
        .filter(|event| event["type"] == "thread.item.done")
        .map(|event| &event["item"])
        .collect();
    let id = json!({ "thread_id": stream.thread_id });
    let kept = alice.chatkit("threads.get_by_id", &id).await.body;
    assert_eq!(shown, kept["items"]["data"].as_array().unwrap().iter().collect::<Vec<_>>());
    assert!(shown.iter().all(|item| item["thread_id"] == stream.thread_id.as_str()));
    let says = |kind: &str| shown.iter().find(|item| item["type"] == kind).unwrap();
    assert_eq!(says("assistant_message")["content"][0]["text"], "This is all.");
    assert_eq!(says("widget")["copy_text"], "Order 7");
    assert_eq!(says("structured_input")["status"], "pending");
    assert_eq!(says("client_tool_call")["status"], "pending");
    assert_eq!(says("client_tool_call")["arguments"], json!({"exact": true}));
    server.stop().await;
}
