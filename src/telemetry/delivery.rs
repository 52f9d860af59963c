//! The HTTP client that spans are sent with: the one that the process has anyhow, on a runtime of
//! its own, which only the thread that sends uses. So a collector that hangs, fails or answers
//! nonsense costs the gateway's own runtime nothing.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use reqwest::redirect;
use tokio::runtime::{Builder, Runtime};

/// How long a collector may take for one batch, which is the standard's default.
const TIMEOUT: Duration = Duration::from_secs(10);
/// As much of an answer as is read: a good one has a few bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// Sends batches of spans.
#[derive(Debug)]
pub(super) struct Delivery {
    client: reqwest::Client,
    runtime: Runtime,
    /// The last batch was not taken. That is said once, and once that it is over.
    is_failing: AtomicBool,
}

impl Delivery {
    pub(super) fn new() -> Result<Self, HttpError> {
        // Fails when it is installed already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            // The headers may hold a key, which is for this address alone.
            .redirect(redirect::Policy::none())
            .build()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { client, runtime, is_failing: AtomicBool::new(false) })
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let mut answer = self.client.execute(request.try_into()?).await?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err("the answer is too long".into());
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }

    fn note(&self, failure: Option<&str>) {
        let was_failing = self.is_failing.swap(failure.is_some(), Ordering::Relaxed);
        match failure {
            Some(failure) if !was_failing => {
                tracing::warn!(error = failure, "spans are not taken: they are dropped for now");
            }
            None if was_failing => tracing::info!("spans are taken again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for Delivery {
    /// Blocks its thread, which is the exporter's own.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = self.runtime.block_on(self.send(request));
        match &sent {
            Ok(answer) if answer.status().is_success() => self.note(None),
            Ok(answer) => self.note(Some(answer.status().as_str())),
            Err(error) => self.note(Some(&told(&**error))),
        }
        sent
    }
}

/// An error without the address, which may hold a password.
fn told(error: &(dyn std::error::Error + Send + Sync + 'static)) -> String {
    match error.downcast_ref::<reqwest::Error>() {
        Some(error) if error.is_timeout() => "no answer in time".to_owned(),
        Some(error) if error.is_connect() => "no connection".to_owned(),
        Some(_) => "the request failed".to_owned(),
        None => error.to_string(),
    }
}
