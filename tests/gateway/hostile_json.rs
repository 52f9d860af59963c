//! JSON that one reader takes for something else than the next, or that a database cannot keep: on
//! every route that reads a body it is refused, and nothing of it is stored.

use reqwest::{Method, header};
use serde_json::json;

use crate::support::{Client, TestServer, client::Answer};

/// The routes that take JSON with a text in it, each with a good body in which `$` is that text. `THREAD`
/// is a thread of Alice.
const BODIES: [(&str, &str, &str); 16] = [
    ("POST", "/api/chatkit/messages", r#"{"content":"hi $"}"#),
    ("POST", "/api/chatkit/messages", r#"{"content":"hi","quoted_text":"$"}"#),
    ("POST", "/api/chatkit/messages", r#"{"content":"hi","model":"$"}"#),
    ("POST", "/api/chatkit/threads", r#"{"title":"$"}"#),
    ("PATCH", "/api/chatkit/threads/THREAD", r#"{"title":"$"}"#),
    ("POST", "/api/alice/chat", r#"{"message":"hi $"}"#),
    ("POST", "/api/alice/tasks", r#"{"title":"milk $"}"#),
    ("POST", "/api/alice/tasks", r#"{"title":"milk","description":"$"}"#),
    ("PUT", "/api/alice/tasks/1", r#"{"title":"milk $"}"#),
    (
        "POST",
        "/chatkit",
        r#"{"type":"threads.create","params":{"input":{"content":[{"type":"input_text","text":"hi $"}],"attachments":[],"inference_options":{}}}}"#,
    ),
    (
        "POST",
        "/chatkit",
        r#"{"type":"threads.create","params":{"input":{"content":[{"type":"input_text","text":"hi"},{"type":"input_tag","id":"a","text":"A","data":{"b":["$"]}}],"attachments":[],"inference_options":{}}}}"#,
    ),
    (
        "POST",
        "/chatkit",
        r#"{"type":"threads.add_user_message","params":{"thread_id":"THREAD","input":{"content":[{"type":"input_tag","id":"$","text":"A"}],"attachments":[],"inference_options":{}}}}"#,
    ),
    (
        "POST",
        "/chatkit",
        r#"{"type":"threads.add_user_message","params":{"input":{"content":[{"type":"input_text","text":"hi"}],"attachments":[],"quoted_text":"$","inference_options":{}},"thread_id":"THREAD"}}"#,
    ),
    (
        "POST",
        "/api/chatkit",
        r#"{"type":"threads.create","params":{"input":{"content":[{"type":"input_text","text":"hi"}],"attachments":[],"inference_options":{"tool_choice":{"id":"$"}}}}}"#,
    ),
    (
        "POST",
        "/chatkit",
        r#"{"type":"threads.update","params":{"thread_id":"THREAD","title":"$"}}"#,
    ),
    (
        "POST",
        "/chatkit",
        r#"{"params":{"thread_id":"THREAD","title":"$"},"type":"threads.update"}"#,
    ),
];

/// What is put into the text: U+0000, halves of a surrogate pair, bytes that are no UTF-8, bare control
/// characters, an escape that there is not.
const TEXTS: [&[u8]; 9] = [
    b"a\\u0000b",
    b"\\ud83d",
    b"\\ude00\\ud83d",
    b"\\ud83d\\u0041",
    b"\xff",
    b"\xed\xa0\x80",
    b"\0",
    b"\n",
    b"\\x00",
];

/// What is put before the first member, which no route has use for: members twice, deep down too, also by
/// an escape; half a pair in a text and in a name; a number that is none.
const MEMBERS: [&str; 6] = [
    r#""x":1,"x":2,"#,
    r#""x":[{"y":{"a":1,"\u0061":1}}],"#,
    r#""x":"\ud800","#,
    r#""\udc00":1,"#,
    r#""x":1e999,"#,
    r#""x":01,"#,
];

async fn send(alice: &Client, method: &str, path: &str, body: Vec<u8>) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let request = alice.request(method, path).header(header::CONTENT_TYPE, "application/json");
    Answer::of(request.body(body).send().await.unwrap()).await
}

/// A body as it is not to be taken.
fn hostile(good: &str) -> Vec<Vec<u8>> {
    let (before, behind) = good.split_once('$').unwrap();
    let with_text = |text: &&[u8]| [before.as_bytes(), text, behind.as_bytes()].concat();
    let plain = good.replace('$', "a");
    let inner = &plain[1..plain.len() - 1];
    let deep = format!(r#""x":{}{},"#, "[".repeat(200), "]".repeat(200));
    let members = MEMBERS.iter().copied().chain([deep.as_str()]);
    let mut bodies: Vec<_> = TEXTS.iter().map(with_text).collect();
    bodies.extend(members.map(|member| format!("{{{member}{inner}}}").into_bytes()));
    // Each of its own members twice, something behind its end, and a mark before it.
    bodies.push(format!("{{{inner},{inner}}}").into_bytes());
    bodies.push(format!("{plain}{{}}").into_bytes());
    bodies.push(format!("\u{feff}{plain}").into_bytes());
    bodies
}

#[tokio::test]
async fn hostile_json_is_refused_on_every_route_and_nothing_of_it_is_kept() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let thread = alice.post("/api/chatkit/threads", &json!({"title": "before"})).await;
    let thread = thread.body["id"].as_str().unwrap().to_owned();
    let task = alice.post("/api/alice/tasks", &json!({"title": "before"})).await;
    assert_eq!(task.body["id"], 1);

    for (method, path, good) in BODIES {
        let (path, good) = (path.replace("THREAD", &thread), good.replace("THREAD", &thread));
        for body in hostile(&good) {
            let shown = String::from_utf8_lossy(&body).into_owned();
            let answer = send(&alice, method, &path, body).await;
            assert_eq!(
                (answer.status.as_u16(), answer.code()),
                (400, "invalid_request"),
                "{shown}"
            );
            let message = answer.body["error"]["message"].as_str().unwrap();
            assert!((1..400).contains(&message.len()), "{message}");
        }
        let huge = good.replace('$', &"a".repeat(1 << 20));
        let answer = send(&alice, method, &path, huge.into_bytes()).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (413, "payload_too_large"), "{path}");
    }

    let threads = alice.get("/api/chatkit/threads").await.body;
    assert_eq!(threads["data"].as_array().unwrap().len(), 1, "{threads}");
    let kept = alice.thread(&thread).await;
    assert_eq!((&kept["title"], &kept["messages"]), (&json!("before"), &json!([])));
    let tasks = alice.get("/api/alice/tasks").await.body;
    assert_eq!(tasks["data"].as_array().unwrap().len(), 1, "{tasks}");
    assert_eq!(tasks["data"][0]["title"], "before");
    assert_eq!(server.model.calls(), 0);
    server.stop().await;
}

#[tokio::test]
async fn a_refusal_does_not_repeat_a_long_body() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let long = "é".repeat(10_000);

    for body in [json!({"content": "hi", "stream": long}), json!({"content": {"a": long}})] {
        let answer = alice.post("/api/chatkit/messages", &body).await;
        let message = answer.body["error"]["message"].as_str().unwrap();
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "invalid_request"));
        assert!(message.len() < 400, "{} bytes", message.len());
    }
    let kind = json!({"type": long, "params": {}});
    assert!(alice.post("/chatkit", &kind).await.body.to_string().len() < 600);
    server.stop().await;
}

#[tokio::test]
async fn odd_positions_in_a_run_are_refused_or_give_nothing() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let mut answer = alice.say("hi").await;
    answer.rest().await;
    let run = answer.run_id;
    let path = format!("/api/chatkit/runs/{run}/events");
    let at = async |position: &[u8]| {
        let request = alice.request(Method::GET, &path).header("last-event-id", position);
        Answer::of(request.send().await.unwrap()).await
    };

    for position in [&b"+1"[..], b"-1", b"", b"1 2", b"99999999999999999999", b"x:1", b"\xff"] {
        let answer = at(position).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (400, "invalid_request"),
            "{position:?}"
        );
    }
    for position in ["18446744073709551615", "9223372036854775808", "9223372036854775807"] {
        assert_eq!(at(position.as_bytes()).await.status, 200, "{position}");
        assert_eq!(alice.get(&format!("{path}?after={position}")).await.status, 200, "{position}");
    }
    server.stop().await;
}
