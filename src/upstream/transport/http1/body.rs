//! The body of an answer, from its connection, which is kept for the next request if it can be.

use std::{
    future::poll_fn,
    io,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use super::{
    decoder::{Decoder, MalformedChunk},
    exchange::{Exchanged, poll_scratch},
    pool::Pool,
    socket::Socket,
};
use crate::upstream::transport::{Body, BodyError, Progress};

/// How long the end of a body may take behind the end of the answer. Servers send it at once; a
/// connection that it does not come on is closed.
const END_TIMEOUT: Duration = Duration::from_millis(250);

pub(super) struct Http1Body {
    /// `None` once given back or closed.
    socket: Option<Socket>,
    /// What came with the head.
    early: Vec<u8>,
    framed: Framed,
    pool: Pool,
    keep_alive: Option<Duration>,
}

struct Framed {
    decoder: Decoder,
    /// Found behind bytes that were good: told at the next poll.
    malformed: Option<MalformedChunk>,
    /// Whether there were bytes behind the end. Who sends what nobody asked for is not to be
    /// trusted with another request.
    has_surplus: bool,
}

impl Framed {
    fn decode(&mut self, mut bytes: &[u8], take: &mut dyn FnMut(&[u8])) {
        loop {
            match self.decoder.next(&mut bytes) {
                Ok(Some(data)) => take(data),
                Ok(None) => break,
                Err(malformed) => {
                    self.malformed = Some(malformed);
                    break;
                }
            }
        }
        self.has_surplus = !bytes.is_empty();
    }
}

impl Http1Body {
    pub(super) fn new(socket: Socket, answer: Exchanged, pool: Pool) -> Self {
        let Exchanged { head, early } = answer;
        let decoder = Decoder::new(head.framing);
        let framed = Framed { decoder, malformed: None, has_surplus: false };
        Self { socket: Some(socket), early, framed, pool, keep_alive: head.keep_alive }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        take: &mut dyn FnMut(&[u8]),
    ) -> Poll<io::Result<Progress>> {
        let Self { socket, framed, .. } = self;
        if let Some(malformed) = framed.malformed.take() {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, malformed)));
        }
        let early = std::mem::take(&mut self.early);
        if !early.is_empty() {
            framed.decode(&early, take);
        } else if !framed.decoder.is_end() {
            let Some(socket) = socket else { return Poll::Ready(Ok(Progress::End)) };
            let is_closed = ready!(poll_scratch(socket, cx, |bytes| {
                framed.decode(bytes, take);
                bytes.is_empty()
            }))?;
            if is_closed {
                let may_close = framed.decoder.may_close();
                let end = may_close.then_some(Progress::End);
                return Poll::Ready(end.ok_or_else(|| io::ErrorKind::UnexpectedEof.into()));
            }
        } else {
            self.give_back();
            return Poll::Ready(Ok(Progress::End));
        }
        if framed.decoder.is_end() {
            self.give_back();
        }
        Poll::Ready(Ok(Progress::Some))
    }

    fn give_back(&mut self) {
        if let (Some(socket), Some(keep_alive)) = (self.socket.take(), self.keep_alive)
            && !self.framed.has_surplus
        {
            self.pool.put(socket, keep_alive);
        }
    }
}

impl Body for Http1Body {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        take: &mut dyn FnMut(&[u8]),
    ) -> Poll<Result<Progress, BodyError>> {
        let polled = self.poll(cx, take);
        if !matches!(polled, Poll::Pending | Poll::Ready(Ok(Progress::Some))) {
            self.socket = None;
        }
        polled.map_err(|error| BodyError(error.into()))
    }

    fn finish(mut self: Box<Self>) {
        // Nothing but the end is worth waiting for, and it may have come.
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Ok(Progress::Some)) = self.poll_read(&mut cx, &mut |_| {}) {}
        if self.socket.is_none() || self.keep_alive.is_none() {
            return;
        }
        let pool = self.pool.clone();
        pool.spawn(async move {
            let end = async { while let Ok(Progress::Some) = self.read_on().await {} };
            // Late or not, the body is dropped: it has given its connection back, or closes it.
            let _elapsed = tokio::time::timeout(END_TIMEOUT, end).await;
        });
    }
}

impl Http1Body {
    async fn read_on(&mut self) -> Result<Progress, BodyError> {
        poll_fn(|cx| self.poll_read(cx, &mut |_| {})).await
    }
}
