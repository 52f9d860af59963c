//! An agent in another process: one POST, signed, answered with Server-Sent Events.

use std::{pin::Pin, sync::Arc};

use async_stream::try_stream;
use aws_lc_rs::hmac;
use futures_util::Stream;
use serde::Serialize;

use crate::protocol::Timestamp;

use super::{
    UpstreamError,
    answer::counted,
    client::{Call, UpstreamClient, UpstreamConfig, UpstreamConfigError},
};

/// When the request was signed, in seconds since 1970.
pub const TIMESTAMP: &str = "chatkit-gateway-timestamp";
/// `v1=` and the HMAC-SHA256 in hexadecimal digits of timestamp, full stop and body.
pub const SIGNATURE: &str = "chatkit-gateway-signature";

/// What ends an answer whose connection is closed behind it.
const DONE: &str = "[DONE]";

/// The data of an agent's events. Dropping it closes the connection.
pub(crate) type ServiceStream = Pin<Box<dyn Stream<Item = Result<String, UpstreamError>> + Send>>;

/// Where an agent is. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AgentService {
    client: UpstreamClient,
    key: Option<Arc<hmac::Key>>,
}

impl AgentService {
    /// The agent at the address of this configuration, with the secret that requests are signed
    /// with. Sends nothing.
    pub fn new(config: UpstreamConfig, secret: Option<&[u8]>) -> Result<Self, UpstreamConfigError> {
        let key = secret.map(|secret| Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret)));
        Ok(Self { client: UpstreamClient::new(config)?, key })
    }

    /// Posts a request at the first poll, once and never again, and answers the data of its events.
    /// An answer that breaks off is an error.
    pub(crate) fn ask(&self, request: &impl Serialize, request_id: &str) -> ServiceStream {
        let call = self.call(request, request_id);
        let client = self.client.clone();
        Box::pin(try_stream! {
            let mut reader = client.open_once(&call?).await.map_err(counted)?;
            loop {
                let data = reader.next_data().await.map_err(|error| {
                    counted(client.fit_for_log(error))
                })?;
                match data {
                    Some(data) if data == DONE => break,
                    Some(data) => yield data,
                    None => break,
                }
            }
            reader.close();
        })
    }

    fn call(&self, request: &impl Serialize, request_id: &str) -> Result<Call, UpstreamError> {
        let call = Call::post(&[], request, Some(request_id))?;
        let Some(key) = &self.key else { return Ok(call) };
        let timestamp = Timestamp::now().as_seconds().to_string();
        let signature = sign(key, &timestamp, call.body());
        Ok(call.with_header(TIMESTAMP, &timestamp).with_header(SIGNATURE, &signature))
    }
}

fn sign(key: &hmac::Key, timestamp: &str, body: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut context = hmac::Context::with_key(key);
    context.update(timestamp.as_bytes());
    context.update(b".");
    context.update(body);
    context.sign().as_ref().iter().fold("v1=".to_owned(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by `printf 1700000000.{} | openssl dgst -sha256 -hmac secret`.
    #[test]
    fn a_signature_is_what_others_compute() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");

        let signature = sign(&key, "1700000000", b"{}");

        assert_eq!(
            signature,
            "v1=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163"
        );
    }
}
