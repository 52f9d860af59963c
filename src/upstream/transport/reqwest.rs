//! By `reqwest`.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use reqwest::RequestBuilder;

use super::{Answer, Body, BodyError, Progress, SendError};

/// Sends the request, once, and waits for the head of the answer. The client must neither retry
/// nor follow redirects.
pub(in crate::upstream) async fn send(request: RequestBuilder) -> Result<Answer, SendError> {
    // Errors are freed of the address, which may hold a secret.
    let answer = request.send().await.map_err(|error| {
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
}
