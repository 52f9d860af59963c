//! Why a server cannot be spoken with: found in what rmcp reports, and said without its addresses,
//! which may hold a key.

use std::error::Error;

use rmcp::{
    service::ClientInitializeError, transport::streamable_http_client::StreamableHttpError,
};

/// How much of it is logged, in characters: servers may write it.
const MAX_LEN: usize = 300;

type Cause = dyn Error + 'static;
type HttpError = StreamableHttpError<rmcp_reqwest::Error>;

/// The cause in a few words for the log: the innermost, since those around it repeat it, and name
/// addresses.
pub(super) fn reason(error: &Cause) -> String {
    let mut innermost = error;
    for cause in causes(error) {
        innermost = cause;
    }
    let http = innermost.downcast_ref::<rmcp_reqwest::Error>();
    let text = match http.map(|http| (http, http.status())) {
        Some((_, Some(status))) => format!("HTTP status {status}"),
        Some((http, None)) if http.is_timeout() => "the connection takes too long".to_owned(),
        Some(_) => "the HTTP request failed".to_owned(),
        None => innermost.to_string(),
    };
    text.chars().take(MAX_LEN).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Whether nobody was reached at all.
pub(super) fn is_unreachable(error: &Cause) -> bool {
    causes(error).any(|cause| {
        let http = cause.downcast_ref::<rmcp_reqwest::Error>();
        http.is_some_and(|http| http.is_connect() || http.is_timeout())
    })
}

/// Whether an answer over HTTP was longer than our bound.
pub(super) fn is_too_long(error: &Cause) -> bool {
    causes(error).any(|cause| {
        matches!(
            cause.downcast_ref::<HttpError>(),
            Some(StreamableHttpError::ResponseBodyTooLarge { .. })
        ) || cause.to_string().contains("exceeded the maximum size")
    })
}

/// An error and its causes, from the outermost on.
fn causes(error: &Cause) -> impl Iterator<Item = &Cause> {
    std::iter::successors(Some(error), |error| within(*error))
}

/// What stands behind an error; some of rmcp's do not name it as their source.
fn within(error: &Cause) -> Option<&Cause> {
    match error.downcast_ref::<ClientInitializeError>() {
        Some(ClientInitializeError::TransportError { error, .. }) => {
            return Some(error.error.as_ref());
        }
        Some(ClientInitializeError::LegacyFallbackFailed { fallback, .. }) => {
            return Some(fallback.as_ref());
        }
        _ => {}
    }
    if let Some(StreamableHttpError::Client(error)) = error.downcast_ref::<HttpError>() {
        return Some(error);
    }
    error.source()
}

#[cfg(test)]
mod tests {
    use rmcp::transport::StreamableHttpClientTransport;

    use super::*;

    /// What a client reports of an address at which nobody is.
    async fn nobody_there() -> ClientInitializeError {
        let client = rmcp_reqwest::Client::builder().no_proxy().build().unwrap();
        let url = "http://127.0.0.1:9/mcp?key=hunter2";
        let error = client.post(url).send().await.unwrap_err();
        assert!(error.to_string().contains("hunter2"), "the library names the address");
        ClientInitializeError::transport::<StreamableHttpClientTransport<rmcp_reqwest::Client>>(
            StreamableHttpError::Client(error),
            "send discover request",
        )
    }

    #[tokio::test]
    async fn the_reason_is_the_innermost_and_names_no_address() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();

        let error = nobody_there().await;

        let reason = reason(&error);
        assert!(reason.contains("refused"), "{reason}");
        assert!(is_unreachable(&error));
        assert!(!is_too_long(&error));
    }

    #[test]
    fn a_long_reason_is_cut_to_a_line() {
        let error = std::io::Error::other("a\n".repeat(1_000));

        let reason = reason(&error);

        assert_eq!(reason.len(), MAX_LEN);
        assert!(!reason.contains('\n'));
    }
}
