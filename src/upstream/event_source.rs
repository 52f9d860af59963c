//! Server-Sent Events of one POST, by `reqwest-eventsource`: no other file knows that crate.
//!
//! What the crate must be kept from, and how (read in its sources, 0.6.0, and tried):
//!
//! * It sends the POST again after every end, the ordinary one included: [`retry::Never`], and
//!   the source is dropped at the first error and by [`EventReader::close`].
//! * Its parser panics when the body begins with a byte-order mark: the panic ends the answer as
//!   [`UpstreamError::Unreadable`].
//! * It swallows comments, which must count as signs of life: see [`Activity`].
//! * It has no time-outs: see [`Limits`].
//! * It drops an event that no blank line follows before the end of the body. Whether the answer
//!   is whole is decided by its terminal mark alone, so this cannot pass for success.
//! * It buffers an unfinished event without a limit and shows neither the bytes nor the headers of
//!   a good answer: the size of an event is checked once the event is whole.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use futures_util::{StreamExt, task::AtomicWaker};
use reqwest::{RequestBuilder, Response};
use reqwest_eventsource::{Error as SourceError, Event, EventSource, retry};
use tokio::time::{Instant, Sleep, sleep_until};

use super::UpstreamError;

/// How long to wait for an answer and how much of it to take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// From the request to the head of the answer, and from the last byte before the first event:
    /// some servers send the head at once and read the prompt then.
    pub(crate) first_byte: Duration,
    /// From byte to byte after the first event. Comments count.
    pub(crate) idle: Duration,
    /// Of the data of one event.
    pub(crate) event_bytes: usize,
    /// Of the data of all events.
    pub(crate) answer_bytes: usize,
}

/// Why there is no stream of events.
pub(crate) enum OpenError {
    /// No connection: nothing was sent.
    Connect(reqwest::Error),
    /// Another status than 200.
    Status(Box<Response>),
    /// Status 200, but no event stream.
    NotEvents(Box<Response>),
    /// The request was sent; what became of it is unknown.
    Lost(UpstreamError),
}

/// Reads the events of one answer. Dropping it closes the connection.
pub(crate) struct EventReader {
    /// `None` once closed.
    source: Option<EventSource>,
    limits: Limits,
    state: State,
    taken_bytes: usize,
    silent_since: Instant,
    alarm: Pin<Box<Sleep>>,
    activity: Arc<Activity>,
    /// Wakes `activity`; kept because making one costs an atomic operation a poll.
    waker: Waker,
}

/// How far an answer has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Sent,
    Opened,
    Begun,
}

impl EventReader {
    /// Sends the request, once, and waits for the head of the answer.
    pub(crate) async fn open(request: RequestBuilder, limits: Limits) -> Result<Self, OpenError> {
        let mut source =
            EventSource::new(request).expect("the body is in memory, so the request is cloneable");
        source.set_retry_policy(Box::new(retry::Never));
        let mut reader = Self::new(source, limits);
        match poll_fn(|cx| reader.poll_event(cx)).await {
            Ok(Some(Ok(_opened))) => Ok(reader),
            Ok(Some(Err(SourceError::InvalidStatusCode(_, answer)))) => {
                Err(OpenError::Status(Box::new(answer)))
            }
            Ok(Some(Err(SourceError::InvalidContentType(_, answer)))) => {
                Err(OpenError::NotEvents(Box::new(answer)))
            }
            Ok(Some(Err(SourceError::Transport(error)))) if error.is_connect() => {
                Err(OpenError::Connect(error.without_url()))
            }
            Ok(Some(Err(error))) => Err(OpenError::Lost(broken(error))),
            Ok(None) => Err(OpenError::Lost(UpstreamError::Truncated(None))),
            Err(error) => Err(OpenError::Lost(error)),
        }
    }

    fn new(source: EventSource, limits: Limits) -> Self {
        let now = Instant::now();
        let activity = Arc::new(Activity::default());
        Self {
            source: Some(source),
            limits,
            state: State::Sent,
            taken_bytes: 0,
            silent_since: now,
            alarm: Box::pin(sleep_until(now + limits.first_byte)),
            waker: Waker::from(Arc::clone(&activity)),
            activity,
        }
    }

