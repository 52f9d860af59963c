//! What a request brings, bounded in size and time.

use std::time::Duration;

use axum::{
    body::{Bytes, to_bytes},
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, header, request::Parts},
};
use serde::de::DeserializeOwned;

use super::{
    error::{ApiError, Code},
    unique_members,
};

/// The largest body.
const MAX_BODY: usize = 1024 * 1024;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest reason why a body is refused, in bytes: some lines on a screen.
const MAX_REASON: usize = 300;

/// The bytes of a JSON body: of the right media type, at most 1 MiB, within 10 s. That it is not encoded
/// is seen to for all routes, in `guard`.
pub(super) struct JsonBytes(pub(super) Bytes);

impl JsonBytes {
    /// Reads them as a value. What is wrong with them is told, in few words: an error may quote what
    /// they say, which may be long.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        let value = serde_json::from_slice(&self.0);
        let value = value.and_then(|value| unique_members::check(&self.0).map(|()| value));
        value.map_err(|error| {
            let mut reason = error.to_string();
            if reason.len() > MAX_REASON {
                reason.truncate(reason.floor_char_boundary(MAX_REASON));
                reason.push('…');
            }
            ApiError::invalid(format!("the body cannot be read: {reason}"))
        })
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonBytes {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        check_media_type(request.headers())?;
        read_body(request).await.map(Self)
    }
}

/// A JSON body as a value.
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        JsonBytes::from_request(request, state).await?.parse().map(Self)
    }
}

/// A JSON body, or none at all: nothing, or `null`.
pub(super) struct OptionalJsonBody<T>(pub(super) Option<T>);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for OptionalJsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let headers = request.headers().clone();
        let body = read_body(request).await?;
        if body.is_empty() {
            return Ok(Self(None));
        }
        check_media_type(&headers)?;
        JsonBytes(body).parse().map(Self)
    }
}

async fn read_body(request: Request) -> Result<Bytes, ApiError> {
    let too_large = || ApiError::new(Code::PayloadTooLarge, "the body is larger than 1 MiB");
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > MAX_BODY) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIMEOUT, to_bytes(request.into_body(), MAX_BODY)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) if is_length_limit(&error) => Err(too_large()),
        Ok(Err(_)) => Err(ApiError::invalid("the body broke off")),
        Err(_) => Err(ApiError::new(Code::RequestTimeout, "the body did not arrive in time")),
    }
}

fn is_length_limit(error: &axum::Error) -> bool {
    let source = std::error::Error::source(error);
    source.is_some_and(<dyn std::error::Error>::is::<http_body_util::LengthLimitError>)
}

pub(super) fn check_media_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let refused = || ApiError::new(Code::UnsupportedMediaType, "send the body as application/json");
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|value| value.split(';').next()).map(str::trim);
    let is_json = media_type.is_some_and(|value| value.eq_ignore_ascii_case("application/json"));
    if is_json { Ok(()) } else { Err(refused()) }
}

/// The query of a request.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(ApiError::invalid(format!(
                "the query cannot be read: {}",
                rejection.body_text()
            ))),
        }
    }
}
