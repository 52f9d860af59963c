//! Which errors each operation can answer: most follow from what it takes, the rest are listed.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::openapi::{
    Content, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, Type, path::Operation,
};

use crate::http::{error::Code, observe::is_probe};

/// A message of the caller's begins a run.
const BEGINS_A_RUN: &[Code] = &[
    Code::InvalidRequest,
    Code::NotSupported,
    Code::NotFound,
    Code::RunActive,
    Code::TooManyRuns,
    Code::TokenLimit,
    Code::Overloaded,
    Code::ShuttingDown,
];

/// What does not follow from an operation's parameters, body and login.
fn listed(operation_id: &str) -> Vec<Code> {
    let more: &[Code] = match operation_id {
        "answer_chatkit" | "answer_chatkit_alias" => &[
            Code::NotPending,
            Code::IdempotencyKeyReused,
            Code::AnswerFailed,
            Code::FilesUnavailable,
        ],
        "post_message" => &[Code::IdempotencyKeyReused],
        "chat_synchronously" => &[Code::AnswerFailed],
        "watch_run" => return vec![Code::EventsExpired],
        // The cursor may name a thread that is gone.
        "list_threads" => return vec![Code::NotFound],
        "delete_thread" => return vec![Code::FilesUnavailable],
        "create_session" => {
            return vec![Code::LoginUnavailable, Code::DatabaseUnavailable, Code::InternalError];
        }
        "refresh_session" => {
            return vec![
                Code::Unauthorized,
                Code::SessionExpired,
                Code::DatabaseUnavailable,
                Code::InternalError,
            ];
        }
        // Outside of the demo there is no such route.
        "create_demo_session" => {
            return vec![
                Code::Forbidden,
                Code::NotFound,
                Code::DatabaseUnavailable,
                Code::InternalError,
            ];
        }
        _ => return Vec::new(),
    };
    [BEGINS_A_RUN, more].concat()
}

/// All errors of an operation, each once, in the order of [`Code::ALL`].
pub(super) fn errors_of(path: &str, operation: &Operation) -> Vec<Code> {
    let mut codes = listed(operation.operation_id.as_deref().unwrap_or_default());
    let schemes: Vec<Value> = operation
        .security
        .iter()
        .flatten()
        .filter_map(|requirement| serde_json::to_value(requirement).ok())
        .collect();
    let takes = |scheme| schemes.iter().any(|requirement| requirement.get(scheme).is_some());
    // Whoever watches over the gateway is never refused.
    if !is_probe(path) {
        codes.push(Code::RateLimited);
    }
    if !schemes.is_empty() {
        codes.extend([Code::Unauthorized, Code::DatabaseUnavailable, Code::InternalError]);
    }
    if takes("session_token") {
        codes.push(Code::SessionExpired);
    }
    if takes("better_auth") {
        codes.push(Code::LoginUnavailable);
    }
    if operation.request_body.is_some() {
        codes.extend([
            Code::InvalidRequest,
            Code::RequestTimeout,
            Code::PayloadTooLarge,
            Code::UnsupportedMediaType,
        ]);
    }
    // A path can be no UTF-8, a query no number, a header no text.
    if operation.parameters.iter().flatten().next().is_some() {
        codes.push(Code::InvalidRequest);
    }
    if path.contains("{user_id}") {
        codes.push(Code::Forbidden);
    }
    if path.contains("{id}") {
        codes.push(Code::NotFound);
    }
    Code::ALL.into_iter().filter(|code| codes.contains(code)).collect()
}

/// Adds them to an operation. An answer that it has of its own for a status stays.
pub(super) fn describe(path: &str, operation: &mut Operation) {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in errors_of(path, operation) {
        by_status.entry(code.status().as_u16()).or_default().push(code);
    }
    for (status, codes) in by_status {
        let responses = &mut operation.responses.responses;
        responses.entry(status.to_string()).or_insert_with(|| RefOr::T(response(status, &codes)));
    }
}

fn response(status: u16, codes: &[Code]) -> Response {
    let lines: Vec<String> =
        codes.iter().map(|code| format!("`{}`: {}", code.name(), code.meaning())).collect();
    let mut content = Content::new(Some(RefOr::Ref(Ref::from_schema_name("ErrorBody"))));
    content.example = Some(json!({"error": {
        "code": codes[0].name(),
        "message": codes[0].meaning(),
        "request_id": "01a2063d-5c1a-71a1-884d-0929f9b412d3",
    }}));
    let mut response = Response::new(lines.join("\n\n"));
    response.content.insert("application/json".to_owned(), content.into());
    let header = |kind: Type, text: &str| {
        HeaderBuilder::new()
            .schema(Some(ObjectBuilder::new().schema_type(kind)))
            .description(Some(text))
            .build()
    };
    let mut headers = vec![("X-Request-Id", header(Type::String, "Is also in the gateway's log"))];
    match status {
        401 => headers.push(("WWW-Authenticate", header(Type::String, "`Bearer`"))),
        429 | 503 => headers.push(("Retry-After", header(Type::Integer, "Seconds"))),
        _ => {}
    }
    for (name, header) in headers {
        response.headers.insert(name.to_owned(), header.into());
    }
    response
}
