//! The events of one run in memory: written once, read by any number of readers.
//!
//! Every event has a number, from 1. Consecutive text deltas of one part of a message share one
//! growing buffer; a reader that is behind gets them merged into one event that bears the number of
//! the last. Nothing is ever delayed in order to be merged, and no reader is ever waited for.
//!
//! Text is kept as it is sent, JSON-escaped, so that a reader copies bytes and nothing more.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
};

use bytes::BytesMut;
use tokio::{sync::watch, time::Instant};

use crate::{
    protocol::{ItemId, ThreadEvent},
    store::record::EventChunk,
};

use super::{
    chunk,
    readers::Readers,
    segment::{Framing, Segment, TextSegment},
};

/// Readers may have seen events that a dead process had not stored yet. What is told after its death
/// gets numbers that lie behind any of those.
pub(super) const SEQ_GAP: u64 = 1_000_000;

/// A reader is given at most about this many bytes at a time, so that one far behind does not make
/// the process hold the whole answer once more for it.
const READ_LIMIT: usize = 64 * 1024;

/// Of which deltas is measured how long they take to their first reader: the first and each of these.
const SAMPLE_EVERY: u64 = 128;

/// The events of one run.
#[derive(Debug, Default)]
pub struct RunLog {
    // A standard mutex: it is held for a copy of a few bytes and never over an await.
    state: Mutex<State>,
    /// How many read it at the moment, for whoever waits for that to change.
    reader_count: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    segments: Vec<Segment>,
    last_seq: u64,
    /// Events above it are held back until they are committed.
    visible_seq: u64,
    /// Bytes of text and events, for the limit of an answer's size.
    size: usize,
    deltas: u64,
    ended: bool,
    readers: Readers,
    /// A delta that readers wait for, and since when.
    sample: Option<(u64, Instant)>,
    /// Those who hand it on to other processes, which are no readers.
    feeds: Readers,
}

/// What came of an event that is none of the drive's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interjection {
    /// It was appended.
    Done,
    /// Something is held back: try again in a moment.
    NotNow,
    /// The log has ended.
    TooLate,
}

impl RunLog {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// A log that goes on behind what another process stored.
    pub(super) fn resuming(segments: Vec<Segment>) -> Self {
        let log = Self::default();
        log.mirror(segments);
        log
    }

    /// Leaves out the numbers that another process may have used for what it did not store.
    pub(super) fn leave_gap(&self) {
        let mut state = self.state();
        state.last_seq += SEQ_GAP;
        state.visible_seq = state.last_seq;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic happens while the log is locked")
    }

    /// Appends an event and wakes the readers.
    pub fn append(&self, event: &ThreadEvent) {
        let mut state = self.state();
        state.push(event);
        state.show();
    }

    /// Appends an event that is none of the drive's. Not while something is held back, which must
    /// not be shown with it, nor behind the end.
    pub(super) fn interject(&self, event: &ThreadEvent) -> Interjection {
        let mut state = self.state();
        if state.ended {
            return Interjection::TooLate;
        }
        if state.visible_seq < state.last_seq {
            return Interjection::NotNow;
        }
        state.push(event);
        state.show();
        Interjection::Done
    }

    /// Appends an event that no reader sees before [`release`](Self::release): it says that
    /// something is stored, which is still to be done. It is part of
    /// [`chunk_after`](Self::chunk_after), so that it is stored together with what it speaks of.
    pub(super) fn hold(&self, event: &ThreadEvent) {
        self.state().push(event);
    }

    /// Shows what was held back.
    pub(super) fn release(&self) {
        self.state().show();
    }

    /// Whether something is held back.
    pub(super) fn is_holding(&self) -> bool {
        let state = self.state();
        state.visible_seq < state.last_seq
    }

    /// Forgets what was held back: it did not come true.
    pub(super) fn discard_held(&self) {
        let mut state = self.state();
        let visible = state.visible_seq;
        state.segments.retain(|segment| segment.first_seq() <= visible);
        state.last_seq = visible;
    }

