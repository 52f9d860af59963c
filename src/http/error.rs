//! Every code with its status, and the one shape in which a client sees an error:
//! `{"error":{"code","message","request_id"}}`.

use std::{borrow::Cow, time::Duration};

use axum::{
    Json,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    auth::AuthError, chat::ChatError, limits::TooMany, protocol::RunId, store::StoreError,
};

use super::observe::RequestId;

/// What a client may do about an error; each has one status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ErrorName)]
pub(super) enum Code {
    InvalidRequest,
    Unauthorized,
    SessionExpired,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    RunActive,
    NotPending,
    EventsExpired,
    PayloadTooLarge,
    UnsupportedMediaType,
    IdempotencyKeyReused,
    TooManyRuns,
    RateLimited,
    TokenLimit,
    NotSupported,
    FilesUnavailable,
    InternalError,
    AnswerFailed,
    Overloaded,
    ShuttingDown,
    DatabaseUnavailable,
    LoginUnavailable,
}

impl Code {
    /// Every one.
    pub(super) const ALL: [Self; 24] = [
        Self::InvalidRequest,
        Self::Unauthorized,
        Self::SessionExpired,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::RunActive,
        Self::NotPending,
        Self::EventsExpired,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::IdempotencyKeyReused,
        Self::TooManyRuns,
        Self::RateLimited,
        Self::TokenLimit,
        Self::NotSupported,
        Self::FilesUnavailable,
        Self::InternalError,
        Self::AnswerFailed,
        Self::Overloaded,
        Self::ShuttingDown,
        Self::DatabaseUnavailable,
        Self::LoginUnavailable,
    ];

    /// As it is sent.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::Unauthorized => "unauthorized",
            Self::SessionExpired => "session_expired",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::RunActive => "run_active",
            Self::NotPending => "not_pending",
            Self::EventsExpired => "events_expired",
            Self::PayloadTooLarge => "payload_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::TooManyRuns => "too_many_runs",
            Self::RateLimited => "rate_limited",
            Self::TokenLimit => "token_limit",
            Self::NotSupported => "not_supported",
            Self::FilesUnavailable => "files_unavailable",
            Self::InternalError => "internal_error",
            Self::AnswerFailed => "answer_failed",
            Self::Overloaded => "overloaded",
            Self::ShuttingDown => "shutting_down",
            Self::DatabaseUnavailable => "database_unavailable",
            Self::LoginUnavailable => "login_unavailable",
        }
    }

    /// When it is answered, for the API's description.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::InvalidRequest => "the body, a query or a header is not as it should be",
            Self::Unauthorized => "no token, or one that does not prove who is calling",
            Self::SessionExpired => {
                "a session token that was good once: refresh it, or ask for a new session"
            }
            Self::Forbidden => "the user in the path is not the caller",
            Self::NotFound => "there is no such thing, or it is somebody else's",
            Self::MethodNotAllowed => "the route has no such method",
            Self::RequestTimeout => "the body did not arrive within 10 s",
            Self::RunActive => "the thread is being answered; `run_id` says by which run",
            Self::NotPending => "nothing waits for this answer (any more)",
            Self::EventsExpired => "the run ended longer ago than its events are kept",
            Self::PayloadTooLarge => "the body is larger than 1 MiB",
            Self::UnsupportedMediaType => "the body is not `application/json`, or it is compressed",
            Self::IdempotencyKeyReused => "the `Idempotency-Key` was used for another request",
            Self::TooManyRuns => "the user has as many answers under way as allowed",
            Self::RateLimited => "the user, or the address, has asked too often in a minute",
            Self::TokenLimit => "the day's tokens are used up; `Retry-After` says until when",
            Self::NotSupported => "this server does not do that",
            Self::FilesUnavailable => "the place of the files is away",
            Self::InternalError => "a bug; the log has it under the request's id",
            Self::AnswerFailed => "the model or the agent gave no whole answer",
            Self::Overloaded => "this process has as many runs as allowed",
            Self::ShuttingDown => "this process ends",
            Self::DatabaseUnavailable => "the database is away; nothing was stored",
            Self::LoginUnavailable => "the key set of Better Auth was never reached",
        }
    }

    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest | Self::NotSupported => StatusCode::BAD_REQUEST,
            Self::Unauthorized | Self::SessionExpired => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::RunActive | Self::NotPending => StatusCode::CONFLICT,
            Self::EventsExpired => StatusCode::GONE,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRuns | Self::RateLimited | Self::TokenLimit => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::AnswerFailed => StatusCode::BAD_GATEWAY,
            Self::Overloaded
            | Self::FilesUnavailable
            | Self::ShuttingDown
            | Self::DatabaseUnavailable
            | Self::LoginUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// As clients see it.
    fn label(self) -> String {
        let code = serde_json::to_value(self).ok();
        code.as_ref().and_then(|code| code.as_str()).unwrap_or_default().to_owned()
    }

    /// For answers that the framework made: a route that is not there, a method that it has not.
    fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => Self::PayloadTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            status if status.is_client_error() => Self::InvalidRequest,
            _ => Self::InternalError,
        }
    }

    fn default_message(self) -> &'static str {
        match self {
            Self::NotFound => "there is no such route",
            Self::MethodNotAllowed => "the route does not take this method",
            Self::PayloadTooLarge => "the request is too large",
            Self::UnsupportedMediaType => "send the body as application/json",
            Self::InvalidRequest => "the request cannot be understood",
            _ => "something went wrong in the server",
        }
    }
}

