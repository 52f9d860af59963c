//! A run's events as a response body.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderName, HeaderValue, Response, header},
};
use bytes::BytesMut;
use hyper::body::Frame;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{
    protocol::{RunId, ThreadId},
    run::{Framing, RunEvents},
};

/// After this long without an event a comment is sent, so that proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The comment: a line that every reader of events skips.
const COMMENT: &[u8] = b": keep-alive\n\n";

/// Names the run of an answer, so that a reader can come back to it.
pub(super) const RUN_ID: HeaderName = HeaderName::from_static("x-run-id");
/// Names the thread of an answer.
pub(super) const THREAD_ID: HeaderName = HeaderName::from_static("x-thread-id");
/// Says that the answer is one that was given before.
pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Answers with a run's events. `X-Accel-Buffering` and `no-transform` keep proxies from holding
/// them back.
pub(super) fn respond(
    run_id: RunId,
    thread_id: ThreadId,
    events: RunEvents,
    framing: Framing,
) -> Response<Body> {
    let mut response = Response::new(Body::new(EventBody::new(events, framing)));
    let headers = response.headers_mut();
    let fixed = HeaderValue::from_static;
    headers.insert(header::CONTENT_TYPE, fixed("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, fixed("no-cache, no-transform"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), fixed("no"));
    headers.insert(RUN_ID, header_of(&run_id));
    headers.insert(THREAD_ID, header_of(&thread_id));
    response
}

/// An identifier as a header's value.
fn header_of(id: &impl ToString) -> HeaderValue {
    HeaderValue::try_from(id.to_string()).expect("an identifier is visible ASCII")
}

/// Frames as they come, and a comment where nothing comes.
struct EventBody {
    events: RunEvents,
    framing: Framing,
    buffer: BytesMut,
    /// Nothing was sent yet: a reader should see at once that it is connected.
    is_fresh: bool,
    last_sent: Instant,
    keep_alive: Pin<Box<Sleep>>,
}

impl EventBody {
    fn new(events: RunEvents, framing: Framing) -> Self {
        let now = Instant::now();
        Self {
            events,
            framing,
            buffer: BytesMut::new(),
            is_fresh: true,
            last_sent: now,
            keep_alive: Box::pin(sleep_until(now + KEEP_ALIVE)),
        }
    }

    fn sent(&mut self) {
        self.is_fresh = false;
        self.last_sent = Instant::now();
    }

    /// The timer is not set anew for each event: when it fires, it looks how long it has been.
    fn poll_keep_alive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            std::task::ready!(self.keep_alive.as_mut().poll(cx));
            let due = self.last_sent + KEEP_ALIVE;
            let now = Instant::now();
            self.keep_alive.as_mut().reset(due.max(now + Duration::from_millis(1)));
            if due <= now {
                self.keep_alive.as_mut().reset(now + KEEP_ALIVE);
                return Poll::Ready(());
            }
        }
    }
}

impl hyper::body::Body for EventBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        match this.events.poll_read(this.framing, &mut this.buffer, cx) {
            Poll::Ready(true) => {
                this.sent();
                Poll::Ready(Some(Ok(Frame::data(this.buffer.split().freeze()))))
            }
            Poll::Ready(false) => Poll::Ready(None),
            Poll::Pending if this.is_fresh || this.poll_keep_alive(cx).is_ready() => {
                this.sent();
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(COMMENT)))))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
