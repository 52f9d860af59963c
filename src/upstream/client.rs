//! One POST to a model's server: sent, and sent again only while nothing of an answer was used.

use std::time::Duration;

use reqwest::{
    Client, RequestBuilder, Response,
    header::{HeaderMap, HeaderValue},
    redirect,
};
use serde_json::Value;
use tokio::time::timeout;

use super::{
    UpstreamError,
    event_source::{Bounds, EventSource, Refusal},
    failure::{ProviderError, is_worth_a_retry},
};

/// How often a request is sent again at most.
const MAX_RETRIES: u32 = 2;
/// The longest wait that a server's `Retry-After` is obeyed for.
const MAX_WAIT: Duration = Duration::from_secs(20);
/// The first wait of our own, doubled with each retry.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// How much of an error's body is read, and for how long.
const MAX_ERROR_BODY: usize = 64 * 1024;
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// How a model's server is reached.
#[derive(Clone)]
pub struct UpstreamConfig {
    /// Ends in `/v1`.
    pub base_url: String,
    /// Sent as a bearer token.
    pub api_key: Option<String>,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long an answer may take to begin.
    pub first_byte_timeout: Duration,
    /// How long an answer may pause; comments count as a sign of life.
    pub idle_timeout: Duration,
    /// The largest event: image tools send whole pictures.
    pub max_event_bytes: usize,
}

impl UpstreamConfig {
    /// A server without a key, with the default times.
    pub fn new(base_url: &str) -> Self {
        Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            api_key: None,
            connect_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_mins(1),
            idle_timeout: Duration::from_secs(30),
            max_event_bytes: 32 * 1024 * 1024,
        }
    }

    /// Whether it is `OpenAI` itself, which knows members that others refuse.
    pub(super) fn is_openai(&self) -> bool {
        self.base_url.starts_with("https://api.openai.com/")
    }
}

/// A client of a model's server. Cheap to clone.
#[derive(Clone)]
pub struct UpstreamClient {
    http: Client,
    config: UpstreamConfig,
}

impl UpstreamClient {
    /// A client with a connection pool of its own. rustls needs its process-wide provider
    /// installed before.
    ///
    /// # Errors
    ///
    /// When the key holds characters that a header cannot.
    pub fn new(config: UpstreamConfig) -> Result<Self, UpstreamError> {
        let mut headers = HeaderMap::new();
        if let Some(key) = &config.api_key {
            let mut value = HeaderValue::try_from(format!("Bearer {key}"))
                .map_err(|_| invalid("the key holds characters that a header cannot"))?;
            value.set_sensitive(true);
            headers.insert(reqwest::header::AUTHORIZATION, value);
        }
        let http = Client::builder()
            .default_headers(headers)
            .connect_timeout(config.connect_timeout)
            .tcp_nodelay(true)
            .tcp_keepalive(Duration::from_secs(30))
            .pool_idle_timeout(Duration::from_secs(50))
            // A redirected POST would carry the key elsewhere.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|_| invalid("the client cannot be built"))?;
        Ok(Self { http, config })
    }

    /// What the server is known to be.
    pub(super) fn config(&self) -> &UpstreamConfig {
        &self.config
    }

    /// Sends a request and waits until its answer begins. Dropping the future stops all of it.
    pub(super) async fn open(
        &self,
        path: &str,
        body: &Value,
        request_id: Option<&str>,
    ) -> Result<EventSource, UpstreamError> {
        let mut retries = 0;
        loop {
            let failure = match self.try_open(path, body, request_id).await {
                Ok(source) => return Ok(source),
                Err(failure) => failure,
            };
            let wait = failure.retry_in(retries);
            match wait {
                Some(wait) if retries < MAX_RETRIES => {
                    tracing::warn!(
                        error = %failure.error,
                        wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                        "asking the model again",
                    );
                    tokio::time::sleep(wait).await;
                    retries += 1;
                }
                _ => return Err(failure.error),
            }
        }
    }

