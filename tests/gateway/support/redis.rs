//! A Redis: the one that all tests share, and what instances say by it.

use futures_util::StreamExt as _;

pub(crate) use super::redis_process::{RedisProcess, ask};

/// Where instances tell each other of Stops and logouts.
const SIGNALS: &str = "chatkit:signals";

/// The Redis that tests share.
pub(crate) fn shared_redis() -> String {
    std::env::var("TEST_REDIS_URL").expect("TEST_REDIS_URL is set")
}

/// Tells all instances something, as if one of them did.
pub(crate) async fn tell(url: &str, signal: &str) {
    ask::<i64>(url, &["PUBLISH", SIGNALS, signal]).await.unwrap();
}

/// What instances tell each other.
pub(crate) struct Signals(redis::aio::PubSub);

impl Signals {
    pub(crate) async fn listen(url: &str) -> Self {
        let mut pubsub = redis::Client::open(url).unwrap().get_async_pubsub().await.unwrap();
        pubsub.subscribe(SIGNALS).await.unwrap();
        Self(pubsub)
    }

    /// Waits until this is told.
    pub(crate) async fn until(&mut self, signal: &str) {
        self.until_one(|told| told == signal).await;
    }

    /// Waits until something is told that is so.
    pub(crate) async fn until_one(&mut self, is_it: impl Fn(&str) -> bool) {
        let mut messages = self.0.on_message();
        while let Some(message) = messages.next().await {
            if is_it(&message.get_payload::<String>().unwrap()) {
                return;
            }
        }
        panic!("the connection closed");
    }
}
