//! `GET /openapi.json`: the API's description, OpenAPI 3.1, from the handlers and their types; and
//! `GET /docs`, a page that shows it.
//!
//! A handler's attribute says what it takes and what it answers when all is well; its errors are added
//! by [`errors`]. That each route is here is checked by `tests/docs/description.rs`.

mod errors;
pub(super) mod parameters;

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        self, RefOr, Schema,
        path::{Operation, PathItem},
        schema::{AdditionalProperties, AnyOf},
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

use super::{
    assets::{self, Asset},
    chatkit, demo_session,
    error::{ApiError, ErrorBody},
    legacy_chat, messages, probes, runs, session, tasks, threads,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "chatkit-gateway",
        description = "The durable backend for ChatKit. Bodies are JSON, at most 1 MiB, sent within \
            10 s; members that are not known are ignored. Every answer has `X-Request-Id`. Every \
            error has the shape of `ErrorBody`; a route that has no such method answers 405 \
            `method_not_allowed`.",
    ),
    tags(
        (name = "Sessions", description = "From a login to a session token, and its end"),
        (name = "Threads"),
        (name = "Messages"),
        (name = "Runs", description = "A run is one generation of an answer; a thread has at most one at a time"),
        (name = "ChatKit", description = "The one endpoint of the ChatKit protocol"),
        (name = "Synchronous chat"),
        (name = "Tasks", description = "The task list that the model's tools work on"),
        (name = "MCP"),
        (name = "Operation", description = "For balancers, operators and readers"),
    ),
    paths(
        session::create_session, session::refresh_session, session::end_session,
        demo_session::create_demo_session,
        threads::list_threads, threads::create_thread,
        threads::show_thread, threads::update_thread, threads::delete_thread,
        messages::post_message,
        runs::show_run, runs::watch_run, runs::cancel_run,
        chatkit::answer,
        legacy_chat::chat,
        tasks::list_tasks, tasks::create_task,
        tasks::show_task, tasks::replace_task, tasks::delete_task, tasks::complete_task,
        mcp,
        probes::health, probes::ready, probes::metrics, show_description,
    ),
    components(schemas(ErrorBody)),
    modifiers(&Logins, &ChatKitAnswers, &ChatKitAlias, &Errors),
)]
struct Description;

/// How a caller says who is calling.
struct Logins;

impl Modify for Logins {
    fn modify(&self, api: &mut openapi::OpenApi) {
        let components = api.components.get_or_insert_default();
        for (name, description) in [
            ("session_token", "A session token, from `/api/chatkit/session` or its refresh."),
            ("better_auth", "A JWT of Better Auth."),
        ] {
            let mut scheme = Http::new(HttpAuthScheme::Bearer);
            scheme.bearer_format = Some("JWT".to_owned());
            scheme.description = Some(description.to_owned());
            components
                .security_schemes
                .insert(name.to_owned(), SecurityScheme::Http(scheme).into());
        }
    }
}

/// The answers of the ChatKit endpoint have no member that tells them apart: a page without entries is
/// one of threads and one of items. What derives can say of them is `oneOf`, which forbids that.
struct ChatKitAnswers;

impl Modify for ChatKitAnswers {
    fn modify(&self, api: &mut openapi::OpenApi) {
        let schemas = &mut api.components.get_or_insert_default().schemas;
        // Else they would be any object at all.
        for name in ["EmptyObject", "SyncActionAnswer"] {
            if let Some(RefOr::T(Schema::Object(object))) = schemas.get_mut(name) {
                object.additional_properties =
                    Some(Box::new(AdditionalProperties::FreeForm(false)));
            }
        }
        if let Some(RefOr::T(answer)) = schemas.get_mut("ChatKitAnswer")
            && let Schema::OneOf(choices) = answer
        {
            let mut any = AnyOf::new();
            any.items = std::mem::take(&mut choices.items);
            any.description = choices.description.take();
            *answer = Schema::AnyOf(any);
        }
    }
}

/// The second path of the ChatKit endpoint.
struct ChatKitAlias;

impl Modify for ChatKitAlias {
    fn modify(&self, api: &mut openapi::OpenApi) {
        let paths = &mut api.paths.paths;
        let mut alias = paths.get("/chatkit").expect("the endpoint is listed").clone();
        if let Some(operation) = &mut alias.post {
            operation.operation_id = Some("answer_chatkit_alias".to_owned());
        }
        paths.insert("/api/chatkit".to_owned(), alias);
    }
}

/// What can go wrong.
struct Errors;