    /// Appends text to a part of a message and wakes the readers. Answers how many deltas there
    /// have been.
    pub fn append_text(&self, item_id: ItemId, content_index: usize, delta: &str) -> u64 {
        let mut state = self.state();
        state.last_seq += 1;
        state.deltas += 1;
        let (seq, before) = (state.last_seq, state.size);
        let grown = state.text_segment(seq, item_id, content_index).push(delta);
        state.size = before + grown;
        // One that is still waited for is not replaced: it would hide how late it comes.
        if state.deltas % SAMPLE_EVERY == 1 && state.sample.is_none() && state.readers.count() > 0 {
            state.sample = Some((seq, Instant::now()));
        }
        state.show();
        state.deltas
    }

    /// Ends the log: readers that have read all are at the end.
    pub fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        state.wake();
    }

    /// Appends what follows in the log of another process, and wakes the readers. Events that are
    /// known are skipped; numbers may jump.
    pub(super) fn mirror(&self, segments: Vec<Segment>) {
        let mut state = self.state();
        for segment in segments {
            if segment.last_seq() > state.last_seq {
                state.take(segment);
            }
        }
        state.show();
    }

    /// The number of the last event; 0 before the first.
    pub fn last_seq(&self) -> u64 {
        self.state().last_seq
    }

    /// Bytes of all events so far.
    pub fn size(&self) -> usize {
        self.state().size
    }

    /// How many read it at the moment.
    pub fn reader_count(&self) -> usize {
        *self.reader_count.borrow()
    }

    /// The same as it changes.
    pub(super) fn watch_readers(&self) -> watch::Receiver<usize> {
        self.reader_count.subscribe()
    }

    fn join(&self) -> usize {
        let mut state = self.state();
        let id = state.readers.join();
        self.reader_count.send_replace(state.readers.count());
        id
    }

    fn leave(&self, id: usize) {
        let mut state = self.state();
        state.readers.leave(id);
        if state.readers.count() == 0 {
            // What nobody waits for does not come late.
            state.sample = None;
        }
        self.reader_count.send_replace(state.readers.count());
    }

    /// The events numbered above `after`, in the form in which they are stored.
    pub fn chunk_after(&self, after: u64) -> Option<EventChunk> {
        let state = self.state();
        (state.last_seq > after).then(|| EventChunk {
            first_seq: after + 1,
            last_seq: state.last_seq,
            payload: chunk::encode(&state.segments[state.segment_after(after)..], after),
        })
    }

    /// A copy of all segments, for folding them into items.
    pub(super) fn segments(&self) -> Vec<Segment> {
        self.state().segments.clone()
    }

    /// The same, less what is held back.
    pub(super) fn visible_segments(&self) -> Vec<Segment> {
        let state = self.state();
        let visible =
            state.segments.partition_point(|segment| segment.first_seq() <= state.visible_seq);
        state.segments[..visible].to_vec()
    }
}

impl State {
    fn push(&mut self, event: &ThreadEvent) {
        let json = serde_json::to_vec(event).expect("events are plain data with string keys");
        self.last_seq += 1;
        self.size += json.len();
        self.segments.push(Segment::Event { seq: self.last_seq, json: json.into() });
    }

    fn show(&mut self) {
        self.visible_seq = self.last_seq;
        self.wake();
    }

    fn wake(&mut self) {
        self.readers.wake();
        self.feeds.wake();
    }

    /// Appends those of a segment's events that are not known.
    fn take(&mut self, segment: Segment) {
        let last = segment.last_seq();
        match segment {
            Segment::Event { ref json, .. } => {
                self.size += json.len();
                self.segments.push(segment);
            }
            Segment::Text(more) => {
                let after = self.last_seq.max(more.first_seq - 1);
                let part = self.text_segment(after + 1, more.item_id, more.content_index);
                let grown = part.extend(&more, after);
                self.size += grown;
            }
        }
        self.last_seq = last;
    }

