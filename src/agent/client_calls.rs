//! Tools that run in the user's page. The model calls them like any other; the run ends with the
//! call, and the page's answer begins another run.

use serde_json::{Map, Value};

use crate::{
    protocol::ThreadEvent,
    store::record::{ToolCallRecord, ToolCallState},
    tools::{ToolRegistry, registry::is_valid_name},
    upstream::FunctionCall,
};

use super::{AgentEvent, Turn, bridge::Bridge, waiting_calls::WaitingCall};

/// What the model is told of further calls of the page's tools in one answer.
const ONE_AT_A_TIME: &str = "Error: this call was not made, because only one tool of the user's \
     page can be called at a time. Call it again if it is still needed.";

/// A tool that runs in the user's page.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientTool {
    /// What the model calls and the page knows it by: `^[a-zA-Z0-9_-]{1,64}$`.
    pub name: String,
    /// What the model reads.
    pub description: String,
    /// JSON Schema of an object.
    pub parameters: Value,
}

/// Why a client tool cannot be offered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientToolError {
    /// The models' APIs would refuse the name.
    #[error("client tool name {0:?} does not match ^[a-zA-Z0-9_-]{{1,64}}$")]
    InvalidName(String),
    /// Another tool has the name: the model could not tell the two apart.
    #[error("two tools are named {0:?}")]
    DuplicateName(String),
    /// The schema is not that of an object.
    #[error("the parameters of client tool {0:?} are no JSON Schema of type object")]
    InvalidParameters(String),
}

impl ClientTool {
    /// Checks tools against each other and the names of others.
    pub fn check<'a>(
        tools: &'a [Self],
        others: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), ClientToolError> {
        let mut names: Vec<&str> = others.into_iter().collect();
        for Self { name, parameters, .. } in tools {
            if !is_valid_name(name) {
                return Err(ClientToolError::InvalidName(name.clone()));
            }
            if names.contains(&name.as_str()) {
                return Err(ClientToolError::DuplicateName(name.clone()));
            }
            if parameters["type"] != "object" {
                return Err(ClientToolError::InvalidParameters(name.clone()));
            }
            names.push(name);
        }
        Ok(())
    }
}

/// The calls of one answer, by where they are made and what must happen before.
pub(super) struct WantedCalls {
    /// In the gateway: also those that cannot be made, which is told there.
    pub(super) server: Vec<FunctionCall>,
    /// In the gateway, when the user has answered.
    pub(super) waiting: Vec<WaitingCall>,
    /// In the page.
    pub(super) client: Vec<ClientCall>,
}

/// A call that the page can make.
pub(super) struct ClientCall {
    pub(super) call: FunctionCall,
    arguments: Map<String, Value>,
}

impl WantedCalls {
    pub(super) fn sort(
        calls: Vec<FunctionCall>,
        client_tools: &[ClientTool],
        tools: &ToolRegistry,
    ) -> Self {
        let mut sorted = Self { server: Vec::new(), waiting: Vec::new(), client: Vec::new() };
        for call in calls {
            let is_client = client_tools.iter().any(|tool| tool.name == call.name);
            match serde_json::from_str(&call.arguments) {
                Ok(arguments) if is_client => sorted.client.push(ClientCall { call, arguments }),
                _ => match WaitingCall::of(&call, tools) {
                    Some(waiting) => sorted.waiting.push(waiting),
                    None => sorted.server.push(call),
                },
            }
        }
        sorted
    }
}

/// Asks the page to make the first call; the others are kept as failed, so that each call in the
/// history has an output. They stand behind the item of the first and are not shown. `at` is the
/// number of the model turn and of the first call in the run.
pub(super) fn ask(
    turn: &Turn,
    bridge: &mut Bridge,
    at: (u32, u32),
    calls: Vec<ClientCall>,
    out: &mut Vec<AgentEvent>,
) {
    let mut calls = calls.into_iter();
    let Some(ClientCall { call, arguments }) = calls.next() else { return };
    let item = Box::new(bridge.client_call(call.call_id, call.name, arguments));
    let (number, position) = at;
    let refused: Vec<ToolCallRecord> = (position..)
        .zip(calls)
        .map(|(position, ClientCall { call, .. })| ToolCallRecord {
            run_id: turn.run_id,
            position,
            turn: number,
            item_id: item.id,
            call_id: call.call_id,
            name: call.name,
            arguments: call.arguments,
            state: ToolCallState::Failed,
            output: Some(ONE_AT_A_TIME.to_owned()),
        })
        .collect();
    if !refused.is_empty() {
        out.push(AgentEvent::ToolCalls { calls: refused, workflow: item.clone() });
    }
    out.push(ThreadEvent::ItemDone { item }.into());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(name: &str, parameters: Value) -> ClientTool {
        ClientTool { name: name.to_owned(), description: String::new(), parameters }
    }

    #[test]
    fn names_are_checked_against_all_tools_and_parameters_are_those_of_an_object() {
        let object = || json!({ "type": "object" });
        let check = |tools: &[ClientTool]| ClientTool::check(tools, ["add_task"]);

        assert_eq!(check(&[tool("a", object()), tool("b", object())]), Ok(()));
        let twice = check(&[tool("a", object()), tool("a", object())]);
        assert_eq!(twice, Err(ClientToolError::DuplicateName("a".to_owned())));
        let taken = check(&[tool("add_task", object())]);
        assert_eq!(taken, Err(ClientToolError::DuplicateName("add_task".to_owned())));
        let malformed = check(&[tool("a b", object())]);
        assert_eq!(malformed, Err(ClientToolError::InvalidName("a b".to_owned())));
        for parameters in [json!({ "type": "array" }), json!({}), json!("object")] {
            let wrong = check(&[tool("a", parameters)]);
            assert_eq!(wrong, Err(ClientToolError::InvalidParameters("a".to_owned())));
        }
    }

    #[test]
    fn a_call_with_broken_arguments_is_answered_by_the_gateway() {
        let call = |name: &str, arguments: &str| FunctionCall {
            call_id: "c".to_owned(),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
        };
        let calls =
            vec![call("select", "{}"), call("select", "[1]"), call("select", "{"), call("f", "{}")];

        let client_tools = [tool("select", json!({ "type": "object" }))];
        let sorted = WantedCalls::sort(calls, &client_tools, &ToolRegistry::default());

        assert_eq!((sorted.client.len(), sorted.server.len()), (1, 3));
    }
}
