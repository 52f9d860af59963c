//! One request out, the head of its answer in.

use std::{
    cell::Cell,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_write_buf;

use super::{
    head::{self, AnswerHead, HeadError},
    socket::Socket,
};
use crate::upstream::BoxError;

/// As much as is read at once. One buffer for each thread, not for each stream.
const SCRATCH_BYTES: usize = 64 << 10;
/// Heads such as `103 Early Hints` before the real one.
const MAX_INTERIM_HEADS: usize = 8;

/// The head of an answer, and what came behind it.
pub(super) struct Exchanged {
    pub(super) head: AnswerHead,
    /// The beginning of the body.
    pub(super) early: Vec<u8>,
}

/// Why there is no head.
pub(super) struct ExchangeError {
    /// Whether the request was *not* wholly handed to the kernel (and, with TLS, encrypted): then
    /// the server has no whole request and cannot have acted on it.
    pub(super) is_unsent: bool,
    pub(super) cause: BoxError,
}

/// Writes a request and reads the head of its answer. The answer may come before the request is
/// written, when the server refuses it.
pub(super) async fn exchange(
    socket: &mut Socket,
    request: impl Buf,
    longest_idle: Duration,
) -> Result<Exchanged, ExchangeError> {
    let mut exchange = Exchange {
        socket,
        request,
        writing: Writing::Data,
        received: Vec::new(),
        searched: 0,
        interim_heads: 0,
        longest_idle,
    };
    poll_fn(|cx| exchange.poll(cx)).await
}

struct Exchange<'s, R> {
    socket: &'s mut Socket,
    request: R,
    writing: Writing,
    received: Vec<u8>,
    /// How much of `received` was searched for the end of the head.
    searched: usize,
    interim_heads: usize,
    longest_idle: Duration,
}

enum Writing {
    Data,
    Flush,
    Done,
    Failed(io::Error),
}

impl<R: Buf> Exchange<'_, R> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Exchanged, ExchangeError>> {
        self.poll_write(cx);
        loop {
            match self.take_head() {
                Ok(Some(exchanged)) => return Poll::Ready(Ok(exchanged)),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(self.failed(error.into()))),
            }
            let read = poll_scratch(self.socket, cx, |bytes| {
                self.received.extend_from_slice(bytes);
                bytes.len()
            });
            match ready!(read) {
                Ok(0) => {
                    let closed = "the connection was closed before the answer";
                    return Poll::Ready(Err(self.failed(closed.into())));
                }
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(self.failed(error.into()))),
            }
        }
    }

    /// Writes as much as can be. A failure is kept: there may still be an answer, which says more.
    fn poll_write(&mut self, cx: &mut Context<'_>) {
        loop {
            let mut socket = Pin::new(&mut *self.socket);
            let polled = match self.writing {
                Writing::Data if !self.request.has_remaining() => Poll::Ready(Ok(())),
                Writing::Data => match poll_write_buf(socket, cx, &mut self.request) {
                    Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(Ok(_)) => continue,
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    Poll::Pending => Poll::Pending,
                },
                Writing::Flush => socket.as_mut().poll_flush(cx),
                Writing::Done | Writing::Failed(_) => return,
            };
            self.writing = match (polled, &self.writing) {
                (Poll::Pending, _) => return,
                (Poll::Ready(Err(error)), _) => Writing::Failed(error),
                (Poll::Ready(Ok(())), Writing::Data) => Writing::Flush,
                (Poll::Ready(Ok(())), _) => Writing::Done,
            };
        }
    }

    /// The head, if it is whole.
    fn take_head(&mut self) -> Result<Option<Exchanged>, HeadError> {
        loop {
            let end = head::end_of_head(&self.received, self.searched)?;
            self.searched = self.received.len();
            let Some(end) = end else { return Ok(None) };
            let mut head = head::parse(&self.received[..end], self.longest_idle)?;
            self.received.drain(..end);
            self.searched = 0;
            if !head.status.is_informational() {
                // A refusal of which the rest of the request would only be in the way. A good
                // answer to half a request is not to be expected.
                if !matches!(self.writing, Writing::Done) {
                    head.keep_alive = None;
                }
                let early = std::mem::take(&mut self.received);
                return Ok(Some(Exchanged { head, early }));
            }
            self.interim_heads += 1;
            // 101 would change the protocol, which was not asked for.
            if head.status == 101 || self.interim_heads > MAX_INTERIM_HEADS {
                return Err(HeadError::Malformed);
            }
        }
    }

    fn failed(&mut self, cause: BoxError) -> ExchangeError {
        let nothing_came = self.received.is_empty() && self.interim_heads == 0;
        match std::mem::replace(&mut self.writing, Writing::Done) {
            Writing::Done => ExchangeError { is_unsent: false, cause },
            Writing::Failed(error) => {
                ExchangeError { is_unsent: nothing_came, cause: error.into() }
            }
            Writing::Data | Writing::Flush => ExchangeError { is_unsent: nothing_came, cause },
        }
    }
}

/// Reads once, as much as there is, and gives it to `take`; no bytes are the end. Cancel safe.
pub(super) fn poll_scratch<T>(
    socket: &mut Socket,
    cx: &mut Context<'_>,
    take: impl FnOnce(&[u8]) -> T,
) -> Poll<io::Result<T>> {
    thread_local! {
        static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    let mut scratch = SCRATCH.take();
    scratch.resize(SCRATCH_BYTES, 0);
    let mut buffer = ReadBuf::new(&mut scratch);
    // A read that does not fill the buffer tells the runtime that there is no more: no second call
    // of the kernel to learn that.
    let polled = Pin::new(socket).poll_read(cx, &mut buffer);
    let polled = polled.map(|read| read.map(|()| take(buffer.filled())));
    SCRATCH.set(scratch);
    polled
}
