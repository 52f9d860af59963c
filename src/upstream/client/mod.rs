//! The HTTP client of the model's API: connection, credentials, refusals, and the one rule of
//! when a request may be sent again.
//!
//! **The rule.** A request is repeated, at most twice, when no connection could be made, or when
//! the answer was a status that says "later" (408, 409, 429 for the rate, 5xx). Never after a
//! status 200, never after silence, never after a reset: the first request may be running, and
//! each is a bill. (A kept connection that proves dead before the whole request was written to it
//! is no exception, but a failed connection; `transport::http1` has the details.)

mod config;
mod failure;

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::Bytes;
use reqwest::{
    Method, StatusCode, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT},
};
use serde::Serialize;
use tracing::Span;

pub use self::config::{ApiKey, HttpClient, UpstreamConfig, UpstreamConfigError};
use self::failure::{Failure, header};
use super::{
    BoxError, UpstreamError,
    profile::{KeyHeader, Profile},
    provider_error::fit_for_log,
    sse::{EventReader, Limits},
    transport::{Answer, Request, SendError, Transport},
};

/// Longest `X-Client-Request-Id` that OpenAI takes.
const MAX_CLIENT_REQUEST_ID: usize = 512;

/// A client of one API. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct UpstreamClient(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    transport: Transport,
    /// Of every request.
    headers: HeaderMap,
    config: UpstreamConfig,
    profile: Profile,
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
        // No events are wanted of it.
        Self::bare(Method::POST, path).with_header("accept", "application/json")
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
        let profile = config.profile.clone();
        let profile = profile.unwrap_or_else(|| Profile::of_url(&config.base_url));
        let headers = headers(&config, profile.key_header)?;
        let transport = Transport::new(&base_url, &config)?;
        Ok(Self(Arc::new(Shared { transport, headers, config, profile, base_url })))
    }

    /// What the server takes.
    pub(super) fn profile(&self) -> &Profile {
        &self.0.profile
    }

    /// Sends a request, by the rule more than once, until there is a stream of events. Errors are
    /// fit to be logged.
    pub(super) async fn open(&self, call: &Call) -> Result<EventReader, UpstreamError> {
        let mut retries = 0;
        loop {
            let failure = match self.ask(call).await {
                Ok(answer) => return Ok(EventReader::new(answer.body, self.limits())),
                Err(failure) => failure,
            };
            let Some(wait) = failure.wait(retries) else {
                return Err(self.fit_for_log(failure.error));
            };
            retries += 1;
            Span::current().record("http.request.resend_count", retries);
            tracing::debug!(code = failure.error.code(), retries, ?wait, "asking the model again");
            tokio::time::sleep(wait).await;
        }
    }

    /// Sends a request, once, whatever becomes of it.
    pub(super) async fn open_once(&self, call: &Call) -> Result<EventReader, UpstreamError> {
        match self.ask(call).await {
            Ok(answer) => Ok(EventReader::new(answer.body, self.limits())),
            Err(failure) => Err(self.fit_for_log(failure.error)),
        }
    }

    /// Sends a request whose answer says no more than that it was heard.
    pub(super) async fn tell(&self, call: &Call, patience: Duration) -> Result<(), BoxError> {
        let request = self.request(call);
        let answer = tokio::time::timeout(patience, self.0.transport.send(&request)).await?;
        let answer = answer.map_err(|error| match error {
            SendError::Connect { cause, .. } | SendError::Lost(cause) => cause,
        })?;
        if answer.status.is_success() {
            return Ok(());
        }
        Err(format!("status {}", answer.status.as_u16()).into())
    }

    /// Sends a request once. An answer is a stream of events.
    async fn ask(&self, call: &Call) -> Result<Answer, Failure> {
        let request = self.request(call);
        let sending = self.0.transport.send(&request);
        let sent = tokio::time::timeout(self.0.config.first_byte_timeout, sending).await;
        let waited_for = "begin to answer";
        let answer = sent
            .map_err(|_elapsed| Failure::last(UpstreamError::TimedOut { waited_for }))?
            .map_err(Failure::from_send)?;
        let headers = &answer.headers;
        let is_good = answer.status == StatusCode::OK
            && is_event_stream(headers)
            && failure::encoding(headers).is_none();
        self.note(&answer);
        log_answer(&answer, is_good);
        if is_good { Ok(answer) } else { Err(Failure::from_answer(answer).await) }
    }

    /// Notes in the span of the call, where there is one, who answered and how.
    fn note(&self, answer: &Answer) {
        let span = Span::current();
        span.record("server.address", self.0.base_url.host_str());
        span.record("http.response.status_code", answer.status.as_u16());
        span.record("upstream.request_id", header(&answer.headers, "x-request-id"));
    }

    /// Takes out of an error what no log may hold.
    pub(super) fn fit_for_log(&self, error: UpstreamError) -> UpstreamError {
        fit_for_log(error, self.0.config.api_key.as_ref().map(ApiKey::expose))
    }

    fn request(&self, call: &Call) -> Request {
        let mut url = self.0.base_url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(&call.path);
        }
        if let Some(query) = &call.query {
            // Beside what the base URL has, such as Azure's version.
            let query = url.query().map_or_else(|| query.clone(), |had| format!("{had}&{query}"));
            url.set_query(Some(&query));
        }
        let mut headers = self.0.headers.clone();
        headers.extend(call.headers.clone());
        Request { method: call.method.clone(), url, headers, body: call.body.clone() }
    }

    fn limits(&self) -> Limits {
        Limits {
            first_byte: self.0.config.first_byte_timeout,
            idle: self.0.config.idle_timeout,
            event_bytes: self.0.config.max_event_bytes,
            answer_bytes: self.0.config.max_answer_bytes,
        }
    }
}

