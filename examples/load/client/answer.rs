//! One answer as it comes, over one connection or several.

use std::time::Duration;

use super::{
    events::{Event, EventReader, StampReader},
    tally::Tally,
};

/// What was seen of an answer. Times are readings of the clock, in nanoseconds.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) events: EventReader,
    stamps: StampReader,
    /// Of all deltas, as it stands in JSON strings.
    text: Vec<u8>,
    last_stamp: u64,
    seen: u64,
    repeated: u64,
    asked_at: u64,
    first_event_at: Option<u64>,
    last_delta_at: Option<u64>,
    longest_gap: u64,
    done: Option<String>,
    error: Option<String>,
    /// The thread, as an event or a header names it.
    pub(crate) thread: Option<String>,
}

impl Answer {
    pub(crate) fn asked(now: u64) -> Self {
        Self { asked_at: now, ..Self::default() }
    }

    /// How many deltas have come.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// The text that is stored, if the end was seen.
    pub(crate) fn done(&self) -> Option<&str> {
        self.done.as_deref()
    }

    /// Takes bytes of the body that have come now.
    pub(crate) fn take(&mut self, body: &[u8], now: u64, tally: &mut Tally) {
        tally.body_bytes += body.len() as u64;
        // Taken out so that the rest can be changed while events are read from it.
        let mut events = std::mem::take(&mut self.events);
        events.feed(body, |event| self.take_event(event, now, tally));
        self.events = events;
    }

    fn take_event(&mut self, event: Event<'_>, now: u64, tally: &mut Tally) {
        if self.first_event_at.is_none() {
            self.first_event_at = Some(now);
            tally.first_event.record(now - self.asked_at);
        }
        match event {
            Event::Delta(text) => self.take_delta(text, now, tally),
            Event::Done(text) => self.done = Some(text),
            Event::ThreadCreated(thread) => self.thread = Some(thread),
            Event::Error(error) => self.error = Some(error),
            Event::Other => {}
        }
    }

    fn take_delta(&mut self, text: &[u8], now: u64, tally: &mut Tally) {
        tally.delta_events += 1;
        self.text.extend_from_slice(text);
        let (mut seen, mut repeated, mut last) = (0, 0, self.last_stamp);
        self.stamps.feed(text, |stamp| {
            // The model's clock goes on between two deltas: what is not later was there before.
            if stamp > last {
                last = stamp;
                seen += 1;
                tally.delay.record(now.saturating_sub(stamp));
            } else {
                repeated += 1;
            }
        });
        self.last_stamp = last;
        self.seen += seen;
        self.repeated += repeated;
        tally.deltas += seen;
        tally.repeated_deltas += repeated;
        if seen == 0 {
            return;
        }
        match self.last_delta_at {
            Some(before) => {
                let gap = now - before;
                self.longest_gap = self.longest_gap.max(gap);
                tally.gap.record(gap);
            }
            None => tally.first_delta.record(now - self.asked_at),
        }
        self.last_delta_at = Some(now);
    }

    /// The response has ended, or broke off for `failure`.
    pub(crate) fn end(
        &self,
        failure: Option<&str>,
        expected: u64,
        stall: Duration,
        now: u64,
        tally: &mut Tally,
    ) {
        tally.end(now);
        if let Some(last) = self.last_delta_at {
            tally.ending.record(now - last);
        }
        let lost = expected.saturating_sub(self.seen);
        let failure = failure.or(self.error.as_deref());
        let failure = failure.or(if self.done.is_none() { Some("no end") } else { None });
        let differs = self.done.as_ref().is_some_and(|done| *done != unescape(&self.text));
        let is_stalled = u128::from(self.longest_gap) > stall.as_nanos();

        tally.stalled += u64::from(is_stalled);
        tally.lost_deltas += lost;
        tally.lossy += u64::from(lost > 0);
        tally.repeating += u64::from(self.repeated > 0);
        tally.differing += u64::from(differs);
        match failure {
            Some(reason) => tally.fail(reason),
            None if lost == 0 && self.repeated == 0 && !differs => tally.whole += 1,
            None => {}
        }
    }
}

/// What a JSON string says, given without its quotes.
fn unescape(text: &[u8]) -> String {
    let quoted = [b"\"", text, b"\""].concat();
    serde_json::from_slice(&quoted).unwrap_or_else(|_| String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALL: Duration = Duration::from_millis(200);

    fn delta(text: &str) -> Vec<u8> {
        format!(
            "data: {{\"type\":\"thread.item.updated\",\"update\":{{\"type\":\
             \"assistant_message.content_part.text_delta\",\"delta\":\"{text}\"}}}}\n\n"
        )
        .into_bytes()
    }

    fn done(text: &str) -> Vec<u8> {
        format!(
            "data: {{\"type\":\"thread.item.done\",\"item\":{{\"type\":\"assistant_message\",\
             \"content\":[{{\"text\":\"{text}\"}}]}}}}\n\n"
        )
        .into_bytes()
    }

    /// An answer of three deltas of which these came, at these times.
    fn tally_of(frames: &[(Vec<u8>, u64)]) -> Tally {
        let (mut answer, mut tally) = (Answer::asked(0), Tally::default());
        for (frame, now) in frames {
            answer.take(frame, *now, &mut tally);
        }
        answer.end(None, 3, STALL, 2_000_000_000, &mut tally);
        tally
    }

    #[test]
    fn merged_deltas_count_each_with_its_own_delay() {
        let tally = tally_of(&[
            (delta("@100000@@200000@"), 1_100_000),
            (delta("@300000@"), 1_300_000),
            (done("@100000@@200000@@300000@"), 1_400_000),
        ]);

        assert_eq!((tally.deltas, tally.delta_events, tally.whole), (3, 2, 1));
        assert_eq!(tally.delay.summary().map(|delay| delay.max), Some(1.0));
    }

    #[test]
    fn a_delta_that_does_not_come_is_lost() {
        let tally = tally_of(&[(delta("@1@@3@"), 10), (done("@1@@2@@3@"), 10)]);

        assert_eq!((tally.lost_deltas, tally.lossy, tally.differing), (1, 1, 1));
        assert_eq!((tally.whole, tally.failed), (0, 0));
    }

    #[test]
    fn a_delta_that_comes_twice_is_repeated_and_makes_up_for_none() {
        let tally = tally_of(&[(delta("@1@@2@@2@"), 10), (done("@1@@2@@3@"), 10)]);

        assert_eq!((tally.deltas, tally.repeated_deltas, tally.lost_deltas), (2, 1, 1));
        assert_eq!((tally.repeating, tally.whole), (1, 0));
    }

    #[test]
    fn a_gap_that_is_too_long_is_a_stall() {
        let tally = tally_of(&[
            (delta("@1@@2@"), 10),
            (delta("@3@"), 300_000_000),
            (done("@1@@2@@3@"), 300_000_000),
        ]);

        assert_eq!((tally.stalled, tally.whole), (1, 1));
    }

    #[test]
    fn an_answer_without_its_end_has_failed() {
        let tally = tally_of(&[(delta("@1@@2@@3@"), 10)]);

        assert_eq!((tally.failed, tally.whole), (1, 0));
        assert_eq!(tally.failures.get("no end"), Some(&1));
    }
}