impl Modify for Errors {
    fn modify(&self, api: &mut openapi::OpenApi) {
        for (path, item) in &mut api.paths.paths {
            for operation in operations(item) {
                errors::describe(path, operation);
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().filter_map(Option::as_mut)
}

/// MCP, Streamable HTTP
///
/// The task tools for any MCP client: one JSON-RPC message, answered with JSON. No session is kept.
#[utoipa::path(
    post,
    path = "/mcp",
    operation_id = "call_mcp",
    tag = "MCP",
    params(
        ("Accept" = String, Header, description = "Both `application/json` and `text/event-stream`, as the specification asks",
            example = "application/json, text/event-stream"),
    ),
    request_body(content = serde_json::Value, content_type = "application/json",
        description = "A message of JSON-RPC 2.0",
        example = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})),
    responses(
        (status = 200, body = serde_json::Value, content_type = "application/json", description = "The answer"),
        (status = 202, description = "The message was a notification: there is no answer"),
        (status = 406, body = ErrorBody, description = "`invalid_request`: the client does not accept both media types"),
    ),
    security(("session_token" = []), ("better_auth" = [])),
)]
#[expect(dead_code, reason = "rmcp answers; this stands for it in the description")]
fn mcp() {}

/// The description, made once: nothing in it depends on the configuration.
static DESCRIPTION: LazyLock<Asset> = LazyLock::new(|| {
    let text = Description::openapi().to_json().expect("a description is JSON");
    Asset::new("application/json", Bytes::from(text))
});

static PAGE: LazyLock<Asset> = LazyLock::new(|| {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/web/docs/index.html"));
    Asset::new("text/html; charset=utf-8", Bytes::from_static(page.as_bytes()))
});

/// Everything comes from here, and the page shows text as text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// This description
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "Operation",
    responses(
        (status = 200, body = serde_json::Value, content_type = "application/json", description = "OpenAPI 3.1", headers(
            ("ETag" = String, description = "For `If-None-Match`"),
        )),
        (status = 304, description = "The caller has it already"),
    ),
)]
pub(super) async fn show_description(headers: HeaderMap) -> Response {
    DESCRIPTION.answer(&headers)
}

/// `GET /docs`: the description for people. Works without a network.
pub(super) async fn show_page(headers: HeaderMap) -> Response {
    let policy = [(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY))];
    (policy, PAGE.answer(&headers)).into_response()
}

/// `GET /docs/{file}`: the page's script and styles.
pub(super) async fn page_file(
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    assets::find(&format!("docs/{file}"), &headers)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::http::error::Code;

    fn description() -> Value {
        serde_json::to_value(Description::openapi()).unwrap()
    }

    #[test]
    fn every_error_code_is_an_answer_of_an_operation() {
        let mut api = Description::openapi();
        let mut described = Vec::new();
        for (path, item) in &mut api.paths.paths {
            for operation in operations(item) {
                described.extend(errors::errors_of(path, operation));
            }
        }
        for code in Code::ALL {
            // Answered where there is no operation.
            let is_described = code == Code::MethodNotAllowed || described.contains(&code);
            assert!(is_described, "{} is nowhere an answer", code.name());
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let api = description();
        let mut references = Vec::new();
        collect_references(&api, &mut references);
        assert!(references.len() > 50, "{references:?}");
        for reference in references {
            let target = api.pointer(reference.trim_start_matches('#'));
            assert!(target.is_some(), "{reference} is not there");
        }
    }

    fn collect_references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    found.push(reference.clone());
                }
                for value in members.values() {
                    collect_references(value, found);
                }
            }
            Value::Array(values) => {
                for value in values {
                    collect_references(value, found);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn every_request_of_the_protocol_is_told_by_its_type() {
        let api = description();
        let variants = api["components"]["schemas"]["ChatKitRequest"]["oneOf"].as_array().unwrap();
        let types: Vec<&str> = variants
            .iter()
            .filter_map(|variant| variant["properties"]["type"]["enum"][0].as_str())
            .collect();
        assert_eq!(types.len(), 16, "{types:?}");
        assert!(types.contains(&"threads.add_user_message"), "{types:?}");
    }

    #[test]
    fn an_answer_of_the_protocol_may_be_of_several_kinds() {
        let api = description();
        let schemas = &api["components"]["schemas"];
        assert_eq!(schemas["ChatKitAnswer"]["anyOf"].as_array().unwrap().len(), 7);
        assert_eq!(schemas["EmptyObject"]["additionalProperties"], false);
        assert_eq!(schemas["SyncActionAnswer"]["additionalProperties"], false);
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let mut api = Description::openapi();
        let mut names: Vec<String> = Vec::new();
        for item in api.paths.paths.values_mut() {
            names.extend(operations(item).map(|operation| operation.operation_id.clone().unwrap()));
        }
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
