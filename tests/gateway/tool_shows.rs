//! What results of tool servers show, and the actions of their widgets.

use chatkit_gateway::{
    demo::scripted_model::Step,
    protocol::{ItemKind, ThreadEvent, ThreadItem},
};
use serde_json::{Value, json};

use crate::{
    ask_user::forms,
    confirmation::{RUN, press, widgets},
    support::{Received, TestServer, events::done_text},
    tool_server::{Era, ToolServer},
    tool_servers::outputs,
};

async fn start(more: &str) -> (ToolServer, TestServer) {
    let tools = ToolServer::start(Era::Modern, &["show", "book"]).await;
    let url = &tools.url;
    let file = format!("[[mcp.servers]]\nname = \"srv\"\nurl = \"{url}\"\n{more}\n");
    let server = TestServer::start_with_tool_servers(&[("gateway.toml", &file)]).await;
    (tools, server)
}

/// What comes of a call whose result shows this.
async fn shown(server: &TestServer, show: &Value) -> Vec<Received> {
    server.model.will_play([Step::call("srv__show", &json!({ "show": show }))]);
    server.alice().say("show it").await.rest().await
}

fn widget(action: &str) -> Value {
    let action = json!({ "type": action, "payload": { "table": 7 } });
    let button = json!({ "type": "Button", "label": "Book", "onClickAction": action });
    json!({ "type": "Card", "children": [button] })
}

fn action(sender: &ThreadItem, kind: &str, payload: &Value) -> Value {
    json!({
        "thread_id": sender.thread_id,
        "item_id": sender.id,
        "action": { "type": kind, "payload": payload },
    })
}

fn calls_of(tools: &ToolServer, name: &str) -> Vec<Value> {
    let calls = tools.came("tools/call").into_iter().map(|came| came.body["params"].clone());
    calls
        .filter(|params| params["name"] == name)
        .map(|params| params["arguments"].clone())
        .collect()
}

fn json_of(events: &[Received]) -> Vec<Value> {
    events.iter().map(|received| serde_json::to_value(&received.event).unwrap()).collect()
}

#[tokio::test]
async fn all_that_a_result_shows_is_shown_in_the_thread() {
    let (_tools, server) = start("show = true").await;
    let source = json!({ "type": "url", "title": "Menu", "url": "https://a.example/menu" });

    let events = shown(
        &server,
        &json!({
            "widget": widget("page.open"),
            "copy_text": "Table 7",
            "client_effect": { "name": "confetti", "data": { "n": 1 } },
            "notice": { "level": "warning", "message": "Almost full", "title": "Hurry" },
            "image": "data:image/png;base64,aGk=",
            "sources": [source],
        }),
    )
    .await;

    let seen = json_of(&events);
    let find = |kind: &str| seen.iter().find(|event| event["type"] == kind).unwrap().clone();
    assert_eq!(find("client_effect")["data"], json!({ "n": 1 }));
    assert_eq!(find("notice")["message"], "Almost full");
    let items = seen.iter().filter(|event| event["type"] == "thread.item.done");
    let items: Vec<&Value> = items.map(|event| &event["item"]).collect();
    let item = |kind: &str| items.iter().find(|item| item["type"] == kind).unwrap();
    assert_eq!(item("widget")["widget"], widget("page.open"));
    assert_eq!(item("widget")["copy_text"], "Table 7");
    assert_eq!(item("generated_image")["image"]["url"], "data:image/png;base64,aGk=");
    let annotations = &item("assistant_message")["content"][0]["annotations"];
    assert_eq!(
        annotations[0]["source"],
        json!({
            "title": "Menu", "type": "url", "url": "https://a.example/menu",
        })
    );
    assert_eq!(annotations[0]["index"], "Hello there.".len());
    assert_eq!(outputs(&server.model.call(2).await.body), ["shown"]);
    server.stop().await;
}

#[tokio::test]
async fn a_server_shows_nothing_unless_the_operator_wants_it() {
    let (_tools, server) = start("").await;

    let events = shown(&server, &json!({ "widget": widget("tool:book") })).await;

    assert!(widgets(&events).is_empty());
    assert_eq!(outputs(&server.model.call(2).await.body), ["shown"]);
    server.stop().await;
}

