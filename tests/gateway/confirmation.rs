//! Tools that are called only when the user agrees.

use std::time::Duration;

use chatkit_gateway::{
    demo::scripted_model::Step,
    protocol::{ItemId, ItemKind, RunId, ThreadEvent, ThreadId, ThreadItem, UserId},
    store::{
        OpenOptions, open,
        record::{Begun, Lease, NewRun, RunThread, ToolCallRecord, ToolCallState},
    },
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    support::{Client, EventStream, Received, TestServer, events::done_text},
    tool_server::{Era, ToolServer, tool},
    tool_servers::outputs,
};

/// The buttons, by their places.
pub(crate) const RUN: usize = 0;
pub(crate) const CANCEL: usize = 1;

/// A tool server with a tool that reads and two that may do anything.
pub(crate) async fn tool_server() -> ToolServer {
    let mut reader = tool("read");
    reader["annotations"] = json!({ "readOnlyHint": true });
    let mut writer = tool("write");
    writer["title"] = "Write a file".into();
    let tools = vec![reader, writer, tool("fail")];
    ToolServer::start_with(Era::Modern, tools, usize::MAX).await
}

fn file(tools: &ToolServer) -> String {
    let url = &tools.url;
    format!(
        "[[mcp.servers]]\nname = \"srv\"\nurl = \"{url}\"\nconfirm = true\n
        [[client_tools]]\nname = \"scroll\"\ndescription = \"Scrolls the page.\"\n"
    )
}

async fn gateway(tools: &ToolServer) -> TestServer {
    TestServer::start_with_tool_servers(&[("gateway.toml", &file(tools))]).await
}

/// The widgets that are done.
pub(crate) fn widgets(events: &[Received]) -> Vec<ThreadItem> {
    let done = events.iter().filter_map(|received| match &received.event {
        ThreadEvent::ItemDone { item } if matches!(item.kind, ItemKind::Widget(_)) => Some(item),
        _ => None,
    });
    done.map(|item| (**item).clone()).collect()
}

fn json_of(item: &ThreadItem) -> Value {
    let ItemKind::Widget(widget) = &item.kind else { panic!("no widget: {item:?}") };
    widget.widget.clone()
}

/// The request of a button.
pub(crate) fn pressed(asked: &ThreadItem, button: usize) -> Value {
    let decision = json_of(asked)["children"].as_array().unwrap().last().unwrap().clone();
    json!({
        "thread_id": asked.thread_id,
        "item_id": asked.id,
        "action": decision["children"][button]["onClickAction"],
    })
}

pub(crate) async fn press(client: &Client, asked: &ThreadItem, button: usize) -> EventStream {
    client.chatkit_stream("threads.custom_action", &pressed(asked, button)).await
}

/// What a widget says of the call in the end.
fn settled(events: &[Received], asked: &ThreadItem) -> String {
    let replaced = events.iter().rev().find_map(|received| match &received.event {
        ThreadEvent::ItemReplaced { item } if item.id == asked.id => Some(item),
        _ => None,
    });
    said(replaced.expect("the widget was replaced"))
}

fn said(item: &ThreadItem) -> String {
    json_of(item)["children"].as_array().unwrap().last().unwrap()["value"]
        .as_str()
        .unwrap_or("buttons")
        .to_owned()
}

async fn stored_widget(client: &Client, asked: &ThreadItem) -> String {
    let page = json!({ "thread_id": asked.thread_id, "order": "asc" });
    let items = client.chatkit("items.list", &page).await.body["data"].clone();
    let found = items.as_array().unwrap().iter().find(|item| item["id"] == asked.id.to_string());
    said(&serde_json::from_value(found.unwrap().clone()).unwrap())
}

/// The user has asked for something for which the model calls these tools; the questions about
/// them.
async fn asked(server: &TestServer, calls: &[(&str, Value)]) -> Vec<ThreadItem> {
    let steps: Vec<Step> =
        calls.iter().map(|(name, arguments)| Step::call(*name, arguments)).collect();
    server.model.will_play(steps);
    widgets(&server.alice().say("do it").await.rest().await)
}