/// An error on its way to the client.
#[derive(Clone, Debug)]
pub(super) struct ApiError {
    code: Code,
    message: Cow<'static, str>,
    retry_after: Option<Duration>,
    run_id: Option<RunId>,
}

impl ApiError {
    pub(super) fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), retry_after: None, run_id: None }
    }

    pub(super) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidRequest, message)
    }

    pub(super) fn not_found() -> Self {
        Self::new(Code::NotFound, "there is no such thing here")
    }

    /// One body, whatever the reason.
    pub(super) fn unauthorized() -> Self {
        Self::new(Code::Unauthorized, "sign in and send a valid token as Authorization: Bearer")
    }

    /// Too many requests in a minute.
    pub(super) fn rate_limited(too_many: TooMany) -> Self {
        let TooMany { per_minute, retry_after } = too_many;
        let seconds = whole_seconds(retry_after);
        let message = format!(
            "too many requests: {per_minute} a minute are allowed; try again in {seconds} s"
        );
        Self::new(Code::RateLimited, message).retry_after(seconds)
    }

    fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(Duration::from_secs(seconds)), ..self }
    }
}

/// Rounded up: who comes a moment too early is refused again.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

impl From<ChatError> for ApiError {
    fn from(error: ChatError) -> Self {
        match error {
            ChatError::NotFound => Self::not_found(),
            ChatError::Invalid(message) => Self::invalid(message),
            ChatError::RunActive(run) => Self {
                run_id: Some(run),
                ..Self::new(Code::RunActive, "the thread is being answered; wait or cancel the run")
            },
            ChatError::EventsExpired => Self::new(
                Code::EventsExpired,
                "the run ended too long ago for its events; read its thread",
            ),
            ChatError::NotPending(what) => Self::new(Code::NotPending, what),
            ChatError::NotSupported(what) => Self::new(Code::NotSupported, what),
            ChatError::AgentFailed(message) => {
                let message = message.unwrap_or_else(|| "the assistant failed; try again".into());
                Self::new(Code::AnswerFailed, message)
            }
            ChatError::FilesUnavailable(source) => {
                tracing::warn!(error = &*source, "the place of the files is not available");
                let message = "files cannot be reached now; try again";
                Self::new(Code::FilesUnavailable, message).retry_after(5)
            }
            ChatError::KeyReused => Self::new(
                Code::IdempotencyKeyReused,
                "the Idempotency-Key was used for another request; make a new one",
            ),
            ChatError::TooManyRuns => Self::new(
                Code::TooManyRuns,
                "too many answers at the same time; wait until one has ended",
            )
            .retry_after(5),
            ChatError::TokensUsedUp { until, wait } => Self::new(
                Code::TokenLimit,
                format!("today's limit of tokens is reached; it begins anew at {until}"),
            )
            .retry_after(whole_seconds(wait)),
            ChatError::Overloaded => {
                Self::new(Code::Overloaded, "the server is busy; try again").retry_after(5)
            }
            ChatError::ShuttingDown => {
                Self::new(Code::ShuttingDown, "the server is being restarted; try again")
                    .retry_after(5)
            }
            ChatError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "database unavailable");
                Self::new(Code::DatabaseUnavailable, "the database is away; try again")
                    .retry_after(5)
            }
            StoreError::Conflict { .. } | StoreError::Corrupt { .. } | StoreError::Refused(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "database error");
                Self::new(Code::InternalError, Code::InternalError.default_message())
            }
        }
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Unauthorized { .. } => Self::unauthorized(),
            AuthError::SessionExpired => {
                Self::new(Code::SessionExpired, "the session is over; refresh it or sign in again")
            }
            AuthError::Unavailable { reason } => {
                tracing::warn!(reason, "login unavailable");
                Self::new(Code::LoginUnavailable, "logins cannot be checked now; try again")
                    .retry_after(5)
            }
            AuthError::Store(error) => error.into(),
        }
    }
}

