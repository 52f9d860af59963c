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
mod tests {
    use std::task::Waker;

    use futures_util::FutureExt as _;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::protocol::ItemUpdate;

    fn read_all(log: &Arc<RunLog>, after: u64) -> Vec<u8> {
        let mut reader = LogReader::new(log.clone(), after);
        let mut out = BytesMut::new();
        let cx = Context::from_waker(Waker::noop());
        while reader.poll_read(Framing::Plain, &mut out, &cx) == Poll::Ready(true) {}
        out.to_vec()
    }

    fn events(frames: &[u8]) -> Vec<ThreadEvent> {
        std::str::from_utf8(frames)
            .unwrap()
            .split_terminator("\n\n")
            .map(|frame| serde_json::from_str(frame.strip_prefix("data: ").unwrap()).unwrap())
            .collect()
    }

    fn text(events: &[ThreadEvent]) -> String {
        let mut all = String::new();
        for event in events {
            if let ThreadEvent::ItemUpdated {
                update: ItemUpdate::TextDelta { delta, .. }, ..
            } = event
            {
                all.push_str(delta);
            }
        }
        all
    }

    fn progress(text: &str) -> ThreadEvent {
        ThreadEvent::ProgressUpdate { icon: None, text: text.to_owned() }
    }

    #[test]
    fn a_reader_that_is_behind_gets_its_deltas_merged() {
        let log = Arc::new(RunLog::new());
        let item = ItemId::new();
        for delta in ["Hel", "lo", " \"you\"\n"] {
            log.append_text(item, 0, delta);
        }
        log.end();

        let seen = events(&read_all(&log, 0));

        assert_eq!(seen, [ThreadEvent::text_delta(item, 0, "Hello \"you\"\n")]);
    }

    #[test]
    fn the_prepared_frame_is_what_serde_writes() {
        let log = Arc::new(RunLog::new());
        let item = ItemId::new();
        log.append_text(item, 3, "tab\t, back\\slash, \u{1f600}\u{7f}\u{2028}");
        log.end();

        let frame = read_all(&log, 0);

        let event = ThreadEvent::text_delta(item, 3, "tab\t, back\\slash, \u{1f600}\u{7f}\u{2028}");
        let expected = format!("data: {}\n\n", serde_json::to_string(&event).unwrap());
        assert_eq!(String::from_utf8(frame).unwrap(), expected);
    }

    #[test]
    fn a_reader_is_woken_by_what_it_waits_for() {
        struct Count(std::sync::atomic::AtomicUsize);
        impl std::task::Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
        }
        let log = Arc::new(RunLog::new());
        let woken = Arc::new(Count(0.into()));
        let waker = Waker::from(woken.clone());
        let mut reader = LogReader::new(log.clone(), 0);
        let mut out = BytesMut::new();
        assert!(
            reader.poll_read(Framing::Plain, &mut out, &Context::from_waker(&waker)).is_pending()
        );

        log.append(&progress("a"));
        log.append(&progress("b"));

