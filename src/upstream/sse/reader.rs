//! The events of one answer: its body, parsed, within limits of size and time.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    str,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::Parser;
use crate::upstream::{
    UpstreamError,
    transport::{Body, Progress},
};

/// How long to wait for events and how much of them to take.
#[derive(Clone, Copy, Debug)]
pub(in crate::upstream) struct Limits {
    /// From the last byte before the first event: some servers send the head at once and read the
    /// prompt then. Comments count as bytes, not as events.
    pub(in crate::upstream) first_byte: Duration,
    /// From byte to byte after the first event. Comments count.
    pub(in crate::upstream) idle: Duration,
    /// Of the data of one event.
    pub(in crate::upstream) event_bytes: usize,
    /// Of the data of all events.
    pub(in crate::upstream) answer_bytes: usize,
}

/// Reads the events of one answer. Dropping it closes the connection, which stops the model.
pub(in crate::upstream) struct EventReader {
    /// `None` once closed.
    body: Option<Box<dyn Body>>,
    events: Events,
    limits: Limits,
    silent_since: Instant,
    alarm: Pin<Box<Sleep>>,
}

/// The events in the bytes that come.
struct Events {
    parser: Parser,
    has_begun: bool,
    taken_bytes: usize,
    answer_bytes: usize,
}

impl EventReader {
    /// A reader of a body of which nothing was read.
    pub(in crate::upstream) fn new(body: Box<dyn Body>, limits: Limits) -> Self {
        let now = Instant::now();
        let events = Events {
            parser: Parser::new(limits.event_bytes),
            has_begun: false,
            taken_bytes: 0,
            answer_bytes: limits.answer_bytes,
        };
        Self {
            body: Some(body),
            events,
            limits,
            silent_since: now,
            alarm: Box::pin(sleep_until(now + limits.first_byte)),
        }
    }

    /// Waits for bytes and gives the data of each event that they complete to `each`, lines joined
    /// by LF, until that answers that it wants no more. [`Progress::End`] at the end of the body;
    /// that, or an error, closes the connection, and then it stays at the end.
    ///
    /// All events that have come are given in one go: under load, when they come faster than they
    /// are passed on, readers are woken once for all of them. Cancel safe.
    pub(in crate::upstream) async fn read(
        &mut self,
        mut each: impl FnMut(&str) -> bool,
    ) -> Result<Progress, UpstreamError> {
        let read = poll_fn(|cx| self.poll_read(cx, &mut each)).await;
        if !matches!(read, Ok(Progress::Some)) {
            self.close();
        }
        read
    }

    /// Closes the connection, which stops the model.
    pub(in crate::upstream) fn close(&mut self) {
        self.body = None;
    }

    /// The answer is whole: nothing more is read. The connection may serve another request.
    pub(in crate::upstream) fn finish(&mut self) {
        if let Some(body) = self.body.take() {
            body.finish();
        }
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        each: &mut dyn FnMut(&str) -> bool,
    ) -> Poll<Result<Progress, UpstreamError>> {
        let Self { body: Some(body), events, .. } = self else {
            return Poll::Ready(Ok(Progress::End));
        };
        let had_begun = events.has_begun;
        let mut taken = Ok(true);
        let polled = body.poll_read(cx, &mut |bytes| {
            if let Ok(true) = taken {
                taken = events.take(bytes, each);
            }
        });
        match polled {
            Poll::Pending => return self.poll_alarm(cx).map(Err),
            Poll::Ready(Ok(Progress::End)) => return Poll::Ready(Ok(Progress::End)),
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
            Poll::Ready(Ok(Progress::Some)) => {}
        }
        self.silent_since = Instant::now();
        if self.events.has_begun && !had_begun {
            // The alarm is set to the other limit, which may be the longer one.
            self.alarm.as_mut().reset(self.silent_since + self.limits.idle);
        }
        Poll::Ready(taken.map(|_go_on| Progress::Some))
    }

    /// Ready once there was silence for too long. The alarm is not moved with every byte: when it
    /// goes off too early it is set again.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<UpstreamError> {
        let (limit, waited_for) = if self.events.has_begun {
            (self.limits.idle, "go on")
        } else {
            (self.limits.first_byte, "begin to answer")
        };
        while self.alarm.as_mut().poll(cx).is_ready() {
            let deadline = self.silent_since + limit;
            if deadline <= Instant::now() {
                return Poll::Ready(UpstreamError::TimedOut { waited_for });
            }
            self.alarm.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

impl Events {
    /// Gives the events that these bytes complete to `each`; answers whether it wants more.
    fn take(
        &mut self,
        mut bytes: &[u8],
        each: &mut dyn FnMut(&str) -> bool,
    ) -> Result<bool, UpstreamError> {
        loop {
            let Some(data) = self.parser.next(&mut bytes).map_err(unreadable)? else {
                return Ok(true);
            };
            self.has_begun = true;
            self.taken_bytes = self.taken_bytes.saturating_add(data.len());
            if self.taken_bytes > self.answer_bytes {
                return Err(UpstreamError::unreadable("the answer is larger than allowed"));
            }
            // What cannot be read is left out of the error.
            let data =
                str::from_utf8(data).map_err(|_| UpstreamError::unreadable("it is not UTF-8"))?;
            if !each(data) {
                return Ok(false);
            }
        }
    }
}

fn unreadable(error: super::EventTooLarge) -> UpstreamError {
    UpstreamError::unreadable(error.to_string())
}
