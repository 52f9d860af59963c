//! A reader of any run: of this process and live, of another process, or ended.
//!
//! A run of this process is read from its log, one of another process from its mirror (`follow`),
//! if instances share live events. Any other is read from the database: what is stored at once,
//! and then, while it has not ended, what comes to it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::BytesMut;
use futures_util::{Stream, stream};

use crate::{
    protocol::{RunId, ThreadEvent, ThreadId, Timestamp, UserId},
    store::{Store, StoreError, record::RunRecord},
};

use super::{
    Runs, chunk,
    follow::Interest,
    log::LogReader,
    presence::Watching,
    segment::{Framing, Segment},
};

/// How often a run of another process is looked at.
pub(super) const POLL_EVERY: Duration = Duration::from_millis(250);
/// How many stored chunks are read at a time.
const CHUNKS: usize = 64;

/// A reader of a run's events. Dropping it is leaving.
pub struct RunEvents {
    source: Source,
    /// Where the run is another instance's.
    _watching: Option<Watching>,
}

enum Source {
    Live(LogReader),
    Mirrored(LogReader, #[expect(dead_code, reason = "held")] Arc<Interest>),
    Stored { segments: Pin<Box<dyn Stream<Item = Vec<Segment>> + Send>>, after: u64 },
}

impl RunEvents {
    /// Appends frames of what there is to `out`, or registers for a wake-up. `Ready(false)` is the
    /// end.
    pub fn poll_read(
        &mut self,
        framing: Framing,
        out: &mut BytesMut,
        cx: &mut Context<'_>,
    ) -> Poll<bool> {
        match &mut self.source {
            Source::Live(reader) | Source::Mirrored(reader, _) => {
                reader.poll_read(framing, out, cx)
            }
            Source::Stored { segments, after } => {
                let Some(segments) = ready!(segments.as_mut().poll_next(cx)) else {
                    return Poll::Ready(false);
                };
                for segment in segments.iter().filter(|segment| segment.last_seq() > *after) {
                    framing.write(segment, *after, out);
                }
                if let Some(last) = segments.last() {
                    *after = last.last_seq().max(*after);
                }
                Poll::Ready(true)
            }
        }
    }

    /// Reads to the end and throws away.
    pub async fn drained(mut self) {
        let mut out = BytesMut::new();
        while std::future::poll_fn(|cx| self.poll_read(Framing::Plain, &mut out, cx)).await {
            out.clear();
        }
    }
}

impl From<LogReader> for RunEvents {
    fn from(reader: LogReader) -> Self {
        Self { source: Source::Live(reader), _watching: None }
    }
}

impl RunEvents {
    /// These events and then the end, numbered from 1.
    pub(crate) fn of(events: &[ThreadEvent]) -> Self {
        let segments = (1..).zip(events).map(|(seq, event)| Segment::event(seq, event)).collect();
        let segments = Box::pin(stream::iter([segments]));
        Self { source: Source::Stored { segments, after: 0 }, _watching: None }
    }
}

/// Why there are no events of a run to be read.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// It is not the user's.
    #[error("no such run")]
    NotFound,
    /// It ended too long ago.
    #[error("the events of this run are no longer kept")]
    Expired,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Runs {
    /// The thread of the user's run, and a reader of the run's events above `after`.
    pub async fn watch(
        &self,
        user: &UserId,
        id: RunId,
        after: u64,
    ) -> Result<(ThreadId, RunEvents), WatchError> {
        if let Some(run) = self.find_live(id).filter(|run| run.user_id == *user) {
            return Ok((run.thread_id, run.read(after).into()));
        }
        let run = self.inner.store.find_run(user, id).await?.ok_or(WatchError::NotFound)?;
        let kept_since = Timestamp::now().minus(self.inner.limits.events_kept);
        if run.ended_at.is_some_and(|ended_at| ended_at < kept_since) {
            return Err(WatchError::Expired);
        }
        let thread_id = run.thread_id;
        let watching = (!run.status.is_terminal()).then(|| self.inner.presence.enter(run.id));
        let source = if let Some((reader, interest)) = self.inner.follows.read(&run, after) {
            Source::Mirrored(reader, interest)
        } else {
            let segments = Box::pin(stored(self.inner.store.clone(), run, after));
            Source::Stored { segments, after }
        };
        Ok((thread_id, RunEvents { source, _watching: watching }))
    }
}

/// The stored events of a run above `after`, until its end.
fn stored(
    store: Arc<dyn Store>,
    run: RunRecord,
    mut after: u64,
) -> impl Stream<Item = Vec<Segment>> + Send {
    async_stream::stream! {
        let mut is_ended = run.status.is_terminal();
        loop {
            match read_chunks(&*store, run.id, after).await {
                Ok(segments) if !segments.is_empty() => {
                    after = segments.last().map_or(after, Segment::last_seq);
                    yield segments;
                    continue;
                }
                // The end is stored with the last events: nothing comes behind it.
                Ok(_) if is_ended => return,
                Ok(_) => {}
                Err(error) => tracing::warn!(run.id = %run.id, error = %error, "cannot follow a run"),
            }
            match store.find_run(&run.user_id, run.id).await {
                Ok(Some(now)) => is_ended = now.status.is_terminal(),
                Ok(None) => return,
                Err(error) => tracing::warn!(run.id = %run.id, error = %error, "cannot follow a run"),
            }
            if !is_ended {
                tokio::time::sleep(POLL_EVERY).await;
            }
        }
    }
}

pub(super) async fn read_chunks(
    store: &dyn Store,
    run: RunId,
    after: u64,
) -> Result<Vec<Segment>, StoreError> {
    let chunks = store.list_run_events(run, after, CHUNKS).await?;
    let mut segments = Vec::new();
    for stored in chunks {
        segments.extend(chunk::decode(&stored.payload).map_err(|error| StoreError::Corrupt {
            table: "run_event",
            column: "payload",
            source: error.into(),
        })?);
    }
    Ok(segments)
}

/// All stored events of a run.
pub(super) async fn read_all(store: &dyn Store, run: RunId) -> Result<Vec<Segment>, StoreError> {
    let mut all: Vec<Segment> = Vec::new();
    loop {
        let after = all.last().map_or(0, Segment::last_seq);
        let more = read_chunks(store, run, after).await?;
        if more.is_empty() {
            return Ok(all);
        }
        all.extend(more);
    }
}