impl IntoResponse for ApiError {
    /// Leaves the body to [`render`], which knows the request's id.
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// What a client sees of an error, for the description.
#[derive(ToSchema)]
#[expect(dead_code, reason = "described, never made: see `Body`")]
pub(super) struct ErrorBody {
    /// What went wrong.
    error: ErrorDetails,
}

/// What went wrong.
#[derive(ToSchema)]
#[expect(dead_code, reason = "described, never made: see `Details`")]
pub(super) struct ErrorDetails {
    /// For programs; stays as it is.
    code: Code,
    /// For people.
    message: String,
    /// Is also in `X-Request-Id` and in the gateway's log.
    request_id: String,
    /// With `run_active`: the run that answers the thread.
    #[schema(nullable = false)]
    run_id: Option<RunId>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: Details<'a>,
}

#[derive(Serialize)]
struct Details<'a> {
    code: Code,
    message: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<RunId>,
}

/// Gives every error its body, those of the framework too.
pub(super) async fn render(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().cloned().unwrap_or_default();
    let response = next.run(request).await;
    let status = response.status();
    if let Some(error) = response.extensions().get::<ApiError>() {
        return with_body(error, &id, &response);
    }
    let is_bare = (status.is_client_error() || status.is_server_error())
        && !response.headers().get(header::CONTENT_TYPE).is_some_and(is_json);
    if is_bare {
        let code = Code::of_status(status);
        return with_body(&ApiError::new(code, code.default_message()), &id, &response);
    }
    response
}

fn is_json(content_type: &HeaderValue) -> bool {
    content_type.as_bytes().starts_with(b"application/json")
}

fn with_body(error: &ApiError, id: &RequestId, bare: &Response) -> Response {
    metrics::counter!("gateway_http_errors_total", "code" => error.code.label()).increment(1);
    let details = Details {
        code: error.code,
        message: &error.message,
        request_id: id.as_str(),
        run_id: error.run_id,
    };
    let mut response = (bare.status(), Json(Body { error: details })).into_response();
    for (name, value) in bare.headers() {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            response.headers_mut().append(name, value.clone());
        }
    }
    let headers = response.headers_mut();
    if let Some(wait) = error.retry_after {
        headers.insert(header::RETRY_AFTER, wait.as_secs().into());
    }
    if bare.status() == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