#[tokio::test]
async fn a_tool_that_may_change_something_is_called_when_the_user_agrees() {
    let tools = tool_server().await;
    let server = gateway(&tools).await;
    let alice = server.alice();

    let calls = [("srv__read", json!({})), ("srv__write", json!({ "path": "/tmp/a" }))];
    let asked = asked(&server, &calls).await;

    assert_eq!(asked.len(), 1, "what only reads is not asked about");
    let shown = json_of(&asked[0]).to_string();
    for part in ["Write a file", "Tool server srv: srv__write", "path", "/tmp/a", "Run", "Cancel"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let called = |tools: &ToolServer| -> Vec<Value> {
        tools.came("tools/call").iter().map(|came| came.body["params"]["name"].clone()).collect()
    };
    assert_eq!(called(&tools), ["read"]);
    assert_eq!(server.model.calls(), 1);

    let events = press(&alice, &asked[0], RUN).await.rest().await;

    assert_eq!(called(&tools), ["read", "write"]);
    assert_eq!(settled(&events, &asked[0]), "Approved. Done.");
    assert_eq!(done_text(&events).unwrap(), "Hello there.");
    let told = server.model.call(2).await;
    assert_eq!(outputs(&told.body), ["{}", "{\"path\":\"/tmp/a\"}"]);
    assert_eq!(stored_widget(&alice, &asked[0]).await, "Approved. Done.");
    alice.say_in(&asked[0].thread_id.to_string(), "thanks").await.rest().await;
    assert_eq!(outputs(&server.model.call(3).await.body), outputs(&told.body));
    server.stop().await;
}

#[tokio::test]
async fn a_tool_is_not_called_when_the_user_declines_and_the_model_is_told() {
    let tools = tool_server().await;
    let server = gateway(&tools).await;
    let asked = asked(&server, &[("srv__write", json!({}))]).await;

    let events = press(&server.alice(), &asked[0], CANCEL).await.rest().await;

    assert_eq!(settled(&events, &asked[0]), "Cancelled");
    assert_eq!(done_text(&events).unwrap(), "Hello there.");
    let told = server.model.call(2).await;
    assert!(outputs(&told.body)[0].contains("The user declined"), "{:?}", told.body);
    assert_eq!(tools.came("tools/call").len(), 0);
    server.stop().await;
}

#[tokio::test]
async fn of_many_clicks_at_once_one_counts() {
    let tools = tool_server().await;
    let server = gateway(&tools).await;
    let alice = server.alice();
    let asked = asked(&server, &[("srv__write", json!({}))]).await;
    let body = json!({ "type": "threads.custom_action", "params": pressed(&asked[0], RUN) });

    let clicks = (0..8).map(|_| async {
        let answer = alice.request(reqwest::Method::POST, "/chatkit").json(&body).send().await;
        let answer = answer.unwrap();
        let status = answer.status().as_u16();
        let _ = answer.bytes().await;
        status
    });
    let statuses = join_all(clicks).await;

    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    // The user may have no more than three runs that are just being begun.
    assert!(statuses.iter().all(|status| [200, 409, 429].contains(status)), "{statuses:?}");
    let late = alice.chatkit("threads.custom_action", &pressed(&asked[0], CANCEL)).await;
    assert_eq!((late.status.as_u16(), late.code()), (409, "not_pending"));
    assert_eq!(tools.came("tools/call").len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_decision_holds_for_its_user_its_call_and_its_arguments() {
    let tools = tool_server().await;
    let server = gateway(&tools).await;
    let calls = [("srv__write", json!({ "n": 1 })), ("srv__write", json!({ "n": 2 }))];
    let asked = asked(&server, &calls).await;
    let mut of_other = pressed(&asked[0], RUN);
    of_other["item_id"] = json!(asked[1].id);
    let mut of_other_arguments = pressed(&asked[0], RUN);
    of_other_arguments["action"]["payload"]["arguments_sha256"] = "00".into();

    let bobs = server.bob().chatkit("threads.custom_action", &pressed(&asked[0], RUN)).await;
    assert_eq!((bobs.status.as_u16(), bobs.code()), (404, "not_found"));
    for wrong in [of_other, of_other_arguments] {
        let refused = server.alice().chatkit("threads.custom_action", &wrong).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (400, "invalid_request"));
    }

    assert_eq!(tools.came("tools/call").len(), 0);
    assert_eq!(stored_widget(&server.alice(), &asked[0]).await, "buttons");
    server.stop().await;
}

#[tokio::test]
async fn the_model_is_asked_again_when_all_calls_are_decided() {
    let tools = tool_server().await;
    let server = gateway(&tools).await;
    let alice = server.alice();
    let calls = [("srv__write", json!({ "n": 1 })), ("srv__write", json!({ "n": 2 }))];
    let asked = asked(&server, &calls).await;

    let first = press(&alice, &asked[1], RUN).await.rest().await;

    assert_eq!(done_text(&first), None);
    assert_eq!(server.model.calls(), 1);
    let second = press(&alice, &asked[0], CANCEL).await.rest().await;
    assert_eq!(done_text(&second).unwrap(), "Hello there.");
    let told = server.model.call(2).await;
    let told = outputs(&told.body);
    assert!(told[0].contains("declined"), "{told:?}");
    assert_eq!(told[1], "{\"n\":2}");
    server.stop().await;
}

#[tokio::test]
async fn a_user_who_writes_something_else_gives_the_call_up() {
    let tools = tool_server().await;
    let server = gateway(&tools).await;
    let alice = server.alice();
    let asked = asked(&server, &[("srv__write", json!({}))]).await;
    let thread = asked[0].thread_id.to_string();

    alice.say_in(&thread, "never mind").await.rest().await;

    let told = server.model.call(2).await;
    assert!(outputs(&told.body)[0].contains("went on without answering"));
    assert_eq!(stored_widget(&alice, &asked[0]).await, "Not answered. Nothing was done.");
    let late = alice.chatkit("threads.custom_action", &pressed(&asked[0], RUN)).await;
    assert_eq!((late.status.as_u16(), late.code()), (409, "not_pending"));
    assert_eq!(tools.came("tools/call").len(), 0);
    server.stop().await;
}

#[tokio::test]
async fn a_call_of_the_pages_tool_is_not_made_beside_a_question() {
    let tools = tool_server().await;
    let server = gateway(&tools).await;
    let asked = asked(&server, &[("scroll", json!({})), ("srv__write", json!({}))]).await;

    press(&server.alice(), &asked[0], RUN).await.rest().await;

    let told = server.model.call(2).await;
    let told = outputs(&told.body);
    assert_eq!(told[0], "{}");
    assert!(told[1].contains("Call it again"), "{told:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_call_that_fails_is_said_to_have_failed() {
    let tools = tool_server().await;
    let server = gateway(&tools).await;
    let asked = asked(&server, &[("srv__fail", json!({}))]).await;

    let events = press(&server.alice(), &asked[0], RUN).await.rest().await;

    assert_eq!(settled(&events, &asked[0]), "Approved. The call failed.");
    assert_eq!(outputs(&server.model.call(2).await.body), ["no such file"]);
    server.stop().await;
}

#[tokio::test]
async fn broken_arguments_are_told_to_the_model_and_nobody_is_asked() {
    let tools = tool_server().await;
    let server = gateway(&tools).await;
    let arguments = "[1]".to_owned();
    server.model.will_play([Step::Call { name: "srv__write".to_owned(), arguments }]);

    let events = server.alice().say("do it").await.rest().await;

    assert!(widgets(&events).is_empty());
    assert!(outputs(&server.model.call(2).await.body)[0].contains("not a JSON object"));
    server.stop().await;
}

#[tokio::test]
async fn the_bound_on_the_models_turns_holds_over_all_questions() {
    let tools = tool_server().await;
    let server = gateway(&tools).await;
    let alice = server.alice();
    for _ in 0..20 {
        server.model.will_play([Step::call("srv__write", &json!({}))]);
    }
    let mut events = alice.say("do it").await.rest().await;

    while let Some(asked) = widgets(&events).first() {
        events = press(&alice, asked, RUN).await.rest().await;
    }

    let last = &events.last().unwrap().event;
    assert!(
        matches!(last, ThreadEvent::Error(error) if error.message.as_ref().unwrap().contains("too many times")),
        "{last:?}"
    );
    assert_eq!((server.model.calls(), tools.came("tools/call").len()), (16, 16));
    server.stop().await;
}

/// What another process changes while no gateway runs.
async fn meddle(server: TestServer, asked: &ThreadItem, meddling: Meddling) -> TestServer {
    let vars = [("gateway.toml", meddling.file.clone())];
    let database = server.stop().await;
    let store = open(&database.url, OpenOptions::default()).await.unwrap();
    let user = UserId::parse("alice").unwrap();
    match meddling.act {
        Act::MakeOlder(age) => {
            let created_at = asked.created_at.minus(age);
            let older = ThreadItem { created_at, ..asked.clone() };
            store.upsert_items(&user, asked.thread_id, &[older], created_at).await.unwrap();
        }
        Act::DecideAndDie => {
            let calls = store.list_item_calls(&user, asked.thread_id, asked.id).await.unwrap();
            let decided = ToolCallRecord { state: ToolCallState::Started, ..calls[0].clone() };
            let lease = Lease { owner: "dead".to_owned(), token: 1, ttl: Duration::ZERO };
            let thread = RunThread::Existing(asked.thread_id);
            let now = asked.created_at;
            let mut run = NewRun::new(user, thread, lease, now);
            run.decided_calls = vec![decided];
            assert!(matches!(store.begin_run(run).await.unwrap(), Begun::Started(_)));
        }
    }
    store.close().await;
    let vars = vars.each_ref().map(|(name, value)| (*name, value.as_str()));
    TestServer::start_on(database, &vars).await
}

struct Meddling {
    file: String,
    act: Act,
}

enum Act {
    MakeOlder(Duration),
    DecideAndDie,
}

#[tokio::test]
async fn a_question_outlives_the_process_and_expires_with_the_time_of_a_run() {
    let tools = tool_server().await;
    let server = gateway(&tools).await;
    let calls = [("srv__write", json!({ "n": 1 })), ("srv__write", json!({ "n": 2 }))];
    let asked = asked(&server, &calls).await;
    let act = Act::MakeOlder(Duration::from_mins(16));
    let server = meddle(server, &asked[0], Meddling { file: file(&tools), act }).await;
    let alice = server.alice();

    let late = press(&alice, &asked[0], RUN).await.rest().await;
    let in_time = press(&alice, &asked[1], RUN).await.rest().await;

    assert_eq!(settled(&late, &asked[0]), "Not answered in time. Nothing was done.");
    assert_eq!(settled(&in_time, &asked[1]), "Approved. Done.");
    let told = server.model.call(1).await;
    let told = outputs(&told.body);
    assert!(told[0].contains("did not answer in time"), "{told:?}");
    assert_eq!(told[1], "{\"n\":2}");
    assert_eq!(tools.came("tools/call").len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_call_whose_process_died_behind_the_decision_is_never_repeated() {
    let tools = tool_server().await;
    let server = gateway(&tools).await;
    let asked = asked(&server, &[("srv__write", json!({}))]).await;
    let meddling = Meddling { file: file(&tools), act: Act::DecideAndDie };
    let server = meddle(server, &asked[0], meddling).await;
    let alice = server.alice();

    let mut stream = alice
        .stream_once_free(
            "/api/chatkit/messages",
            &json!({
                "thread_id": asked[0].thread_id, "content": "and?",
            }),
        )
        .await;
    stream.rest().await;

    let told = server.model.call(1).await;
    assert!(outputs(&told.body)[0].contains("outcome of this call is unknown"));
    let again = alice.chatkit("threads.custom_action", &pressed(&asked[0], RUN)).await;
    assert_eq!(again.code(), "not_pending");
    assert_eq!(tools.came("tools/call").len(), 0);
    server.stop().await;
}

#[tokio::test]
async fn the_buttons_mean_nothing_where_the_gateway_did_not_ask() {
    let server = TestServer::start().await;
    let thread = server.alice().talk("hi").await;
    let payload = json!({
        "run_id": RunId::new(), "call_id": "call_1", "arguments_sha256": "00",
    });
    let action = json!({ "type": "gateway.run_tool", "payload": payload });

    let nowhere = json!({ "thread_id": thread, "item_id": ItemId::new(), "action": action });
    let refused = server.alice().chatkit("threads.custom_action", &nowhere).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (404, "not_found"));
    let elsewhere =
        json!({ "thread_id": ThreadId::new(), "item_id": ItemId::new(), "action": action });
    let refused = server.alice().chatkit("threads.custom_action", &elsewhere).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (404, "not_found"));
    server.stop().await;
}
