//! Server-Sent Events of a model's answer: the only place that knows `reqwest-eventsource`.
//!
//! The crate was made for endless feeds and has three traps, each met here:
//!
//! - By default it **posts again** after every end, good or bad: an endless series of paid calls.
//!   [`retry::Never`] is set before anything is polled.
//! - Its parser **panics** on a leading byte-order mark: the panic is caught and is an error.
//! - It hides comments, which servers send to say that they are still at work. Bytes of any kind
//!   wake the task, so a waker of ours notes the time of each wake-up.

use std::{
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use futures_util::{FutureExt as _, Stream};
use reqwest::{RequestBuilder, Response, StatusCode};
use reqwest_eventsource::{Error as SourceError, Event, EventSource as Source, retry};
use tokio::time::{Instant, timeout, timeout_at};

use super::{UpstreamError, redact};

/// How long a server may take, and how much it may say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) first_byte: Duration,
    pub(super) idle: Duration,
    pub(super) max_event_bytes: usize,
}

/// What came instead of a stream of events.
#[derive(Debug)]
pub(super) enum Refusal {
    /// No connection: nothing was sent.
    Unreachable(reqwest::Error),
    /// The connection broke before there was a status: it may have been answered, and billed.
    Broken(reqwest::Error),
    /// Nothing came within the time for it.
    TimedOut,
    /// Another status than 200.
    Status(StatusCode, Box<Response>),
    /// Something else than events.
    NotEvents(Box<Response>),
    /// The request cannot be sent: a bug.
    Invalid(String),
}

/// The events of one answer. Dropping it closes the connection.
pub(super) struct EventSource {
    source: Pin<Box<Source>>,
    activity: Arc<Activity>,
    bounds: Bounds,
}

impl EventSource {
    /// Sends the request, once, and waits until the answer begins.
    pub(super) async fn open(request: RequestBuilder, bounds: Bounds) -> Result<Self, Refusal> {
        let mut source =
            Source::new(request).map_err(|error| Refusal::Invalid(error.to_string()))?;
        source.set_retry_policy(Box::new(retry::Never));
        let activity = Arc::new(Activity::new());
        let mut opened = Self { source: Box::pin(source), activity, bounds };
        match timeout(bounds.first_byte, opened.poll_once()).await {
            Err(_) => Err(Refusal::TimedOut),
            Ok(Ok(Some(Ok(Event::Open)))) => Ok(opened),
            Ok(Ok(Some(Err(error)))) => Err(refusal(error)),
            Ok(Ok(None | Some(Ok(Event::Message(_))))) => {
                Err(Refusal::Invalid("the event source did not begin with its head".to_owned()))
            }
            Ok(Err(error)) => Err(Refusal::Invalid(error.to_string())),
        }
    }

    /// The data of the next event; `None` at the end of the body, which alone does not say whether
    /// the answer is whole.
    pub(super) async fn next(&mut self) -> Result<Option<String>, UpstreamError> {
        self.activity.touch();
        let item = loop {
            let deadline = self.activity.last() + self.bounds.idle;
            if let Ok(item) = timeout_at(deadline, self.poll_once()).await {
                break item?;
            }
            // A comment may have moved the deadline meanwhile.
            if self.activity.last() + self.bounds.idle <= Instant::now() {
                return Err(UpstreamError::TimedOut { waited_for: "go on" });
            }
        };
        match item {
            None | Some(Err(SourceError::StreamEnded)) => Ok(None),
            Some(Ok(Event::Open)) => Ok(Some(String::new())),
            Some(Ok(Event::Message(message)))
                if message.data.len() > self.bounds.max_event_bytes =>
            {
                Err(UpstreamError::Unreadable { reason: "an event is too large".to_owned() })
            }
            Some(Ok(Event::Message(message))) => Ok(Some(message.data)),
            Some(Err(SourceError::Transport(error))) => {
                Err(UpstreamError::Truncated(Some(redact::without_url(error).into())))
            }
            Some(Err(error)) => Err(UpstreamError::Unreadable { reason: kind_of(&error) }),
        }
    }

    async fn poll_once(&mut self) -> Result<Option<Result<Event, SourceError>>, UpstreamError> {
        let (source, activity) = (&mut self.source, &self.activity);
        let next = std::future::poll_fn(|cx| activity.poll(source.as_mut(), cx));
        AssertUnwindSafe(next).catch_unwind().await.map_err(|_| UpstreamError::Unreadable {
            reason: "the event parser cannot read its beginning".to_owned(),
        })
    }
}

fn refusal(error: SourceError) -> Refusal {
    match error {
        SourceError::InvalidStatusCode(status, response) => {
            Refusal::Status(status, Box::new(response))
        }
        SourceError::InvalidContentType(_, response) => Refusal::NotEvents(Box::new(response)),
        SourceError::Transport(error) if error.is_connect() => {
            Refusal::Unreachable(redact::without_url(error))
        }
        SourceError::Transport(error) => Refusal::Broken(redact::without_url(error)),
        error => Refusal::Invalid(kind_of(&error)),
    }
}

/// The kind of an error, without what it quotes of the stream.
fn kind_of(error: &SourceError) -> String {
    match error {
        SourceError::Utf8(_) => "it is not UTF-8".to_owned(),
        SourceError::Parser(_) => "it is no stream of events".to_owned(),
        _ => "it broke the rules of event streams".to_owned(),
    }
}

/// When something last came, be it a comment.
struct Activity {
    last: Mutex<Instant>,
    /// The task that waits. Kept here so that one waker serves all polls.
    task: Mutex<Option<Waker>>,
}

impl Activity {
    fn new() -> Self {
        Self { last: Mutex::new(Instant::now()), task: Mutex::new(None) }
    }

    fn touch(&self) {
        *self.last.lock().expect("no panic happens while locked") = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.last.lock().expect("no panic happens while locked")
    }

    /// Polls with a waker that notes the time.
    fn poll<S: Stream>(
        self: &Arc<Self>,
        source: Pin<&mut S>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<S::Item>> {
        let mut task = self.task.lock().expect("no panic happens while locked");
        if !task.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *task = Some(cx.waker().clone());
        }
        drop(task);
        let waker = Waker::from(self.clone());
        source.poll_next(&mut Context::from_waker(&waker))
    }
}

impl Wake for Activity {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.touch();
        if let Some(task) = &*self.task.lock().expect("no panic happens while locked") {
            task.wake_by_ref();
        }
    }
}
