//! The demo's model.

use chatkit_gateway::demo::assistant::DemoAssistant;
use serde_json::{Value, json};

use crate::support::{Model, deltas, events};

fn tools() -> Value {
    let names = ["add_task", "list_tasks", "complete_task", "update_task", "delete_task"];
    let tool = |name| json!({ "type": "function", "name": name, "parameters": {} });
    names.map(tool).into_iter().collect()
}

/// The items that the model answers to an input.
async fn output(model: &Model, input: &[Value]) -> Vec<Value> {
    let request = json!({ "model": "m", "stream": true, "input": input, "tools": tools() });
    let response = model.post("/responses", &request).await.unwrap();
    let events = events(&response.text().await.unwrap());
    events.last().unwrap().data["response"]["output"].as_array().unwrap().clone()
}

#[tokio::test]
async fn commands_become_calls_and_their_results_a_sentence_each() {
    let model = Model::start(DemoAssistant::unpaced()).await;
    let mut input = vec![json!({
        "role": "user", "content": "Add a task buy milk, and complete task 7",
    })];

    let calls = output(&model, &input).await;
    let made: Vec<_> = calls.iter().map(|call| (&call["name"], &call["arguments"])).collect();
    let expected = [
        (&json!("add_task"), &json!(r#"{"title":"buy milk"}"#)),
        (&json!("complete_task"), &json!(r#"{"task_id":7}"#)),
    ];
    assert_eq!(made, expected);

    input.extend(calls.clone());
    for (call, result) in calls.iter().zip([r#"{"id":3,"title":"buy milk"}"#, "there is no task 7"])
    {
        input.push(json!({
            "type": "function_call_output", "call_id": call["call_id"], "output": result,
        }));
    }
    let answer = output(&model, &input).await;

    let expected = "Added **buy milk** (task 3) to your list.\n\n\
                    I could not complete the task: there is no task 7.";
    assert_eq!(answer[0]["content"][0]["text"], expected);
}

#[tokio::test]
async fn a_command_without_its_tool_is_no_call() {
    let model = Model::start(DemoAssistant::unpaced()).await;

    let events = model.respond("list my tasks").await;

    let text = deltas(&events, "response.output_text.delta");
    assert!(text.contains("`list_tasks`, was not offered"), "{text}");
}

#[tokio::test]
async fn other_texts_are_echoed_with_what_it_can_do() {
    let model = Model::start(DemoAssistant::unpaced()).await;

    let events = model.respond("why is the sky blue?").await;

    let text = deltas(&events, "response.output_text.delta");
    assert!(text.contains("“why is the sky blue?”"), "{text}");
    assert!(text.contains("scripted model"), "{text}");
}

#[tokio::test]
async fn a_title_is_made_of_the_users_words() {
    let model = Model::start(DemoAssistant::unpaced()).await;
    let request = json!({
        "model": "m", "instructions": "Write a title of 2 to 5 words.",
        "input": "please add a task buy milk and eggs",
    });

    let answer: Value = model.post("/responses", &request).await.unwrap().json().await.unwrap();

    assert_eq!(answer["output"][0]["content"][0]["text"], "Add a task buy milk");
}
