//! By `reqwest`: where a proxy stands in between.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use reqwest::{Client, redirect};

use super::{Answer, Body, BodyError, POOL_IDLE_TIMEOUT, Progress, Request, SendError};

/// Finds dead peers behind NAT, whose tables forget after minutes.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// A client that neither repeats a request nor follows a redirect, which would carry key and
/// conversation to another place.
pub(super) fn client(connect_timeout: Duration) -> reqwest::Result<Client> {
    Client::builder()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(connect_timeout)
        .tcp_nodelay(true)
        .tcp_keepalive(TCP_KEEPALIVE)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        // Closing the connection is how a model is stopped: one request, one connection.
        .http1_only()
        .build()
}

/// Sends a request and waits for the head of its answer.
pub(super) async fn send(client: &Client, request: &Request) -> Result<Answer, SendError> {
    let sending = client
        .request(request.method.clone(), request.url.clone())
        .headers(request.headers.clone())
        .body(request.body.clone())
        .send();
    // Errors are freed of the address, which may hold a secret.
    let answer = sending.await.map_err(|error| {
        let (is_connect, is_timeout) = (error.is_connect(), error.is_timeout());
        let cause = Box::new(error.without_url());
        if is_connect { SendError::Connect { is_timeout, cause } } else { SendError::Lost(cause) }
    })?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = Box::new(ByteStream { stream: Box::pin(answer.bytes_stream()) });
    Ok(Answer { status, headers, body })
}

struct ByteStream {
    stream: Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>,
}

impl Body for ByteStream {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        take: &mut dyn FnMut(&[u8]),
    ) -> Poll<Result<Progress, BodyError>> {
        self.stream.poll_next_unpin(cx).map(|item| match item {
            Some(Ok(bytes)) => {
                take(&bytes);
                Ok(Progress::Some)
            }
            Some(Err(error)) => Err(BodyError(Box::new(error.without_url()))),
            None => Ok(Progress::End),
        })
    }

    fn finish(self: Box<Self>) {}
}
