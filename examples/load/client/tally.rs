//! What was counted, of all streams of a worker together.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

/// Times of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        // From 0.1 µs to 10 minutes, to three digits.
        Self(Histogram::new_with_bounds(100, 600_000_000_000, 3).expect("the bounds are valid"))
    }
}

impl Times {
    pub(crate) fn record(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds);
    }

    /// In milliseconds, or nothing when nothing was recorded.
    pub(crate) fn summary(&self) -> Option<Summary> {
        let at = |quantile| milliseconds(self.0.value_at_quantile(quantile));
        (!self.0.is_empty()).then(|| Summary {
            p50: at(0.5),
            p99: at(0.99),
            max: milliseconds(self.0.max()),
        })
    }

    fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all have the same bounds");
    }
}

/// Milliseconds.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(crate) struct Summary {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

#[expect(clippy::cast_precision_loss, reason = "a time of minutes has room in it")]
pub(crate) fn milliseconds(nanoseconds: u64) -> f64 {
    (nanoseconds as f64 / 1e3).round() / 1e3
}

/// What a worker has counted. Times are in nanoseconds, from the request on where nothing else is
/// said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// To the connection.
    pub(crate) connect: Times,
    /// To the first byte of the response.
    pub(crate) first_byte: Times,
    /// To the first event.
    pub(crate) first_event: Times,
    /// To the first delta.
    pub(crate) first_delta: Times,
    /// From a delta's stamp to its arrival.
    pub(crate) delay: Times,
    /// Between the arrivals of two deltas of a stream.
    pub(crate) gap: Times,
    /// From the last delta to the end of the response.
    pub(crate) ending: Times,
    /// From the loss of a reader's connection to the first byte of the next.
    pub(crate) reconnect: Times,

    pub(crate) body_bytes: u64,
    pub(crate) deltas: u64,
    pub(crate) delta_events: u64,
    pub(crate) lost_deltas: u64,
    pub(crate) repeated_deltas: u64,

    /// Answers that were asked for.
    pub(crate) asked: u64,
    /// With all their deltas, each once, and an end that agrees with them.
    pub(crate) whole: u64,
    pub(crate) stalled: u64,
    pub(crate) lossy: u64,
    pub(crate) repeating: u64,
    /// The text at the end was not that of the deltas.
    pub(crate) differing: u64,
    /// Whose end did not come.
    pub(crate) failed: u64,
    /// Why, and how often.
    pub(crate) failures: BTreeMap<String, u64>,

    /// When the first request was sent, and when the last answer ended.
    pub(crate) began: Option<u64>,
    pub(crate) ended: Option<u64>,
}

impl Tally {
    pub(crate) fn first_byte(&mut self) -> &mut Times {
        &mut self.first_byte
    }

    pub(crate) fn reconnect(&mut self) -> &mut Times {
        &mut self.reconnect
    }

    pub(crate) fn fail(&mut self, reason: &str) {
        self.failed += 1;
        *self.failures.entry(reason.to_owned()).or_default() += 1;
    }

    pub(crate) fn begin(&mut self, now: u64) {
        self.asked += 1;
        self.began = Some(self.began.map_or(now, |began| began.min(now)));
    }

    pub(crate) fn end(&mut self, now: u64) {
        self.ended = Some(self.ended.map_or(now, |ended| ended.max(now)));
    }

    /// Adds what another worker has counted.
    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, times) in [
            (&mut self.connect, &other.connect),
            (&mut self.first_byte, &other.first_byte),
            (&mut self.first_event, &other.first_event),
            (&mut self.first_delta, &other.first_delta),
            (&mut self.delay, &other.delay),
            (&mut self.gap, &other.gap),
            (&mut self.ending, &other.ending),
            (&mut self.reconnect, &other.reconnect),
        ] {
            sum.add(times);
        }
        for (sum, count) in [
            (&mut self.body_bytes, other.body_bytes),
            (&mut self.deltas, other.deltas),
            (&mut self.delta_events, other.delta_events),
            (&mut self.lost_deltas, other.lost_deltas),
            (&mut self.repeated_deltas, other.repeated_deltas),
            (&mut self.asked, other.asked),
            (&mut self.whole, other.whole),
            (&mut self.stalled, other.stalled),
            (&mut self.lossy, other.lossy),
            (&mut self.repeating, other.repeating),
            (&mut self.differing, other.differing),
            (&mut self.failed, other.failed),
        ] {
            *sum += count;
        }
        for (reason, count) in &other.failures {
            *self.failures.entry(reason.clone()).or_default() += count;
        }
        self.began = self.began.into_iter().chain(other.began).min();
        self.ended = self.ended.max(other.ended);
    }
}
