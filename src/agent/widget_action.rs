//! An action of a widget that a tool has shown: it goes to the tool that it names.
//!
//! A tool server's widgets can only name tools of that server: the names in them were made the
//! gateway's when they were shown. That an action stands in the stored widget is therefore what
//! allows it; what the page says of itself is not.

use serde_json::Value;

use crate::{
    protocol::{ItemId, ItemKind},
    tools::{TOOL_ACTION, ToolRegistry},
    upstream::FunctionCall,
};

use super::{AgentError, WidgetAction};

/// The call that an action asks for.
///
/// # Errors
///
/// The action is no tool's, its widget does not have it, its tool is not there (any more) or takes
/// no actions, or its payload is none of a call.
pub(super) fn call(
    action: &WidgetAction,
    tools: &ToolRegistry,
) -> Result<FunctionCall, AgentError> {
    let kind = action.action.kind.as_str();
    let name = kind.strip_prefix(TOOL_ACTION).ok_or(AgentError::Unsupported)?;
    let sender = action.sender.as_ref().map(|item| &item.kind);
    let Some(ItemKind::Widget(widget)) = sender else { return Err(AgentError::Unsupported) };
    if !has_action(&widget.widget, kind) {
        return Err(refused("This widget does not offer that."));
    }
    let tool = tools.find(name).filter(|tool| tool.takes_actions());
    if tool.is_none() {
        return Err(refused("What this widget offers is not available any more."));
    }
    let arguments = match &action.action.payload {
        Value::Null => "{}".to_owned(),
        Value::Object(arguments) => Value::from(arguments.clone()).to_string(),
        _ => return Err(refused("This widget asks for something that cannot be done.")),
    };
    let call_id = format!("action_{}", ItemId::new());
    Ok(FunctionCall { call_id, name: name.to_owned(), arguments })
}

fn refused(message: &str) -> AgentError {
    AgentError::Custom { message: message.to_owned(), allow_retry: false }
}

/// Whether a part of a widget has an action of this type.
fn has_action(component: &Value, kind: &str) -> bool {
    match component {
        Value::Array(children) => children.iter().any(|child| has_action(child, kind)),
        Value::Object(members) => {
            members.get("type").is_some_and(|found| found == kind)
                || members
                    .iter()
                    .any(|(name, member)| name != "payload" && has_action(member, kind))
        }
        _ => false,
    }
}
