//! The tools for any MCP client: the registry behind Streamable HTTP, on `/mcp`, and the user's threads
//! and tasks to be read.
//!
//! **Both eras of the protocol** are served from one endpoint: the versions that begin with
//! `initialize` (up to 2025-11-25) and the self-contained requests of 2026-07-28. No session is
//! kept in memory for either, so every instance answers every request. A client that closes its
//! connection cancels its call.
//!
//! **Login is not done here.** The layer around the service authenticates the request and puts the
//! caller's [`UserId`] into its extensions; a request without one is refused, so that a route
//! mounted without login shows nothing.
//!
//! **Behind a domain**, [`McpSettings::allowed_hosts`] must name it: by default only loopback names
//! are taken in the `Host` header, which keeps a hostile page from reaching a local server by DNS
//! rebinding. A page's script, whose requests carry an `Origin`, needs that origin in
//! [`McpSettings::allowed_origins`].

use std::sync::Arc;

use hyper::http::request::Parts;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
        ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
        ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities, ServerConfig,
        Tool as McpTool, ToolAnnotations,
    },
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
    },
};
use tokio_util::sync::CancellationToken;

use super::{
    ToolContext, ToolOutput, ToolRegistry, ToolSpec,
    mcp_resources::{ResourceStore, Resources},
    registry::DEFAULT_TIMEOUT,
};
use crate::protocol::UserId;

/// The longest request, in bytes: as long as any other JSON that the gateway reads.
const MAX_REQUEST_BYTES: usize = 1024 * 1024;

/// A service to mount with `Router::route_service("/mcp", …)` under the layer that logs in.
pub type McpService = StreamableHttpService<McpServer, NeverSessionManager>;

/// Whose requests are read at all; others get a 403.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpSettings {
    /// Hosts that clients may call the server by, each as `chat.example.com` (any port) or
    /// `chat.example.com:8443`. An empty list takes any, which is safe only where every request
    /// needs a token that a browser does not send by itself.
    pub allowed_hosts: Vec<String>,
    /// Origins of pages whose scripts may call, each as `https://app.example.com`. Requests
    /// without an `Origin`, which are those of any client but a browser, are not concerned.
    pub allowed_origins: Vec<String>,
}

impl Default for McpSettings {
    /// Loopback names, and no page.
    fn default() -> Self {
        Self {
            allowed_hosts: ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into(),
            allowed_origins: Vec::new(),
        }
    }
}

/// The registry as an HTTP service that speaks MCP, with what is in a store to be read.
///
/// `shutdown` ends the calls under way, so cancel it once the time for draining is over.
pub fn service(
    registry: ToolRegistry,
    resources: impl ResourceStore,
    settings: &McpSettings,
    shutdown: CancellationToken,
) -> McpService {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(MAX_REQUEST_BYTES)
        .with_allowed_hosts(&settings.allowed_hosts)
        .with_allowed_origins(settings.allowed_origins.iter().map(|origin| with_port(origin)))
        .enforce_origin_validation()
        .with_cancellation_token(shutdown);
    let server = McpServer::new(registry, resources);
    StreamableHttpService::new(move || Ok(server.clone()), Arc::default(), config)
}

/// An origin with its port written out: rmcp takes one without as a wildcard.
fn with_port(origin: &str) -> String {
    let (scheme, authority) = origin.split_once("://").unwrap_or(("", origin));
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    match scheme {
        "https" if !has_port => format!("{origin}:443"),
        "http" if !has_port => format!("{origin}:80"),
        _ => origin.to_owned(),
    }
}

/// The registry as a handler of MCP requests.
#[derive(Clone)]
pub struct McpServer {
    registry: ToolRegistry,
    tools: Arc<[McpTool]>,
    resources: Resources,
}

impl McpServer {
    /// A handler over these tools and this store.
    pub fn new(registry: ToolRegistry, resources: impl ResourceStore) -> Self {
        let tools = registry.iter().map(|tool| describe(tool.spec())).collect();
        Self { registry, tools, resources: Resources(Arc::new(resources)) }
    }
}

impl ServerHandler for McpServer {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_resources().build())
            .with_server_info(Implementation::new(
                env!("CARGO_PKG_NAME"),
                env!("CARGO_PKG_VERSION"),
            ))
            .with_instructions("The tools work on the data of the user who is logged in.")
    }

    /// The tools, all on one page.
    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        caller(&context)?;
        if request.is_some_and(|request| request.cursor.is_some()) {
            return Err(ErrorData::invalid_params("unknown cursor: there is one page", None));
        }
        Ok(ListToolsResult::with_all_items(self.tools.to_vec()))
    }

    /// Runs a tool. Its failure is a result with `isError`, which models get to read; only a tool
    /// that does not exist is an error of the protocol.
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let user_id = caller(&context)?;
        if self.registry.find(&request.name).is_none() {
            return Err(ErrorData::invalid_params(format!("unknown tool: {}", request.name), None));
        }
        let context = ToolContext::new(user_id, context.ct);
        let arguments = request.arguments.unwrap_or_default();
        let output =
            self.registry.call_with(&context, &request.name, arguments, DEFAULT_TIMEOUT).await;
        Ok(into_result(output).into())
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let user = caller(&context)?;
        self.resources.list(&user, request.and_then(|request| request.cursor)).await
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        caller(&context)?;
        Ok(Resources::templates())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let user = caller(&context)?;
        Ok(self.resources.read(&user, &request.uri).await?.into())
    }

    fn get_tool(&self, name: &str) -> Option<McpTool> {
        self.tools.iter().find(|tool| tool.name == name).cloned()
    }
}

/// Who calls, as the layer that logs in has found.
fn caller(context: &RequestContext<RoleServer>) -> Result<UserId, ErrorData> {
    let user = context.extensions.get::<Parts>().and_then(|parts| parts.extensions.get::<UserId>());
    user.cloned().ok_or_else(|| ErrorData::invalid_request("the request has no user", None))
}

fn describe(spec: &ToolSpec) -> McpTool {
    let schema = spec.parameters.as_object().expect("the registry checked that it is an object");
    let annotations = ToolAnnotations::with_title(&spec.title)
        .read_only(spec.read_only)
        .destructive(spec.destructive)
        .idempotent(spec.idempotent);
    McpTool::new(spec.name.clone(), spec.description.clone(), schema.clone())
        .with_title(&spec.title)
        .with_annotations(annotations)
}

fn into_result(output: ToolOutput) -> CallToolResult {
    let images =
        output.images.into_iter().map(|image| ContentBlock::image(image.data, image.mime_type));
    let content = std::iter::once(ContentBlock::text(output.text)).chain(images).collect();
    if output.is_error { CallToolResult::error(content) } else { CallToolResult::success(content) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_without_a_port_means_its_schemes_own() {
        for (given, exact) in [
            ("https://app.example.com", "https://app.example.com:443"),
            ("http://app.example.com", "http://app.example.com:80"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://[::1]", "http://[::1]:80"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("null", "null"),
        ] {
            assert_eq!(with_port(given), exact);
        }
    }
}
