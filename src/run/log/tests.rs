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
        if let ThreadEvent::ItemUpdated { update: ItemUpdate::TextDelta { delta, .. }, .. } = event
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
    assert!(reader.poll_read(Framing::Plain, &mut out, &Context::from_waker(&waker)).is_pending());

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
