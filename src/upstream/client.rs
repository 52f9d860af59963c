//! Stub until its helper lands.
use std::time::Duration;
pub struct UpstreamClient;
pub struct UpstreamConfig {
    pub api_key: Option<String>,
    pub first_byte_timeout: Duration,
    pub idle_timeout: Duration,
}
impl UpstreamConfig {
    pub fn new(_b: &str) -> Self {
        Self { api_key: None, first_byte_timeout: Duration::ZERO, idle_timeout: Duration::ZERO }
    }
}
impl UpstreamClient {
    pub fn new(_c: UpstreamConfig) -> anyhow::Result<Self> {
        Ok(Self)
    }
}