    async fn try_open(
        &self,
        path: &str,
        body: &Value,
        request_id: Option<&str>,
    ) -> Result<EventSource, Failure> {
        let bounds = Bounds {
            first_byte: self.config.first_byte_timeout,
            idle: self.config.idle_timeout,
            max_event_bytes: self.config.max_event_bytes,
        };
        let request = self.request(path, body, request_id);
        match EventSource::open(request, bounds).await {
            Ok(source) => Ok(source),
            Err(refusal) => Err(self.failure(refusal).await),
        }
    }

    fn request(&self, path: &str, body: &Value, request_id: Option<&str>) -> RequestBuilder {
        let request = self.http.post(format!("{}{path}", self.config.base_url)).json(body);
        match request_id {
            Some(id) => request.header("x-client-request-id", id),
            None => request,
        }
    }

    async fn failure(&self, refusal: Refusal) -> Failure {
        match refusal {
            Refusal::Unreachable(error) => Failure {
                error: UpstreamError::Unreachable(error.into()),
                is_retryable: true,
                wait: None,
            },
            // It may have been answered, and billed.
            Refusal::Broken(error) => Failure::last(UpstreamError::Truncated(Some(error.into()))),
            Refusal::TimedOut => {
                Failure::last(UpstreamError::TimedOut { waited_for: "begin to answer" })
            }
            Refusal::Invalid(reason) => Failure::last(UpstreamError::Unreadable { reason }),
            Refusal::NotEvents(response) => Failure::last(self.not_events(*response).await),
            Refusal::Status(status, response) => {
                let wait = retry_after(response.headers());
                let advice = response.headers().get("x-should-retry").cloned();
                let body = error_body(*response).await;
                let error = ProviderError::read(&body).with_status(
                    status.as_u16(),
                    wait,
                    self.config.api_key.as_deref(),
                );
                let is_retryable = match advice.as_ref().and_then(|value| value.to_str().ok()) {
                    Some("false") => false,
                    _ => is_worth_a_retry(status.as_u16(), &error),
                };
                Failure { error, is_retryable, wait }
            }
        }
    }

    /// Some proxies answer an error with status 200 and JSON.
    async fn not_events(&self, response: Response) -> UpstreamError {
        let body = error_body(response).await;
        if body.get("error").is_some() {
            return ProviderError::read(&body).in_stream();
        }
        UpstreamError::Unreadable { reason: "it is no stream of events".to_owned() }
    }
}

/// A request that failed before anything of an answer was used.
struct Failure {
    error: UpstreamError,
    is_retryable: bool,
    /// What the server asks for.
    wait: Option<Duration>,
}

impl Failure {
    fn last(error: UpstreamError) -> Self {
        Self { error, is_retryable: false, wait: None }
    }

    /// How long to wait before the next try, if there is to be one.
    fn retry_in(&self, retries: u32) -> Option<Duration> {
        if !self.is_retryable {
            return None;
        }
        match self.wait {
            Some(wait) if wait > MAX_WAIT => None,
            Some(wait) => Some(wait),
            None => {
                let wait = FIRST_WAIT * 2_u32.pow(retries);
                Some(wait.mul_f64(1.0 - 0.25 * fastrand::f64()))
            }
        }
    }
}

fn invalid(reason: &str) -> UpstreamError {
    UpstreamError::Unreadable { reason: reason.to_owned() }
}

/// `retry-after-ms`, or `retry-after` in seconds, which some write with a fraction.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let seconds = number("retry-after-ms").map(|ms| ms / 1_000.0).or_else(|| number("retry-after"));
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

/// A body that explains an error; `null` when it does not.
async fn error_body(mut response: Response) -> Value {
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ERROR_BODY {
                break;
            }
        }
    };
    let _ = timeout(ERROR_BODY_TIMEOUT, read).await;
    serde_json::from_slice(&body).unwrap_or(Value::Null)
}
