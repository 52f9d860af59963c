use std::time::Duration;

use chatkit_gateway::{
    protocol::UserId,
    tools::{
        RegistryError, ToolContext, ToolOutput, ToolRegistry,
        registry::{DEFAULT_TIMEOUT, MAX_OUTPUT_BYTES},
    },
};
use tokio_util::sync::CancellationToken;

use crate::scripted_tool::{Script, tool};

fn context() -> ToolContext {
    let user_id = UserId::parse("alice").expect("a valid name");
    ToolContext::new(user_id, CancellationToken::new())
}

fn registry(script: Script) -> ToolRegistry {
    ToolRegistry::new(vec![tool("scripted", script)]).expect("valid tools")
}

fn assert_error(output: &ToolOutput, text: &str) {
    assert!(output.is_error, "{output:?}");
    assert!(output.text.contains(text), "{output:?}");
}

#[test]
fn two_tools_of_one_name_and_malformed_names_are_refused() {
    let twice = ToolRegistry::new(vec![tool("a", Script::Echo), tool("a", Script::Echo)]);
    let malformed = ToolRegistry::new(vec![tool("a b", Script::Echo)]);

    assert_eq!(twice.err(), Some(RegistryError::DuplicateName("a".to_owned())));
    assert_eq!(malformed.err(), Some(RegistryError::InvalidName("a b".to_owned())));
}

#[tokio::test]
async fn a_tool_gets_the_object_that_the_model_wrote_and_empty_text_is_an_empty_one() {
    let registry = registry(Script::Echo);

    let written =
        registry.call(&context(), "scripted", r#" {"b": 1, "a": [2]} "#, DEFAULT_TIMEOUT).await;
    let empty = registry.call(&context(), "scripted", "", DEFAULT_TIMEOUT).await;

    assert_eq!(written.text, r#"{"b":1,"a":[2]}"#);
    assert_eq!(empty.text, "{}");
}

#[tokio::test]
async fn the_model_is_told_what_was_wrong_with_its_call() {
    let registry = registry(Script::Echo);

    let unknown = registry.call(&context(), "delete_all", "{}", DEFAULT_TIMEOUT).await;
    let no_json = registry.call(&context(), "scripted", r#"{"a": "#, DEFAULT_TIMEOUT).await;
    let no_object = registry.call(&context(), "scripted", "[1]", DEFAULT_TIMEOUT).await;

    assert_error(&unknown, "there is no tool delete_all; there are: scripted");
    assert_error(&no_json, "not valid JSON");
    assert_error(&no_object, "not a JSON object");
}

#[tokio::test]
async fn a_panic_of_a_tool_is_an_error_output() {
    let output = registry(Script::Panic).call(&context(), "scripted", "{}", DEFAULT_TIMEOUT).await;

    assert_error(&output, "scripted failed because of an internal error");
}

#[tokio::test]
async fn a_tool_that_takes_too_long_is_stopped() {
    let (started, dropped) = (CancellationToken::new(), CancellationToken::new());
    let hang = Script::Hang { started, dropped: dropped.clone() };
    let timeout = Duration::from_millis(20);

    let output = registry(hang).call(&context(), "scripted", "{}", timeout).await;

    assert_error(&output, "scripted was stopped after 20ms");
    assert!(dropped.is_cancelled());
}

#[tokio::test]
async fn a_cancelled_run_stops_its_tool_and_calls_no_other() {
    let (started, dropped) = (CancellationToken::new(), CancellationToken::new());
    let registry = registry(Script::Hang { started: started.clone(), dropped: dropped.clone() });
    let context = context();
    let cancel = async {
        started.cancelled().await;
        context.cancel.cancel();
    };

    let (output, ()) =
        tokio::join!(registry.call(&context, "scripted", "{}", DEFAULT_TIMEOUT), cancel);
    let late = registry.call(&context, "scripted", "{}", DEFAULT_TIMEOUT).await;

    assert_error(&output, "cancelled");
    assert!(dropped.is_cancelled());
    assert_error(&late, "cancelled");
}

#[tokio::test]
async fn an_output_above_the_limit_is_cut_and_says_so() {
    let registry = registry(Script::Talk(MAX_OUTPUT_BYTES + 1));

    let output = registry.call(&context(), "scripted", "{}", DEFAULT_TIMEOUT).await;

    assert_eq!(output.text.len(), MAX_OUTPUT_BYTES);
    assert!(output.text.ends_with("[cut: the whole output has 102401 bytes]"));
    assert!(!output.is_error);
}
