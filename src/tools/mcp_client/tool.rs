//! A tool of a server, and a call of it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use rmcp::{
    Peer, RoleClient, ServiceError,
    model::{
        CallToolRequest, CallToolRequestParams, CallToolResult, CancelledNotification,
        CancelledNotificationParam, ClientNotification, ClientRequest, ErrorCode, RequestId,
        ServerResult,
    },
    service::PeerRequestOptions,
};
use serde_json::{Map, Value};
use tokio::{runtime::Handle, time::timeout};
use tokio_util::task::TaskTracker;

use crate::tools::{Asks, Tool, ToolContext, ToolOutput, ToolSpec};

use super::{
    answer_lines::TOO_LONG, connection::Connection, failure, results, shown, supervision::Server,
};

/// How much of what a server says of a wrong call the model is told, in characters.
const MAX_COMPLAINT: usize = 500;
/// How long a server has to take a cancellation.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);
/// What the registry waits longer than the tool itself, so that it is the tool that says who was
/// too slow.
const MARGIN: Duration = Duration::from_secs(1);

/// A tool of a server.
pub(super) struct McpTool {
    server: Arc<Server>,
    /// As the server calls it.
    name: String,
    spec: ToolSpec,
}

impl McpTool {
    pub(super) fn new(server: Arc<Server>, name: String, spec: ToolSpec) -> Self {
        Self { server, name, spec }
    }

    /// Calls it on a connection, to the answer. Dropping the future cancels the call at the server.
    async fn ask(
        &self,
        connection: &Connection,
        context: &ToolContext,
        arguments: Map<String, Value>,
    ) -> Result<CallToolResult, ServiceError> {
        let params = CallToolRequestParams::new(self.name.clone()).with_arguments(arguments);
        let mut request = CallToolRequest::new(params);
        // For the headers of the user; it is no part of what is sent.
        request.extensions.insert(context.user_id.clone());
        let request = ClientRequest::CallToolRequest(request);
        let options = PeerRequestOptions::no_options();
        let call = connection.peer.send_cancellable_request(request, options).await?;
        let mut under_way = UnderWay {
            call: Some((connection.peer.clone(), call.id.clone())),
            tasks: self.server.tasks.clone(),
        };
        let mut progress = connection.progress.of_call(call.progress_token.clone());
        let answer = tokio::select! {
            answer = call.await_response() => answer,
            () = progress.show(&self.spec.title, &context.display) => unreachable!("it never ends"),
        };
        under_way.call = None;
        match answer? {
            ServerResult::CallToolResult(result) => Ok(result),
            ServerResult::EmptyResult(_) => Ok(CallToolResult::default()),
            // Among them questions back and tasks, which are not for a client without the
            // capabilities for them.
            _ => Err(ServiceError::UnexpectedResponse),
        }
    }

    /// What the model is told of a call without a result. What the server says is not for it,
    /// unless it is a complaint about the call, which the model can mend; nor is it for the log,
    /// since it may be a user's words.
    fn failed(&self, error: &ServiceError) -> ToolOutput {
        let (server, tool) = (&self.server.settings.name, &self.spec.name);
        if let ServiceError::McpError(error) = error {
            tracing::warn!(
                mcp.server = server,
                tool.name = tool,
                code = error.code.0,
                "a call failed"
            );
            return ToolOutput::error(match error.code {
                ErrorCode(TOO_LONG) => TOO_LONG_ANSWER.to_owned(),
                ErrorCode::INVALID_PARAMS => {
                    format!("the tool server refuses the call: {}", brief(&error.message))
                }
                _ => "the tool server failed".to_owned(),
            });
        }
        tracing::warn!(
            mcp.server = server,
            tool.name = tool,
            error = brief(error),
            "a call failed"
        );
        if failure::is_too_long(error) {
            return ToolOutput::error(TOO_LONG_ANSWER);
        }
        if matches!(error, ServiceError::UnexpectedResponse) {
            return ToolOutput::error("the tool server's answer cannot be read");
        }
        // Is it there at all?
        self.server.check.notify_one();
        ToolOutput::error(format!(
            "the connection to the tool server {server} broke; the call may or may not have acted"
        ))
    }
}

const TOO_LONG_ANSWER: &str =
    "the tool's answer is too long to be read; ask for less. The call may have acted";

fn brief(text: &impl ToString) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    text.to_string().chars().take(MAX_COMPLAINT).map(shown).collect()
}

#[async_trait]
impl Tool for McpTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    /// Whether it only reads is known by the server's own word.
    fn asks(&self, _: &Map<String, Value>) -> Option<Asks> {
        (self.server.settings.confirm && !self.spec.read_only).then_some(Asks::Consent)
    }

    fn takes_actions(&self) -> bool {
        self.server.settings.show
    }

    fn server(&self) -> Option<&str> {
        Some(&self.server.settings.name)
    }

    fn timeout(&self) -> Option<Duration> {
        Some(self.server.settings.timeout + MARGIN)
    }

    async fn call(&self, context: &ToolContext, arguments: Map<String, Value>) -> ToolOutput {
        let server = &self.server.settings.name;
        let Some(connection) = self.server.connection() else {
            return ToolOutput::error(format!(
                "the tool server {server} cannot be reached now; the call was not made"
            ));
        };
        let limit = self.server.settings.timeout;
        match timeout(limit, self.ask(&connection, context, arguments)).await {
            Ok(Ok(result)) => {
                if self.server.settings.show {
                    shown::show(&result, server, &self.spec.name, &context.display).await;
                }
                results::read(&result)
            }
            Ok(Err(error)) => self.failed(&error),
            Err(_elapsed) => {
                tracing::warn!(
                    mcp.server = server,
                    tool.name = self.spec.name,
                    "a call took too long"
                );
                // It may be the tool alone that is slow. Or nobody is there.
                self.server.check.notify_one();
                ToolOutput::error(format!(
                    "{} was stopped after {limit:?}; it may or may not have acted",
                    self.spec.name
                ))
            }
        }
    }
}

/// A call without an answer yet. Dropping it tells the server that nobody waits for one.
struct UnderWay {
    call: Option<(Peer<RoleClient>, RequestId)>,
    tasks: TaskTracker,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Some((peer, id)) = self.call.take() else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        let params =
            CancelledNotificationParam::new(Some(id), Some("the call is not wanted".to_owned()));
        let cancelled =
            ClientNotification::CancelledNotification(CancelledNotification::new(params));
        let tell = async move {
            // A server that does not take it is found by its next check.
            let _ = timeout(CANCEL_TIMEOUT, peer.send_notification(cancelled)).await;
        };
        self.tasks.spawn_on(tell, &runtime);
    }
}
