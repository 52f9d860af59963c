//! By HTTP/1.1 of our own, over TCP or TLS, without a proxy.
//!
//! It does what a stream of small events needs and a general client does not do: all that has
//! come is handed over at once, in place, from a buffer that is the thread's, so that a stream
//! that waits holds none, and no task and no channel stands between socket and parser.
//!
//! **When a request is sent again.** Never, but for one case: the connection was kept from an
//! earlier request, and it was found dead before the request was wholly handed to the kernel. The
//! server then has no whole request, and it is sent anew on a fresh connection. If it was wholly
//! sent and the connection ends without an answer, it may be running: that is the caller's loss,
//! as it is on a fresh connection. To make that rare, a kept connection is looked at before it is
//! used, is kept no longer than its server says, and the one used last is used first.

mod body;
mod connect;
mod decoder;
mod exchange;
mod head;
mod pool;
#[cfg(any(test, fuzzing))]
pub(super) mod property;
mod socket;

#[cfg(test)]
mod tests;

use std::{future::Future, pin::Pin, time::Duration};

use bytes::Buf;
use reqwest::Url;

use self::{
    body::Http1Body,
    connect::Connector,
    exchange::{ExchangeError, exchange},
    pool::Pool,
    socket::Socket,
};
use super::{Answer, POOL_IDLE_TIMEOUT, Request, SendError};
use crate::upstream::client::UpstreamConfigError;

/// A client of one server. Clones share its connections.
#[derive(Clone)]
pub(in crate::upstream) struct Client {
    connector: Connector,
    pool: Pool,
}

/// Boxed, since it is large and lives only until the answer begins.
pub(super) type Sending<'a> = Pin<Box<dyn Future<Output = Result<Answer, SendError>> + Send + 'a>>;

impl Client {
    /// For the server of this address.
    pub(super) fn new(url: &Url, connect_timeout: Duration) -> Result<Self, UpstreamConfigError> {
        Ok(Self::with(Connector::new(url, connect_timeout)?))
    }

    fn with(connector: Connector) -> Self {
        Self { connector, pool: Pool::default() }
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) fn send<'a>(&'a self, request: &'a Request) -> Sending<'a> {
        Box::pin(async move {
            let head = head::request_head(request);
            let message = || head.as_slice().chain(request.body.clone());
            if let Some(socket) = self.pool.take() {
                match self.send_on(socket, message()).await {
                    Err(ExchangeError { is_unsent: true, .. }) => {}
                    Err(error) => return Err(SendError::Lost(error.cause)),
                    Ok(answer) => return Ok(answer),
                }
            }
            let socket = self.connector.connect().await?;
            let sent = self.send_on(socket, message()).await;
            sent.map_err(|error| SendError::Lost(error.cause))
        })
    }

    async fn send_on(
        &self,
        mut socket: Socket,
        message: impl Buf + Send,
    ) -> Result<Answer, ExchangeError> {
        let mut answer = exchange(&mut socket, message, POOL_IDLE_TIMEOUT).await?;
        let (status, headers) = (answer.head.status, std::mem::take(&mut answer.head.headers));
        let body = Box::new(Http1Body::new(socket, answer, self.pool.clone()));
        Ok(Answer { status, headers, body })
    }
}
