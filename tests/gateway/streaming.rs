//! A message in, its answer as a stream.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{
    TestServer, answer_text,
    events::{done_text, kinds},
};

#[tokio::test]
async fn a_message_is_answered_by_the_events_of_its_turn() {
    let server = TestServer::start().await;

    let mut stream = server.alice().say("hi").await;
    let events = stream.rest().await;

    assert_eq!(
        kinds(&events),
        [
            "thread.created",
            "thread.item.done user_message",
            "stream_options",
            "thread.item.added assistant_message",
            "thread.item.updated assistant_message.content_part.added",
            "thread.item.updated assistant_message.content_part.text_delta",
            "thread.item.updated assistant_message.content_part.done",
            "thread.item.done assistant_message",
        ]
    );
    assert_eq!(answer_text(&events), "Hello there.");
    assert_eq!(done_text(&events).unwrap(), "Hello there.");
    server.stop().await;
}

#[tokio::test]
async fn the_headers_name_run_and_thread_and_forbid_buffering() {
    let server = TestServer::start().await;

    let stream = server.alice().say("hi").await;

    let header = |name: &str| stream.headers[name].to_str().unwrap();
    assert_eq!(header("content-type"), "text/event-stream");
    assert_eq!(header("cache-control"), "no-cache, no-transform");
    assert_eq!(header("x-accel-buffering"), "no");
    assert_eq!(server.alice().run(&stream.run_id).await["thread_id"], stream.thread_id.as_str());
    server.stop().await;
}

#[tokio::test]
async fn positions_rise_and_name_the_run() {
    let server = TestServer::start().await;

    let mut stream = server.alice().say("hi").await;
    let events = stream.rest().await;

    let seqs: Vec<u64> = events.iter().map(crate::support::Received::seq).collect();
    assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
    assert!(events.iter().all(|event| event.id.as_ref().unwrap().starts_with(&stream.run_id)));
    server.stop().await;
}

#[tokio::test]
async fn words_arrive_as_the_model_says_them() {
    let server = TestServer::start().await;
    let voice = server.model.will_listen();
    let mut stream = server.alice().say("hi").await;

    voice.say("one ");
    let first = stream.until_text().await;
    voice.say("two");
    let second = stream.until_text().await;
    voice.finish();

    assert_eq!(answer_text(&first), "one ");
    assert_eq!(answer_text(&second), "two");
    assert_eq!(done_text(&stream.rest().await).unwrap(), "one two");
    server.stop().await;
}

#[tokio::test]
async fn the_model_sees_what_was_said_before() {
    let server = TestServer::start().await;
    let alice = server.alice();
    let thread = alice.talk("my name is Ada").await;

    alice.say_in(&thread, "what is my name?").await.rest().await;

    let call = server.model.call(2).await;
    let input = call.body["input"].to_string();
    for said in ["my name is Ada", "Hello there.", "what is my name?"] {
        assert!(input.contains(said), "{input}");
    }
    server.stop().await;
}

#[tokio::test]
async fn without_a_stream_the_whole_answer_comes_at_once() {
    let server = TestServer::start().await;
    let alice = server.alice();

    let unstreamed = json!({"content": "hi", "stream": false});
    let by_body = alice.post("/api/chatkit/messages", &unstreamed).await;
    let by_header = alice
        .request(Method::POST, "/api/chatkit/messages")
        .header("accept", "application/json")
        .json(&json!({"content": "hi"}));
    let by_header = crate::support::client::Answer::of(by_header.send().await.unwrap()).await;

    for answer in [by_body, by_header] {
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body["run"]["status"], "completed");
        assert_eq!(answer.body["user_message"]["content"], "hi");
        assert_eq!(answer.body["message"]["content"], "Hello there.");
        assert_eq!(answer.body["message"]["status"], "complete");
    }
    server.stop().await;
}

/// Without nodelay a small write waits until the client has acknowledged the one before it, which
/// clients put off for some 40 ms on a connection that was used already.
#[tokio::test]
async fn the_first_two_frames_of_a_stream_come_together_when_the_model_sends_them_together() {
    let server = TestServer::start().await;
    let mut connection = Connection::open(&server).await;
    let (mut behind_the_head, mut apart) = (Vec::new(), Vec::new());

    for _ in 0..6 {
        let voice = server.model.will_listen();
        connection.post_message().await;
        let head = connection.read_until("stream_options").await;
        voice.say("first");
        let first = connection.read_until("first").await;
        voice.say("second");
        let second = connection.read_until("second").await;
        behind_the_head.push(first.duration_since(head));
        apart.push(second.duration_since(first));
        voice.finish();
        connection.read_until("0\r\n\r\n").await;
    }

    // The first request of a connection shows nothing; of the others the best, for one slow
    // scheduling of a busy machine is not what is tested.
    let best = |times: &[Duration]| *times[1..].iter().min().unwrap();
    assert!(best(&behind_the_head) < Duration::from_millis(25), "{behind_the_head:?}");
    assert!(best(&apart) < Duration::from_millis(5), "{apart:?}");
    server.stop().await;
}

/// A connection on which requests follow each other, read byte by byte.
struct Connection {
    stream: TcpStream,
    token: String,
    seen: Vec<u8>,
}

impl Connection {
    async fn open(server: &TestServer) -> Self {
        let stream = TcpStream::connect(server.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, token: server.alice().token.unwrap(), seen: Vec::new() }
    }

    async fn post_message(&mut self) {
        let body = r#"{"content":"hi"}"#;
        let request = format!(
            "POST /api/chatkit/messages HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await.unwrap();
    }

    /// Reads past a mark; answers when it was there.
    async fn read_until(&mut self, mark: &str) -> Instant {
        loop {
            let found = self.seen.windows(mark.len()).position(|window| window == mark.as_bytes());
            if let Some(at) = found {
                self.seen.drain(..at + mark.len());
                return Instant::now();
            }
            let read = self.stream.read_buf(&mut self.seen).await.unwrap();
            assert!(read > 0, "the connection ended: {}", String::from_utf8_lossy(&self.seen));
        }
    }
}