    /// The segment that a delta numbered `seq` belongs to: the last one, if it is of that part.
    fn text_segment(
        &mut self,
        seq: u64,
        item_id: ItemId,
        content_index: usize,
    ) -> &mut TextSegment {
        let fits = matches!(
            self.segments.last(),
            Some(Segment::Text(text)) if text.item_id == item_id
                && text.content_index == content_index
                && text.first_seq + text.ends.len() as u64 == seq
        );
        if !fits {
            self.segments.push(Segment::Text(TextSegment::new(seq, item_id, content_index)));
        }
        match self.segments.last_mut() {
            Some(Segment::Text(text)) => text,
            _ => unreachable!("a text segment was just found or pushed"),
        }
    }

    /// The index of the first segment that holds an event numbered above `after`.
    fn segment_after(&self, after: u64) -> usize {
        self.segments.partition_point(|segment| segment.last_seq() <= after)
    }
}

/// A position in a log. Dropping it is leaving.
#[derive(Debug)]
pub struct LogReader {
    log: Arc<RunLog>,
    id: usize,
    after: u64,
}

impl LogReader {
    /// Reads what is numbered above `after`.
    pub fn new(log: Arc<RunLog>, after: u64) -> Self {
        let id = log.join();
        Self { log, id, after }
    }

    /// Appends frames of what there is to `out`, about 64 KiB at most, or registers for a wake-up.
    /// `Ready(false)` is the end.
    pub fn poll_read(
        &mut self,
        framing: Framing,
        out: &mut BytesMut,
        cx: &Context<'_>,
    ) -> Poll<bool> {
        let mut state = self.log.state();
        if state.visible_seq <= self.after {
            if state.ended {
                return Poll::Ready(false);
            }
            state.readers.register(self.id, cx.waker());
            return Poll::Pending;
        }
        let limit = out.len() + READ_LIMIT;
        let first = state.segment_after(self.after);
        for segment in &state.segments[first..] {
            if segment.first_seq() > state.visible_seq {
                break;
            }
            framing.write(segment, self.after, out);
            self.after = segment.last_seq();
            if out.len() >= limit {
                break;
            }
        }
        let after = self.after;
        let sample = state.sample.take_if(|(seq, _)| *seq <= after);
        drop(state);
        if let Some((_, since)) = sample {
            metrics::histogram!("gateway_delta_delay_seconds")
                .record(since.elapsed().as_secs_f64());
        }
        Poll::Ready(true)
    }
}

impl Drop for LogReader {
    fn drop(&mut self) {
        self.log.leave(self.id);
    }
}

/// Hands what is visible of a log on, in the form in which it is stored. No reader: a run that only
/// such as this one follow is watched by nobody.
#[derive(Debug)]
pub(super) struct LogFeed {
    log: Arc<RunLog>,
    id: usize,
}

impl LogFeed {
    /// Of the log from its beginning.
    pub(super) fn new(log: Arc<RunLog>) -> Self {
        let id = log.state().feeds.join();
        Self { log, id }
    }

    /// What there is above `after`, up to about `limit` bytes, once there is something; `None` at
    /// the end.
    pub(super) async fn next(&self, after: u64, limit: usize) -> Option<EventChunk> {
        std::future::poll_fn(|cx| {
            let mut state = self.log.state();
            if state.visible_seq > after {
                let visible =
                    state.segments.partition_point(|it| it.first_seq() <= state.visible_seq);
                let segments = &state.segments[state.segment_after(after)..visible];
                let (last_seq, payload) = chunk::encode_some(segments, after, limit);
                return Poll::Ready(Some(EventChunk { first_seq: after + 1, last_seq, payload }));
            }
            if state.ended {
                return Poll::Ready(None);
            }
            state.feeds.register(self.id, cx.waker());
            Poll::Pending
        })
        .await
    }
}

impl Drop for LogFeed {
    fn drop(&mut self) {
        self.log.state().feeds.leave(self.id);
    }
}

#[cfg(test)]
mod tests;
