//! From a request to the head and the body of its answer: sent once.
//!
//! Two implementations stand behind [`Body`]: HTTP/1.1 of our own ([`http1`]), which is cheap on
//! streams of small events, and `reqwest`, which knows proxies.

mod http1;
mod reqwest;

#[cfg(any(test, fuzzing))]
pub(crate) use self::http1::property::http1_answer;

use std::{
    fmt,
    task::{Context, Poll},
    time::Duration,
};

use ::reqwest::{Method, StatusCode, Url, header::HeaderMap};
use bytes::Bytes;
use hyper_util::client::proxy::matcher::Matcher;

use super::{
    BoxError, UpstreamError,
    client::{HttpClient, UpstreamConfig, UpstreamConfigError},
};

/// Below the idle time-out of common load balancers (60 s), so that we close first.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// A GET or a POST.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    /// All but `host` and `content-length`.
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The head of an answer, and what is to be read of it.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Box<dyn Body>,
}

/// The body of an answer. Dropping it before its end closes the connection.
pub(super) trait Body: Send {
    /// Waits for bytes and gives all that have come to `take`, in any number of pieces. After the
    /// end or an error it must not be polled again. Cancel safe.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        take: &mut dyn FnMut(&[u8]),
    ) -> Poll<Result<Progress, BodyError>>;

    /// Nothing more of it is wanted, since the answer is whole. Its connection may be kept for the
    /// next request if the end of the body comes at once; else it is closed.
    fn finish(self: Box<Self>);
}

/// How far a body has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There were bytes, and may be more.
    Some,
    /// It was whole.
    End,
}

/// A body broke off.
#[derive(Debug)]
pub(super) struct BodyError(BoxError);

impl From<BodyError> for UpstreamError {
    fn from(BodyError(cause): BodyError) -> Self {
        Self::Truncated(Some(cause))
    }
}

/// Why there is no answer. What is said holds neither address nor key.
pub(super) enum SendError {
    /// No connection: nothing was sent.
    Connect {
        /// Whether it took too long.
        is_timeout: bool,
        cause: BoxError,
    },
    /// The request was sent, at least in part; what became of it is unknown.
    Lost(BoxError),
}

/// Sends requests to one server. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub(super) enum Transport {
    Http1(http1::Client),
    Reqwest(::reqwest::Client),
}

impl Transport {
    /// For the server of this address.
    pub(super) fn new(url: &Url, config: &UpstreamConfig) -> Result<Self, UpstreamConfigError> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Both would panic without one. A race is harmless: both install the same.
            let _raced = rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        if config.http_client == HttpClient::Direct && !needs_reqwest(url) {
            return http1::Client::new(url, config.connect_timeout).map(Self::Http1);
        }
        reqwest::client(config.connect_timeout)
            .map(Self::Reqwest)
            .map_err(|error| UpstreamConfigError::Setup(Box::new(error)))
    }

    /// Sends a request, once, and waits for the head of its answer.
    pub(super) async fn send(&self, request: &Request) -> Result<Answer, SendError> {
        match self {
            Self::Http1(client) => client.send(request).await,
            Self::Reqwest(client) => reqwest::send(client, request).await,
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http1(_) => "Http1",
            Self::Reqwest(_) => "Reqwest",
        })
    }
}

/// Whether the environment names a proxy for this address (`HTTPS_PROXY`, `HTTP_PROXY`,
/// `ALL_PROXY`, `NO_PROXY`), by the very code that `reqwest` asks; or whether the address holds a
/// name and a password, which `reqwest` makes a header of.
fn needs_reqwest(url: &Url) -> bool {
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    let uri = url.as_str().parse();
    let is_proxied = uri.is_ok_and(|uri| Matcher::from_env().intercept(&uri).is_some());
    has_credentials || is_proxied
}
