//! Who is calling. A route needs a caller unless it stands in the router's short list of those
//! that do not; the handler finds it in the request.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::Response,
};

use crate::{
    auth::{Caller, bearer},
    protocol::{Claims, UserId},
};

use super::{AppState, error::ApiError};

/// The caller of a request that passed [`require_session`] or [`require_login`].
#[derive(Clone, Debug)]
pub(super) struct CallerUser(pub(super) UserId);

impl<S: Send + Sync> FromRequestParts<S> for CallerUser {
    type Rejection = ApiError;

    /// Without the layer in front this refuses: a route left out of it lets nobody in.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<UserId>().cloned().map(Self).ok_or_else(ApiError::unauthorized)
    }
}

/// What an agent may know of the caller of such a request.
#[derive(Clone, Debug, Default)]
pub(super) struct CallerClaims(pub(super) Claims);

impl<S: Send + Sync> FromRequestParts<S> for CallerClaims {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

fn admit(request: &mut Request, caller: Caller) {
    let extensions = request.extensions_mut();
    extensions.insert(caller.user_id);
    if !caller.claims.is_empty() {
        extensions.insert(CallerClaims(caller.claims));
    }
}

/// Lets in who has a session token.
pub(super) async fn require_session(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let token = bearer_token(request.headers())?;
    let caller = state.auth.authenticate_session(token)?;
    admit(&mut request, caller);
    Ok(next.run(request).await)
}

/// Lets in who has a session token or a login of Better Auth.
pub(super) async fn require_login(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let token: Arc<str> = bearer_token(request.headers())?.into();
    let caller = state.auth.authenticate_any(&token).await?;
    admit(&mut request, caller);
    Ok(next.run(request).await)
}

/// The token of a request.
pub(super) fn bearer_token(headers: &HeaderMap) -> Result<&str, ApiError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(ApiError::unauthorized());
    };
    let value = value.to_str().map_err(|_| ApiError::unauthorized())?;
    bearer(value).ok_or_else(ApiError::unauthorized)
}
