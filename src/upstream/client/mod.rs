//! The HTTP client of the model's API: connection, credentials, refusals, and the one rule of
//! when a request may be sent again.
//!
//! **The rule.** A request is repeated, at most twice, when no connection could be made, or when
//! the answer was a status that says "later" (408, 409, 429 for the rate, 5xx). Never after a
//! status 200, never after silence, never after a reset: the first request may be running, and
//! each is a bill.

mod config;
mod failure;

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::Bytes;
use reqwest::{
    Method, RequestBuilder, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    redirect,
};
use serde::Serialize;

pub use self::config::{ApiKey, UpstreamConfig, UpstreamConfigError};
use self::failure::Failure;
use super::{
    BoxError, UpstreamError,
    event_source::{EventReader, Limits, OpenError},
    provider_error::fit_for_log,
};

/// Below the idle time-out of common load balancers (60 s), so that we close first.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(50);
/// Finds dead peers behind NAT, whose tables forget after minutes.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);
/// Longest `X-Client-Request-Id` that OpenAI takes.
const MAX_CLIENT_REQUEST_ID: usize = 512;

/// A client of one API. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct UpstreamClient {
    http: reqwest::Client,
    config: Arc<UpstreamConfig>,
    base_url: Url,
}

/// A request, ready to be sent as often as the rule allows.
#[derive(Clone)]
pub(super) struct Call {
    method: Method,
    path: Vec<Cow<'static, str>>,
    query: Option<String>,
    body: Bytes,
    headers: HeaderMap,
}

impl Call {
    /// A GET of a path below the base URL.
    pub(super) fn get(path: impl Into<Vec<Cow<'static, str>>>, query: String) -> Self {
        Self { query: Some(query), ..Self::bare(Method::GET, path) }
    }

    /// A POST without a body to a path below the base URL.
    pub(super) fn bare_post(path: impl Into<Vec<Cow<'static, str>>>) -> Self {
        Self::bare(Method::POST, path)
    }

    fn bare(method: Method, path: impl Into<Vec<Cow<'static, str>>>) -> Self {
        Self {
            method,
            path: path.into(),
            query: None,
            body: Bytes::new(),
            headers: HeaderMap::new(),
        }
    }

    /// A POST with a JSON body to a path below the base URL.
    pub(super) fn post(
        path: &[&'static str],
        body: &impl Serialize,
        client_request_id: Option<&str>,
    ) -> Result<Self, UpstreamError> {
        let body = serde_json::to_vec(body)
            .map(Bytes::from)
            .map_err(|error| UpstreamError::unreadable(format!("no request body: {error}")))?;
        let path: Vec<_> = path.iter().map(|part| Cow::Borrowed(*part)).collect();
        let call = Self { body, ..Self::bare(Method::POST, path) };
        // Only for finding things in logs: an id that cannot be sent is left out.
        let id = client_request_id.filter(|id| id.len() <= MAX_CLIENT_REQUEST_ID && id.is_ascii());
        Ok(match id {
            Some(id) => call.with_header("x-client-request-id", id),
            None => call,
        })
    }

    /// With one more header; one that cannot be sent is left out.
    #[must_use]
    pub(super) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }
}

impl UpstreamClient {
    /// A client for this configuration. Sends nothing.
    pub fn new(config: UpstreamConfig) -> Result<Self, UpstreamConfigError> {
        let base_url = Url::parse(config.base_url.trim())
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or(UpstreamConfigError::BaseUrl)?;
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // reqwest panics without one. A race is harmless: both install the same.
            let _raced = rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        let http = reqwest::Client::builder()
            .default_headers(headers(&config)?)
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry key and conversation to another place.
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(config.connect_timeout)
            .tcp_nodelay(true)
            .tcp_keepalive(TCP_KEEPALIVE)
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            // Closing the connection is how a model is stopped: one request, one connection.
            .http1_only()
            .build()
            .map_err(|error| UpstreamConfigError::Setup(Box::new(error)))?;
        Ok(Self { http, config: Arc::new(config), base_url })
    }

    /// Whether this is OpenAI's own API, which takes members that others do not know.
    pub(super) fn is_openai(&self) -> bool {
        let host = self.base_url.host_str().unwrap_or_default();
        host == "api.openai.com" || host.ends_with(".api.openai.com")
    }

    /// Sends a request, by the rule more than once, until there is a stream of events. Errors are
    /// fit to be logged.
    pub(super) async fn open(&self, call: &Call) -> Result<EventReader, UpstreamError> {
        let mut retries = 0;
        loop {
            let failure = match EventReader::open(self.request(call), self.limits()).await {
                Ok(reader) => return Ok(reader),
                Err(error) => {
                    log_answer(&error);
                    Failure::from_open(error).await
                }
            };
            let Some(wait) = failure.wait(retries) else {
                return Err(self.fit_for_log(failure.error));
            };
            retries += 1;
            tracing::debug!(code = failure.error.code(), retries, ?wait, "asking the model again");
            tokio::time::sleep(wait).await;
        }
    }