        assert_eq!(woken.0.load(std::sync::atomic::Ordering::SeqCst), 1);
    }

    #[test]
    fn what_is_held_back_is_stored_but_not_seen_before_its_release() {
        let log = Arc::new(RunLog::new());
        log.append(&progress("seen"));
        log.hold(&progress("held"));

        assert_eq!(events(&read_some(&log)), [progress("seen")]);
        assert_eq!(log.chunk_after(0).unwrap().last_seq, 2);

        log.release();
        assert_eq!(events(&read_some(&log)), [progress("seen"), progress("held")]);
    }

    #[test]
    fn what_did_not_come_true_leaves_no_gap() {
        let log = Arc::new(RunLog::new());
        log.append(&progress("seen"));
        log.hold(&progress("never"));
        log.discard_held();
        log.append(&progress("instead"));

        assert_eq!(events(&read_some(&log)), [progress("seen"), progress("instead")]);
        assert_eq!(log.last_seq(), 2);
    }

    fn read_some(log: &Arc<RunLog>) -> Vec<u8> {
        let mut out = BytesMut::new();
        let cx = Context::from_waker(Waker::noop());
        let _ = LogReader::new(log.clone(), 0).poll_read(Framing::Plain, &mut out, &cx);
        out.to_vec()
    }

    #[test]
    fn leaving_readers_are_not_counted() {
        let log = Arc::new(RunLog::new());
        let first = LogReader::new(log.clone(), 0);
        let second = LogReader::new(log.clone(), 0);
        drop(first);

        assert_eq!(log.reader_count(), 1);
        drop(second);
        assert_eq!(log.reader_count(), 0);
    }

    #[test]
    fn a_reader_far_behind_is_fed_in_portions() {
        let log = Arc::new(RunLog::new());
        for _ in 0..1_000 {
            log.append(&progress(&"x".repeat(1_000)));
        }
        let mut reader = LogReader::new(log, 0);
        let mut out = BytesMut::new();

        let _ = reader.poll_read(Framing::Plain, &mut out, &Context::from_waker(Waker::noop()));

        assert!(out.len() < READ_LIMIT + 2_000, "{} bytes at once", out.len());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Text(usize, String),
        Event(String),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0..2_usize, ".{1,6}").prop_map(|(part, text)| Step::Text(part, text)),
            1 => "[a-z]{1,4}".prop_map(Step::Event),
        ];
        prop::collection::vec(step, 1..60)
    }

    fn played(steps: &[Step]) -> (Arc<RunLog>, Vec<ThreadEvent>) {
        let log = Arc::new(RunLog::new());
        let item = ItemId::new();
        let mut all = Vec::new();
        for step in steps {
            match step {
                Step::Text(part, text) => {
                    log.append_text(item, *part, text);
                    all.push(ThreadEvent::text_delta(item, *part, text.replace('\0', "\u{fffd}")));
                }
                Step::Event(text) => {
                    log.append(&progress(text));
                    all.push(progress(text));
                }
            }
        }
        log.end();
        (log, all)
    }

    proptest! {
        #[test]
        fn from_any_position_nothing_is_missing_and_nothing_comes_twice(
            steps in steps(),
            cut in 0..60_usize,
        ) {
            let (log, all) = played(&steps);
            let cut = cut.min(all.len());

            let seen = events(&read_all(&log, cut as u64));

            prop_assert_eq!(text(&seen), text(&all[cut..]));
        }

        #[test]
        fn what_is_stored_in_any_portions_reads_as_what_was_logged(
            steps in steps(),
            cut in 0..60_usize,
            after in 0..60_u64,
        ) {
            let (log, all) = played(&steps);
            let cut = cut.min(all.len()) as u64;
            let stored: Vec<Segment> = [
                (cut > 0).then(|| EventChunk {
                    first_seq: 1,
                    last_seq: cut,
                    payload: chunk::encode(&truncated(&log.segments(), cut), 0),
                }),
                log.chunk_after(cut),
            ]
            .into_iter()
            .flatten()
            .flat_map(|chunk| chunk::decode(&chunk.payload).unwrap())
            .collect();

            let mut frames = BytesMut::new();
            for segment in stored.iter().filter(|segment| segment.last_seq() > after) {
                Framing::Plain.write(segment, after, &mut frames);
            }

            let rest = &all[usize::try_from(after).unwrap().min(all.len())..];
            prop_assert_eq!(text(&events(&frames)), text(rest));
        }
    }

    proptest! {
        #[test]
        fn what_is_fed_in_any_portions_is_mirrored_from_any_overlap_as_it_was_logged(
            steps in steps(),
            limit in 1..200_usize,
            overlap in 0..5_u64,
            after in 0..60_u64,
        ) {
            let (log, all) = played(&steps);
            let mirror = Arc::new(RunLog::new());
            let feed = LogFeed::new(log.clone());
            let mut fed = 0;

            // Each portion begins a little before the end of the one before.
            while let Some(Some(chunk)) = feed.next(fed, limit).now_or_never() {
                fed = chunk.last_seq;
                mirror.mirror(chunk::decode(&chunk.payload).unwrap());
                if let Some(Some(again)) = feed.next(fed.saturating_sub(overlap), limit).now_or_never() {
                    mirror.mirror(chunk::decode(&again.payload).unwrap());
                    fed = fed.max(again.last_seq);
                }
            }
            mirror.end();

            prop_assert_eq!(mirror.last_seq(), all.len() as u64);
            let after = after.min(all.len() as u64);
            let rest = &all[usize::try_from(after).unwrap()..];
            prop_assert_eq!(text(&events(&read_all(&mirror, after))), text(rest));
            let whole = read_all(&log, after);
            prop_assert_eq!(events(&read_all(&mirror, after)), events(&whole));
        }
    }

    #[test]
    fn what_is_held_back_is_not_fed() {
        let log = Arc::new(RunLog::new());
        log.append(&progress("seen"));
        log.hold(&progress("held"));
        let feed = LogFeed::new(log.clone());

        assert_eq!(feed.next(0, READ_LIMIT).now_or_never().unwrap().unwrap().last_seq, 1);
        assert!(feed.next(1, READ_LIMIT).now_or_never().is_none());

        log.release();
        assert_eq!(feed.next(1, READ_LIMIT).now_or_never().unwrap().unwrap().first_seq, 2);
    }

    #[test]
    fn a_feed_is_no_reader() {
        let log = Arc::new(RunLog::new());
        let _feed = LogFeed::new(log.clone());

        assert_eq!(log.reader_count(), 0);
    }

    #[test]
    fn a_mirror_follows_a_jump_of_numbers() {
        let mirror = Arc::new(RunLog::new());
        let item = ItemId::new();
        let part = |first_seq, text: &str| {
            let mut segment = TextSegment::new(first_seq, item, 0);
            segment.push(text);
            Segment::Text(segment)
        };

        mirror.mirror(vec![part(1, "one"), part(1_000_001, "far")]);
        mirror.end();

        assert_eq!(text(&events(&read_all(&mirror, 1))), "far");
        assert_eq!(mirror.last_seq(), 1_000_001);
    }

    /// The segments as they were when the event numbered `last` was the newest.
    fn truncated(segments: &[Segment], last: u64) -> Vec<Segment> {
        let mut kept: Vec<Segment> =
            segments.iter().filter(|segment| segment.first_seq() <= last).cloned().collect();
        if let Some(Segment::Text(text)) = kept.last_mut() {
            let deltas = usize::try_from(last - text.first_seq + 1).unwrap().min(text.ends.len());
            text.ends.truncate(deltas);
            text.text.truncate(text.ends[deltas - 1] as usize);
        }
        kept
    }

    #[test]
    fn every_frame_is_one_json_object() {
        let log = Arc::new(RunLog::new());
        log.append_text(ItemId::new(), 0, "\u{0}\u{1f}\r\n");
        log.end();

        let frames = read_all(&log, 0);

        let frame = std::str::from_utf8(&frames).unwrap().trim_end();
        assert_eq!(frame.lines().count(), 1);
        let json: Value = serde_json::from_str(frame.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(json["update"]["delta"], "\u{fffd}\u{1f}\r\n");
    }
}
