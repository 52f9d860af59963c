//! Stub until its helper lands.
use std::time::Duration;
#[derive(Clone)]
pub struct UpstreamClient(pub(super) reqwest::Client, pub(super) String);
pub struct UpstreamConfig { pub base: String, pub api_key: Option<String>, pub first_byte_timeout: Duration, pub idle_timeout: Duration }
impl UpstreamConfig { pub fn new(b: &str) -> Self { Self { base: b.to_owned(), api_key: None, first_byte_timeout: Duration::ZERO, idle_timeout: Duration::ZERO } } }
impl UpstreamClient { pub fn new(c: UpstreamConfig) -> anyhow::Result<Self> { Ok(Self(reqwest::Client::builder().tcp_nodelay(true).build()?, c.base)) } }