#[tokio::test]
async fn an_action_goes_to_the_tool_that_it_names_and_later_turns_know_of_it() {
    let (tools, server) = start("show = true").await;
    let alice = server.alice();
    let events = shown(&server, &json!({ "widget": widget("tool:book") })).await;
    let sender = &widgets(&events)[0];

    let pressed = action(sender, "tool:srv__book", &json!({ "table": 7, "name": "Al" }));
    let events = alice.chatkit_stream("threads.custom_action", &pressed).await.rest().await;

    assert_eq!(calls_of(&tools, "book"), [json!({ "table": 7, "name": "Al" })]);
    assert_eq!(done_text(&events), None);
    assert_eq!(server.model.calls(), 2, "nobody asked the model");
    alice.say_in(&sender.thread_id.to_string(), "thanks").await.rest().await;
    let told = server.model.call(3).await;
    let told: Value = serde_json::from_str(outputs(&told.body)[1]).unwrap();
    assert_eq!(told, json!({ "table": 7, "name": "Al" }));
    server.stop().await;
}

#[tokio::test]
async fn a_tool_may_put_another_widget_in_place_of_the_one_that_was_pressed_and_have_it_answered() {
    let (_tools, server) = start("show = true").await;
    let events = shown(&server, &json!({ "widget": widget("tool:show") })).await;
    let sender = &widgets(&events)[0];
    let next = json!({ "type": "Card", "children": [{ "type": "Text", "value": "Booked" }] });

    let show = json!({ "show": { "widget": next, "replace": true, "respond": true } });
    let pressed = action(sender, "tool:srv__show", &show);
    let mut stream = server.alice().chatkit_stream("threads.custom_action", &pressed).await;
    let events = stream.rest().await;

    let replaced = events.iter().find_map(|received| match &received.event {
        ThreadEvent::ItemReplaced { item } if item.id == sender.id => Some(item),
        _ => None,
    });
    let ItemKind::Widget(replaced) = &replaced.unwrap().kind else { unreachable!() };
    assert_eq!(replaced.widget, next);
    assert_eq!(done_text(&events).unwrap(), "Hello there.");
    assert_eq!(outputs(&server.model.call(3).await.body), ["shown", "shown"]);
    server.stop().await;
}

#[tokio::test]
async fn a_widget_can_do_no_more_than_it_offers() {
    let (tools, server) = start("show = true").await;
    let alice = server.alice();
    let events = shown(&server, &json!({ "widget": widget("tool:add_task") })).await;
    let sender = &widgets(&events)[0];

    // Not offered by it; a tool of the gateway's, which its server cannot name; no tool at all.
    for kind in ["tool:srv__book", "tool:add_task", "tool:srv__add_task", "page.open"] {
        let pressed = action(sender, kind, &json!({}));
        let events = alice.chatkit_stream("threads.custom_action", &pressed).await.rest().await;
        assert!(matches!(events.last().unwrap().event, ThreadEvent::Error(_)), "{kind}");
    }

    let pressed = action(sender, "tool:srv__book", &json!({}));
    let bobs = server.bob().chatkit("threads.custom_action", &pressed).await;
    assert_eq!(bobs.status.as_u16(), 404);
    assert_eq!(calls_of(&tools, "book").len(), 0);
    server.stop().await;
}

#[tokio::test]
async fn an_action_does_not_go_round_the_question_whether_a_tool_may_be_called() {
    let (tools, server) = start("show = true\nconfirm = true").await;
    let alice = server.alice();
    let events = shown(&server, &json!({ "widget": widget("tool:book") })).await;
    let events = press(&alice, &widgets(&events)[0], RUN).await.rest().await;
    let sender = &widgets(&events)[0];

    let pressed = action(sender, "tool:srv__book", &json!({ "table": 7 }));
    let events = alice.chatkit_stream("threads.custom_action", &pressed).await.rest().await;

    assert_eq!(calls_of(&tools, "book").len(), 0);
    let asked = &widgets(&events)[0];
    press(&alice, asked, RUN).await.rest().await;
    assert_eq!(calls_of(&tools, "book"), [json!({ "table": 7 })]);
    server.stop().await;
}

#[tokio::test]
async fn questions_of_a_tool_end_the_run_and_the_answers_begin_another() {
    let (_tools, server) = start("show = true").await;
    let question = json!({ "id": "size", "question": "How many?", "type": "freeform" });

    let events = shown(&server, &json!({ "ask": [question] })).await;

    assert_eq!(server.model.calls(), 1);
    let form = &forms(&events)[0];
    let input = json!({ "answers": { "size": { "values": ["four"] } } });
    let body = json!({ "thread_id": form.thread_id, "item_id": form.id, "input": input });
    let mut stream = server.alice().chatkit_stream("threads.add_structured_input", &body).await;
    assert_eq!(done_text(&stream.rest().await).unwrap(), "Hello there.");
    let told = server.model.call(2).await.body.to_string();
    assert!(told.contains("How many?: four"), "{told}");
    server.stop().await;
}
