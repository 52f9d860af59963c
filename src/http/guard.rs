//! What no route takes, and what every answer says.

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::Response,
};

use super::error::{ApiError, Code};

/// The methods that some route has, or that stand for one. `TRACE` would send back the caller's
/// headers, its token among them, and `CONNECT` is for proxies.
const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];

/// Said of every answer that does not say something else of itself: that it is what its media type
/// says, and no part of a page of somebody else's.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
];

/// Refuses methods that no route has and bodies that are compressed: a small one may become a large
/// one, so none is unpacked.
pub(super) async fn refuse(request: Request, next: Next) -> Result<Response, ApiError> {
    if !METHODS.contains(request.method()) {
        let message = "the server does not take this method";
        return Err(ApiError::new(Code::MethodNotAllowed, message));
    }
    let mut encodings = request.headers().get_all(header::CONTENT_ENCODING).iter();
    if encodings.any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        let message = "send the body as it is, without Content-Encoding";
        return Err(ApiError::new(Code::UnsupportedMediaType, message));
    }
    Ok(next.run(request).await)
}

/// Adds the headers to an answer. What belongs to a caller is kept by nobody on the way, unless the
/// route says otherwise.
pub(super) async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(value);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
