//! Refuses what is too much, before anything is spent on it.

use std::net::SocketAddr;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName},
    middleware::Next,
    response::Response,
};

use crate::{
    limits::{ForwardedFor, RequestLimits},
    protocol::UserId,
};

use super::{error::ApiError, observe::is_probe};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The other end of a request's connection; the accept loop puts it into every request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Counts a request with its address: before its token is looked at, which costs, too. Who watches
/// over the gateway is let in always.
pub(super) async fn by_address(
    State(limits): State<RequestLimits>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    // Without one the router was called without a connection.
    if let Some(Peer(peer)) = request.extensions().get()
        && !is_probe(request.uri().path())
    {
        let forwarded = forwarded_for(request.headers());
        let client = limits.client_address(peer.ip(), ForwardedFor(&forwarded));
        limits.admit_address(client).map_err(|too_many| refused("address", too_many))?;
    }
    Ok(next.run(request).await)
}

/// Counts a request with its user. Stands behind the layer that finds out who it is.
pub(super) async fn by_user(
    State(limits): State<RequestLimits>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if let Some(user) = request.extensions().get::<UserId>() {
        limits.admit_user(user).map_err(|too_many| refused("user", too_many))?;
    }
    Ok(next.run(request).await)
}

fn refused(whose: &'static str, too_many: crate::limits::TooMany) -> ApiError {
    metrics::counter!("gateway_requests_refused_total", "limit" => whose).increment(1);
    ApiError::rate_limited(too_many)
}

/// One list, however many headers it came in. What cannot be read as text ends it.
fn forwarded_for(headers: &HeaderMap) -> String {
    let values = headers.get_all(X_FORWARDED_FOR).iter();
    let values: Vec<&str> = values.map(|value| value.to_str().unwrap_or("?")).collect();
    values.join(",")
}