/// The headers that every request has.
fn headers(
    config: &UpstreamConfig,
    key_header: KeyHeader,
) -> Result<HeaderMap, UpstreamConfigError> {
    let value = |name, text: &str| {
        HeaderValue::from_str(text).map_err(|_| UpstreamConfigError::Header { name })
    };
    let mut headers = HeaderMap::new();
    let product = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(product));
    headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(key) = &config.api_key {
        let (name, text) = match key_header {
            KeyHeader::Bearer => (AUTHORIZATION, format!("Bearer {}", key.expose())),
            KeyHeader::ApiKey => (HeaderName::from_static("api-key"), key.expose().to_owned()),
        };
        let mut key = value("the API key", &text)?;
        key.set_sensitive(true);
        headers.insert(name, key);
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

/// Whether the body is said to be an event stream. Parameters, such as a charset, do not matter.
fn is_event_stream(headers: &HeaderMap) -> bool {
    let content_type = header(headers, "content-type").unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("text/event-stream")
}

/// Notes what a provider needs to find a request in its own logs.
fn log_answer(answer: &Answer, is_good: bool) {
    let status = answer.status.as_u16();
    let request_id = header(&answer.headers, "x-request-id").unwrap_or_default();
    if is_good {
        let processing_ms = header(&answer.headers, "openai-processing-ms").unwrap_or_default();
        tracing::debug!(upstream.request_id = request_id, processing_ms, "the model answers");
    } else {
        tracing::info!(status, upstream.request_id = request_id, "the model refused a request");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::profile::Server;

    fn client(base_url: &str) -> UpstreamClient {
        let config = UpstreamConfig { base_url: base_url.to_owned(), ..UpstreamConfig::default() };
        UpstreamClient::new(config).unwrap()
    }

    fn address(base_url: &str) -> String {
        let call = Call::post(&["chat", "completions"], &(), None).unwrap();
        client(base_url).request(&call).url.to_string()
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
    fn a_key_goes_as_the_server_wants_it_and_a_profile_that_is_named_goes_before_the_address() {
        let key_of = |base_url: &str, profile| {
            let api_key = Some(ApiKey::new("k"));
            let base_url = base_url.to_owned();
            let config = UpstreamConfig { base_url, api_key, profile, ..UpstreamConfig::default() };
            let client = UpstreamClient::new(config).unwrap();
            let headers = client.request(&Call::post(&["responses"], &(), None).unwrap()).headers;
            ["authorization", "api-key"].map(|name| header(&headers, name).map(str::to_owned))
        };
        let bearer = [Some("Bearer k".to_owned()), None];
        let api_key = [None, Some("k".to_owned())];

        assert_eq!(key_of("http://h/v1", None), bearer);
        assert_eq!(key_of("https://r.openai.azure.com/openai/v1", None), api_key);
        assert_eq!(key_of("http://proxy/v1", Some(Profile::of(Server::Azure))), api_key);
        let entra = Profile { key_header: KeyHeader::Bearer, ..Profile::of(Server::Azure) };
        assert_eq!(key_of("https://r.openai.azure.com/openai/v1", Some(entra)), bearer);
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
