//! What an operator says about the model's API.

use std::{fmt, time::Duration};

use crate::upstream::profile::Profile;

/// Where the model's API is and how long to wait for it.
#[derive(Clone, Debug)]
pub struct UpstreamConfig {
    /// Mostly ends in `/v1`; a trailing slash is tolerated, a query (Azure's `api-version`) kept.
    pub base_url: String,
    /// Sent as the profile says. Local servers need none.
    pub api_key: Option<ApiKey>,
    /// `OpenAI-Organization`.
    pub organization: Option<String>,
    /// `OpenAI-Project`.
    pub project: Option<String>,
    /// For name, connection and TLS together.
    pub connect_timeout: Duration,
    /// From the request to the head of the answer, and again to its first event.
    pub first_byte_timeout: Duration,
    /// From byte to byte after the first event. Comments count as signs of life.
    pub idle_timeout: Duration,
    /// Longest data of one event. Image tools send events of many megabytes.
    pub max_event_bytes: usize,
    /// Longest data of all events of an answer.
    pub max_answer_bytes: usize,
    /// What the server takes; what can be told from its address, where nothing is said.
    pub profile: Option<Profile>,
    /// By which HTTP client.
    pub http_client: HttpClient,
}

/// Which HTTP client asks the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpClient {
    /// Connections of our own, HTTP/1.1, made for streams of small events; `reqwest` where the
    /// environment names a proxy for the address, or the address holds a password.
    #[default]
    Direct,
    /// Always `reqwest`: the way out should a server not get on with the other.
    Reqwest,
}

impl UpstreamConfig {
    /// The address of OpenAI's own API.
    pub const OPENAI: &'static str = "https://api.openai.com/v1";
}

impl Default for UpstreamConfig {
    fn default() -> Self {
        Self {
            base_url: Self::OPENAI.to_owned(),
            api_key: None,
            organization: None,
            project: None,
            connect_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_mins(1),
            idle_timeout: Duration::from_secs(30),
            max_event_bytes: 32 << 20,
            max_answer_bytes: 256 << 20,
            profile: None,
            http_client: HttpClient::default(),
        }
    }
}

/// The secret of an account. Printed as `[key]`.
#[derive(Clone)]
pub struct ApiKey(String);

impl ApiKey {
    /// A key as the provider gave it.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}

/// Why no client can be made of a configuration.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamConfigError {
    /// Not an absolute `http:` or `https:` address.
    #[error("the model's base URL is no http address")]
    BaseUrl,
    /// Not fit for an HTTP header: often a line break at its end.
    #[error("{name} has characters that no HTTP header may have")]
    Header {
        /// What it is.
        name: &'static str,
    },
    /// No TLS: mostly a matter of root certificates.
    #[error("the model's HTTP client cannot be set up")]
    Setup(#[source] crate::upstream::BoxError),
}