    /// Sends a request, once, whatever becomes of it.
    pub(super) async fn open_once(&self, call: &Call) -> Result<EventReader, UpstreamError> {
        match EventReader::open(self.request(call), self.limits()).await {
            Ok(reader) => Ok(reader),
            Err(error) => {
                log_answer(&error);
                Err(self.fit_for_log(Failure::from_open(error).await.error))
            }
        }
    }

    /// Takes out of an error what no log may hold.
    pub(super) fn fit_for_log(&self, error: UpstreamError) -> UpstreamError {
        fit_for_log(error, self.config.api_key.as_ref().map(ApiKey::expose))
    }

    /// Sends a request whose answer says no more than that it was heard.
    pub(super) async fn tell(&self, call: &Call, patience: Duration) -> Result<(), BoxError> {
        let answer = self.request(call).timeout(patience).send().await;
        let answer = answer.map_err(reqwest::Error::without_url)?;
        answer.error_for_status().map_err(reqwest::Error::without_url)?;
        Ok(())
    }

    fn request(&self, call: &Call) -> RequestBuilder {
        let mut url = self.base_url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(&call.path);
        }
        if let Some(query) = &call.query {
            // Beside what the base URL has, such as Azure's version.
            let query = url.query().map_or_else(|| query.clone(), |had| format!("{had}&{query}"));
            url.set_query(Some(&query));
        }
        self.http
            .request(call.method.clone(), url)
            .headers(call.headers.clone())
            .body(call.body.clone())
    }

    fn limits(&self) -> Limits {
        Limits {
            first_byte: self.config.first_byte_timeout,
            idle: self.config.idle_timeout,
            event_bytes: self.config.max_event_bytes,
            answer_bytes: self.config.max_answer_bytes,
        }
    }
}

/// The headers that every request has.
fn headers(config: &UpstreamConfig) -> Result<HeaderMap, UpstreamConfigError> {
    let value = |name, text: &str| {
        HeaderValue::from_str(text).map_err(|_| UpstreamConfigError::Header { name })
    };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(key) = &config.api_key {
        let mut bearer = value("the API key", &format!("Bearer {}", key.expose()))?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
    }
    if let Some(organization) = &config.organization {
        let name = HeaderName::from_static("openai-organization");
        headers.insert(name, value("the organization", organization)?);
    }
    if let Some(project) = &config.project {
        let name = HeaderName::from_static("openai-project");
        headers.insert(name, value("the project", project)?);
    }
    Ok(headers)
}

/// Notes what a provider needs to find a refused request in its own logs.
fn log_answer(error: &OpenError) {
    if let OpenError::Status(answer) | OpenError::NotEvents(answer) = error {
        let request_id = failure::header(answer.headers(), "x-request-id").unwrap_or_default();
        tracing::info!(
            status = answer.status().as_u16(),
            upstream.request_id = request_id,
            "the model refused a request"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(base_url: &str) -> UpstreamClient {
        let config = UpstreamConfig { base_url: base_url.to_owned(), ..UpstreamConfig::default() };
        UpstreamClient::new(config).unwrap()
    }

    fn address(base_url: &str) -> String {
        let call = Call::post(&["chat", "completions"], &(), None).unwrap();
        client(base_url).request(&call).build().unwrap().url().to_string()
    }

    #[test]
    fn paths_are_joined_with_and_without_a_trailing_slash() {
        assert_eq!(address("http://h/v1"), "http://h/v1/chat/completions");
        assert_eq!(address("http://h/v1/"), "http://h/v1/chat/completions");
        assert_eq!(address("http://h"), "http://h/chat/completions");
        assert_eq!(
            address("http://h/v1?api-version=1"),
            "http://h/v1/chat/completions?api-version=1"
        );
    }

    #[test]
    fn only_openais_own_hosts_count_as_openai() {
        assert!(client(UpstreamConfig::OPENAI).is_openai());
        assert!(client("https://eu.api.openai.com/v1").is_openai());
        assert!(!client("https://api.openai.com.example.org/v1").is_openai());
        assert!(!client("http://localhost:8080/v1").is_openai());
    }

    #[test]
    fn a_client_does_not_print_its_key() {
        let config =
            UpstreamConfig { api_key: Some(ApiKey::new("sk-abc")), ..UpstreamConfig::default() };

        let printed = format!("{:?}", UpstreamClient::new(config).unwrap());

        assert!(!printed.contains("sk-abc"), "{printed}");
    }

    #[test]
    fn a_broken_configuration_is_told_at_once() {
        let with = |base_url: &str, key: &str| {
            UpstreamClient::new(UpstreamConfig {
                base_url: base_url.to_owned(),
                api_key: Some(ApiKey::new(key)),
                ..UpstreamConfig::default()
            })
        };
        assert!(matches!(with("localhost:1/v1", "k"), Err(UpstreamConfigError::BaseUrl)));
        assert!(matches!(with("file:///v1", "k"), Err(UpstreamConfigError::BaseUrl)));
        assert!(matches!(with("http://h/v1", "k\n"), Err(UpstreamConfigError::Header { .. })));
    }
}
