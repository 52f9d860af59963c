//! `/api/chatkit/session`, `/refresh`, `/logout`: from a login of Better Auth to a session token,
//! to its successor, to its end.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::IssuedToken;

use super::{AppState, error::ApiError, extract::OptionalJsonBody, login::bearer_token};

pub(super) type NoStore = [(HeaderName, HeaderValue); 1];
pub(super) const NO_STORE: NoStore =
    [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];

/// What ChatKit's `getClientSecret` needs.
#[derive(Serialize, ToSchema)]
pub(super) struct Session {
    client_secret: String,
    /// Unix seconds.
    expires_at: i64,
    /// Seconds from now.
    expires_in: u64,
}

impl From<IssuedToken> for Session {
    fn from(token: IssuedToken) -> Self {
        Self {
            client_secret: token.token,
            expires_at: token.expires_at,
            expires_in: token.expires_in,
        }
    }
}

/// A session token in the body, for clients that cannot set the header.
#[derive(Deserialize, ToSchema)]
pub(super) struct RefreshRequest {
    client_secret: String,
}

/// A Better Auth JWT for a session token
///
/// What ChatKit calls the client secret. No body.
#[utoipa::path(
    post,
    path = "/api/chatkit/session",
    tag = "Sessions",
    responses((status = 200, body = Session, description = "Not to be cached")),
    security(("better_auth" = [])),
)]
pub(super) async fn create_session(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<(NoStore, Json<Session>), ApiError> {
    let token = bearer_token(&headers)?;
    let issued = state.auth.issue_session(token).await?;
    Ok((NO_STORE, Json(issued.into())))
}

/// An expired or live session token for its successor
///
/// The token goes into the header, or into the body where a client cannot set headers.
#[utoipa::path(
    post,
    path = "/api/chatkit/refresh",
    tag = "Sessions",
    request_body = Option<RefreshRequest>,
    responses((status = 200, body = Session, description = "Not to be cached")),
    security(("session_token" = []), ()),
)]
pub(super) async fn refresh_session(
    State(state): State<AppState>,
    headers: HeaderMap,
    OptionalJsonBody(request): OptionalJsonBody<RefreshRequest>,
) -> Result<(NoStore, Json<Session>), ApiError> {
    let token = match &request {
        Some(request) if !headers.contains_key(header::AUTHORIZATION) => &request.client_secret,
        _ => bearer_token(&headers)?,
    };
    let issued = state.auth.refresh_session(token).await?;
    Ok((NO_STORE, Json(issued.into())))
}

/// Ends the session of a token, an expired one too
#[utoipa::path(
    post,
    path = "/api/chatkit/logout",
    tag = "Sessions",
    responses((status = 204, description = "The session's tokens stop working within 10 s")),
    security(("session_token" = [])),
)]
pub(super) async fn end_session(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let token = bearer_token(&headers)?;
    state.auth.revoke_session(token).await?;
    Ok(StatusCode::NO_CONTENT)
}
