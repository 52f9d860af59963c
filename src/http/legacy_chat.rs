//! `POST /api/{user_id}/chat`: the older, synchronous endpoint. It answers when all is done.

use axum::{
    Json,
    extract::{Path, State},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    chat::{OnBusy, Posting, SendMessage},
    protocol::{
        ThreadId, UserId,
        item::{InferenceOptions, UserContent},
    },
    store::record::{RunStatus, ToolCallRecord},
};

use super::{
    AppState,
    description::parameters::UserPath,
    error::{ApiError, Code},
    extract::JsonBody,
    login::{CallerClaims, CallerUser},
};

#[derive(Deserialize, ToSchema)]
pub(super) struct ChatRequest {
    conversation_id: Option<ThreadId>,
    message: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ChatResponse {
    conversation_id: ThreadId,
    response: String,
    tool_calls: Vec<ToolCall>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ToolCall {
    name: String,
    arguments: Value,
    result: Value,
}

impl From<ToolCallRecord> for ToolCall {
    /// Arguments and result as JSON where they are JSON, as text otherwise.
    fn from(call: ToolCallRecord) -> Self {
        let parsed = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
        Self {
            name: call.name,
            arguments: parsed(call.arguments),
            result: call.output.map_or(Value::Null, parsed),
        }
    }
}

/// The path names a user; it must be the caller.
pub(super) fn check_path_user(path: &str, caller: &UserId) -> Result<(), ApiError> {
    if path == caller.as_str() {
        return Ok(());
    }
    Err(ApiError::new(Code::Forbidden, "the user in the path is not the caller"))
}

/// A message, answered when all is done
///
/// The older, synchronous endpoint. `user_id` must be the caller's.
#[utoipa::path(
    post,
    path = "/api/{user_id}/chat",
    operation_id = "chat_synchronously",
    tag = "Synchronous chat",
    params(UserPath),
    request_body = ChatRequest,
    responses((status = 200, body = ChatResponse, description = "The whole answer")),
    security(("session_token" = []), ("better_auth" = [])),
)]
pub(super) async fn chat(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    CallerClaims(claims): CallerClaims,
    Path(path_user): Path<String>,
    JsonBody(request): JsonBody<ChatRequest>,
) -> Result<Json<ChatResponse>, ApiError> {
    check_path_user(&path_user, &user)?;
    let message = SendMessage {
        thread_id: request.conversation_id,
        content: vec![UserContent::InputText { text: request.message }],
        attachments: Vec::new(),
        quoted_text: None,
        options: InferenceOptions::default(),
    };
    let posting =
        Posting { claims, allow_cancel: false, idempotency: None, on_busy: OnBusy::Refuse };
    let sent = state.chat.send(&user, message, posting).await?;
    let (run_id, conversation_id) = (sent.run_id, sent.thread_id);
    let result = state.chat.wait(&user, sent).await?;
    if result.run.status != RunStatus::Completed {
        let reason = result.run.error.map_or_else(
            || format!("the answer was {}", result.run.status.as_str()),
            |error| error.message,
        );
        return Err(ApiError::new(Code::AnswerFailed, reason));
    }
    let calls = state.chat.list_tool_calls(conversation_id, run_id).await?;
    Ok(Json(ChatResponse {
        conversation_id,
        response: result.message.map(|message| message.content).unwrap_or_default(),
        tool_calls: calls.into_iter().map(ToolCall::from).collect(),
    }))
}
