//! What good answers look like in both dialects.

use std::sync::Arc;

use async_stream::stream;
use chatkit_gateway::{
    demo::scripted_model::{CallEnd, ModelCall, Step},
    upstream::FinishReason,
};
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::Notify};

use crate::support::{Model, chat_request, deltas, response_request, types, within};

fn everything() -> [Step; 6] {
    [
        Step::Reasoning("hm".to_owned()),
        Step::text("Hel"),
        Step::text("lo \"🦀\"\n"),
        Step::Refusal("no".to_owned()),
        Step::call("add_task", &json!({ "title": "buy milk and eggs" })),
        Step::call("list_tasks", &json!({})),
    ]
}

#[tokio::test]
async fn a_response_streams_every_event_in_order_and_numbered() {
    let model = Model::playing(everything()).await;

    let events = model.respond("hello").await;

    for (position, event) in events.iter().enumerate() {
        assert_eq!(event.data["sequence_number"], position, "{event:?}");
        assert_eq!(event.name.as_deref(), event.data["type"].as_str());
    }
    let mut seen = types(&events);
    seen.dedup();
    let expected = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.content_part.added",
        "response.refusal.delta",
        "response.refusal.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_responses_terminal_event_holds_all_items_and_the_usage() {
    let model = Model::playing(everything()).await;

    let events = model.respond("hello").await;

    assert_eq!(deltas(&events, "response.output_text.delta"), "Hello \"🦀\"\n");
    let arguments = deltas(&events, "response.function_call_arguments.delta");
    assert_eq!(arguments, r#"{"title":"buy milk and eggs"}{}"#);
    let response = &events.last().unwrap().data["response"];
    assert_eq!(response["status"], "completed");
    let output = response["output"].as_array().unwrap();
    let kinds: Vec<_> = output.iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["reasoning", "message", "function_call", "function_call"]);
    assert_eq!(output[1]["content"][0]["text"], "Hello \"🦀\"\n");
    assert_eq!(output[1]["content"][1]["refusal"], "no");
    assert_eq!(output[2]["arguments"], r#"{"title":"buy milk and eggs"}"#);
    assert_ne!(output[2]["call_id"], output[3]["call_id"]);
    let usage = &response["usage"];
    let sum = usage["input_tokens"].as_u64().unwrap() + usage["output_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"], sum);
    assert_eq!(usage["output_tokens_details"]["reasoning_tokens"], 1);
}

#[tokio::test]
async fn a_chat_stream_ends_with_its_reason_its_usage_and_done() {
    let model = Model::playing([Step::text("Hel"), Step::text("lo")]).await;

    let events = model.complete("hello").await;

    let choice = |position: usize| &events[position].data["choices"][0];
    assert_eq!(choice(0)["delta"]["role"], "assistant");
    assert_eq!(choice(1)["delta"]["content"], "Hel");
    assert_eq!(choice(2)["delta"]["content"], "lo");
    assert_eq!(choice(3)["finish_reason"], "stop");
    assert!(events[..4].iter().all(|event| event.data["usage"].is_null()));
    assert_eq!(events[4].data["choices"], json!([]));
    assert!(events[4].data["usage"]["total_tokens"].as_u64().unwrap() > 2);
    assert_eq!(events[5].data, "[DONE]");
    assert_eq!(events.len(), 6);
}

#[tokio::test]
async fn chat_calls_come_in_fragments_with_an_index_each() {
    let model = Model::playing(everything()).await;

    let events = model.complete("hello").await;

    let calls = events.iter().map(|event| &event.data["choices"][0]["delta"]["tool_calls"][0]);
    let mut joined = [String::new(), String::new()];
    for call in calls.filter(|call| !call.is_null()) {
        let index = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
        joined[index].push_str(call["function"]["arguments"].as_str().unwrap());
    }
    assert_eq!(joined, [r#"{"title":"buy milk and eggs"}"#, "{}"]);
    let finished = &events[events.len() - 3].data["choices"][0];
    assert_eq!(finished["finish_reason"], "tool_calls");
}

#[tokio::test]
async fn without_stream_the_answer_is_one_object() {
    let model = Model::playing(everything()).await;
    let (mut response, mut chat) = (response_request("hi"), chat_request("hi"));
    response["stream"] = json!(false);
    chat["stream"] = json!(false);

    let response = model.post("/responses", &response).await.unwrap();
    let response: Value = response.json().await.unwrap();
    let chat: Value = model.post("/chat/completions", &chat).await.unwrap().json().await.unwrap();

    assert_eq!(response["object"], "response");
    assert_eq!(response["output"][1]["content"][0]["text"], "Hello \"🦀\"\n");
    assert!(response["usage"]["total_tokens"].is_u64());
    let message = &chat["choices"][0]["message"];
    assert_eq!(message["content"], "Hello \"🦀\"\n");
    assert_eq!(message["tool_calls"][1]["function"]["name"], "list_tasks");
    assert_eq!(chat["choices"][0]["finish_reason"], "tool_calls");
}

#[tokio::test]
async fn an_answer_may_be_cut_short_by_its_length() {
    let model = Model::playing([Step::text("a"), Step::Finish(FinishReason::Length)]).await;

    let response = model.respond("hello").await;
    let chat = model.complete("hello").await;

    let last = &response.last().unwrap().data;
    assert_eq!(last["type"], "response.incomplete");
    assert_eq!(last["response"]["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(chat[chat.len() - 3].data["choices"][0]["finish_reason"], "length");
}

#[tokio::test]
async fn a_call_is_recorded_as_it_was_read() {
    let model = Model::playing([]).await;
    let request = json!({
        "model": "m", "stream": true, "instructions": "be brief",
        "input": [
            { "role": "user", "content": [{ "type": "input_text", "text": "one" }] },
            { "type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}" },
            { "type": "function_call_output", "call_id": "c1", "output": "done" },
        ],
        "tools": [{ "type": "function", "name": "f", "parameters": {} }],
    });

    model.post("/responses", &request).await.unwrap().bytes().await.unwrap();

    let recorded = model.call(1).await;
    assert_eq!(within(recorded.ended()).await, CallEnd::Played);
    let call = recorded.call;
    assert_eq!(call.instructions.as_deref(), Some("be brief"));
    assert_eq!(call.last_user_text(), "one");
    assert_eq!(call.new_outputs(), [("f", "done")]);
    assert!(call.offers("f"));
    assert_eq!(call.bearer(), Some("sk-test"));
    assert_eq!(call.body, request);
}

#[tokio::test]
async fn deltas_without_a_pause_arrive_in_one_read() {
    let go = Arc::new(Notify::new());
    let gate = Arc::clone(&go);
    let model = Model::start(move |_: Arc<ModelCall>| {
        let gate = Arc::clone(&gate);
        stream! {
            yield Step::pause_ms(0);
            gate.notified().await;
            yield Step::text("first");
            yield Step::text("second");
            yield Step::Hang;
        }
    })
    .await;
    let connection = TcpStream::connect(model.running().address()).await.unwrap();
    let body = response_request("hello").to_string();
    let request = format!(
        "POST /v1/responses HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(connection.try_write(request.as_bytes()).unwrap(), request.len());
    let mut head = String::new();
    while !head.contains("response.in_progress") {
        head.push_str(&read_once(&connection).await);
    }

    go.notify_one();
    let read = read_once(&connection).await;

    assert!(read.contains("first") && read.contains("second"), "{read}");
}

async fn read_once(connection: &TcpStream) -> String {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        within(connection.readable()).await.unwrap();
        match connection.try_read(&mut buffer) {
            Ok(length) => return String::from_utf8_lossy(&buffer[..length]).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }
}