    /// The data of the next event, lines joined by LF; `None` at the end of the body. After an
    /// error or the end it stays at `None`. Cancel safe.
    pub(crate) async fn next_data(&mut self) -> Result<Option<String>, UpstreamError> {
        let taken = match poll_fn(|cx| self.poll_event(cx)).await {
            Ok(Some(Ok(Event::Message(message)))) => self.admit(message.data).map(Some),
            // The opening is given once, and `open` took it.
            Ok(Some(Ok(Event::Open) | Err(SourceError::StreamEnded)) | None) => Ok(None),
            Ok(Some(Err(error))) => Err(broken(error)),
            Err(error) => Err(error),
        };
        if !matches!(taken, Ok(Some(_))) {
            self.close();
        }
        taken
    }

    /// Closes the connection, which stops the model.
    pub(crate) fn close(&mut self) {
        self.source = None;
    }

    fn admit(&mut self, data: String) -> Result<String, UpstreamError> {
        self.taken_bytes = self.taken_bytes.saturating_add(data.len());
        if data.len() > self.limits.event_bytes {
            return Err(UpstreamError::unreadable("an event is larger than allowed"));
        }
        if self.taken_bytes > self.limits.answer_bytes {
            return Err(UpstreamError::unreadable("the answer is larger than allowed"));
        }
        Ok(data)
    }

    /// The next thing of the source, or an error when there is none in time.
    fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<SourceItem>, UpstreamError>> {
        self.activity.task.register(cx.waker());
        let woken = self.activity.woken.swap(false, Ordering::AcqRel);
        if woken && self.state != State::Sent {
            self.silent_since = Instant::now();
        }
        let Some(source) = &mut self.source else { return Poll::Ready(Ok(None)) };
        let mut source_cx = Context::from_waker(&self.waker);
        // The state of a source that panicked is not looked at again: it is dropped.
        let polled = catch_unwind(AssertUnwindSafe(|| source.poll_next_unpin(&mut source_cx)));
        match polled {
            Ok(Poll::Ready(item)) => {
                self.note_progress(item.as_ref());
                Poll::Ready(Ok(item))
            }
            Ok(Poll::Pending) => self.poll_alarm(cx).map(Err),
            Err(_panic) => {
                self.close();
                Poll::Ready(Err(UpstreamError::unreadable("the parser of its events panicked")))
            }
        }
    }

    fn note_progress(&mut self, item: Option<&SourceItem>) {
        self.silent_since = Instant::now();
        match item {
            Some(Ok(Event::Open)) => self.state = State::Opened,
            Some(Ok(Event::Message(_))) if self.state != State::Begun => {
                self.state = State::Begun;
                // The alarm is set to the other limit, which may be the longer one.
                self.alarm.as_mut().reset(self.silent_since + self.limits.idle);
            }
            _ => {}
        }
    }

    /// Ready once there was silence for too long. The alarm is not moved at every event: when it
    /// goes off too early it is set again.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<UpstreamError> {
        let (limit, waited_for) = match self.state {
            State::Sent | State::Opened => (self.limits.first_byte, "begin to answer"),
            State::Begun => (self.limits.idle, "go on"),
        };
        while self.alarm.as_mut().poll(cx).is_ready() {
            let deadline = self.silent_since + limit;
            if deadline <= Instant::now() {
                self.close();
                return Poll::Ready(UpstreamError::TimedOut { waited_for });
            }
            self.alarm.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

type SourceItem = Result<Event, SourceError>;

/// Notices that bytes came although no event did.
///
/// The crate shows neither comments nor bytes. But while a body is read, nothing wakes its task
/// except bytes and the end, so a wake-up of the source is a sign of life of the server. The
/// reader's own task cannot stand for it: it is also woken by timers and by whatever its owner
/// waits for besides.
#[derive(Default)]
struct Activity {
    woken: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Activity {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.task.wake();
    }
}

/// What a failure in the middle of an answer means. Messages of the parser are left out: they hold
/// the text that it could not read.
fn broken(error: SourceError) -> UpstreamError {
    match error {
        SourceError::Transport(error) => {
            UpstreamError::Truncated(Some(Box::new(error.without_url())))
        }
        SourceError::Utf8(_) => UpstreamError::unreadable("it is not UTF-8"),
        SourceError::StreamEnded => UpstreamError::Truncated(None),
        _ => UpstreamError::unreadable("it is no event stream"),
    }
}
