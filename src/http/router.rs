//! The table of routes.

use axum::{
    Extension, Router,
    http::{HeaderName, HeaderValue, Method, header},
    middleware::{from_fn, from_fn_with_state},
    routing::{get, patch, post, post_service},
};
use tokio_util::sync::CancellationToken;
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{AllowHeaders, AllowOrigin, CorsLayer},
};

use crate::{
    protocol::UserId,
    tools::mcp_server::{self, McpSettings},
};

use super::{
    AppState, assets, chatkit,
    demo_session::{DemoUsers, create_demo_session},
    description, error, guard, legacy_chat, limit, login, messages, observe,
    playground::{Playground, PlaygroundSettings, show_page},
    probes, runs, session, sse, tasks, threads,
};

/// What the routes depend on besides their state.
#[derive(Clone, Debug, Default)]
pub struct RouterOptions {
    /// Origins whose pages may call, exactly.
    pub cors_origins: Vec<String>,
    /// Whether the playground is served at `/`.
    pub playground: bool,
    /// Whom the demo lets in without a login. Empty outside of it: then there is no such route.
    pub demo_users: Vec<UserId>,
}

/// All routes. `shutdown` ends what the MCP server holds open.
pub fn router(state: AppState, options: &RouterOptions, shutdown: CancellationToken) -> Router {
    let (tools, store) = (state.tools.clone(), state.store.clone());
    let limits = state.limits.clone();
    let mcp = mcp_server::service(tools, store, &mcp_settings(options), shutdown);
    let with_session = Router::new()
        .route("/chatkit", post(chatkit::answer))
        .route("/api/chatkit", post(chatkit::answer))
        .route("/api/chatkit/threads", get(threads::list_threads).post(threads::create_thread))
        .route(
            "/api/chatkit/threads/{id}",
            get(threads::show_thread).patch(threads::update_thread).delete(threads::delete_thread),
        )
        .route("/api/chatkit/messages", post(messages::post_message))
        .route("/api/chatkit/runs/{id}", get(runs::show_run))
        .route("/api/chatkit/runs/{id}/events", get(runs::watch_run))
        .route("/api/chatkit/runs/{id}/cancel", post(runs::cancel_run))
        .route_layer(from_fn_with_state(state.limits.clone(), limit::by_user))
        .route_layer(from_fn_with_state(state.clone(), login::require_session));
    let with_login = Router::new()
        .route("/api/{user_id}/chat", post(legacy_chat::chat))
        .route("/api/{user_id}/tasks", get(tasks::list_tasks).post(tasks::create_task))
        .route(
            "/api/{user_id}/tasks/{id}",
            get(tasks::show_task).put(tasks::replace_task).delete(tasks::delete_task),
        )
        .route("/api/{user_id}/tasks/{id}/complete", patch(tasks::complete_task))
        .route("/mcp", post_service(mcp))
        .route_layer(from_fn_with_state(state.limits.clone(), limit::by_user))
        .route_layer(from_fn_with_state(state.clone(), login::require_login));
    // The routes that nobody needs to be known for.
    let open = Router::new()
        .merge(pages(&state, options))
        .route("/openapi.json", get(description::show_description))
        .route("/docs", get(description::show_page))
        .route("/docs/{*file}", get(description::page_file))
        .route("/health", get(probes::health))
        .route("/ready", get(probes::ready))
        .route("/metrics", get(probes::metrics))
        .route("/api/chatkit/session", post(session::create_session))
        .route("/api/chatkit/refresh", post(session::refresh_session))
        .route("/api/chatkit/logout", post(session::end_session));
    open.merge(with_session)
        .merge(with_login)
        .with_state(state)
        .layer(from_fn(guard::refuse))
        .layer(from_fn_with_state(limits, limit::by_address))
        .layer(CatchPanicLayer::new())
        .layer(from_fn(error::render))
        .layer(cors(&options.cors_origins))
        .layer(from_fn(guard::harden))
        .layer(from_fn(observe::observe))
}

/// The client and its helper for pages of one's own, and the playground where it is on.
fn pages(state: &AppState, options: &RouterOptions) -> Router<AppState> {
    let mut pages = Router::new()
        .route("/chatkit-gateway.js", get(assets::helper))
        .route("/client.js", get(assets::client))
        .route("/client/{*file}", get(assets::client_file));
    if options.playground {
        let settings = PlaygroundSettings {
            demo_users: options.demo_users.clone(),
            attachments: state.chat.takes_attachments(),
        };
        pages = pages
            .route("/", get(show_page).layer(Extension(Playground::new(&settings))))
            .route("/playground/{*file}", get(assets::playground_file));
    }
    if !options.demo_users.is_empty() {
        let users = Extension(DemoUsers(options.demo_users.clone()));
        pages = pages.route("/demo/session", post(create_demo_session).layer(users));
    }
    pages
}

/// Any host will do: every request needs a token that a browser does not send by itself.
fn mcp_settings(options: &RouterOptions) -> McpSettings {
    McpSettings { allowed_hosts: Vec::new(), allowed_origins: options.cors_origins.clone() }
}

fn cors(origins: &[String]) -> CorsLayer {
    let origins = origins.iter().filter_map(|origin| HeaderValue::try_from(origin).ok());
    let exposed: [HeaderName; 5] =
        [sse::RUN_ID, sse::THREAD_ID, sse::REPLAYED, observe::REQUEST_ID, header::RETRY_AFTER];
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        // ChatKit sends headers of its own whose names are not all documented.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(exposed)
}
