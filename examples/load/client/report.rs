//! The report, as it is printed.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    aborts::Aborts,
    audit::Audit,
    options::Options,
    processes::{Cost, rounded},
    tally::{Summary, Tally},
};

/// Times are in milliseconds; see [`Tally`] for what each counts.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) name: String,
    pub(crate) load: Load,
    /// From the first request to the last answer's end.
    pub(crate) seconds: f64,
    pub(crate) answers: Answers,
    pub(crate) deltas: Deltas,
    pub(crate) times_ms: TimesMs,
    pub(crate) processes: BTreeMap<String, Cost>,
    pub(crate) client: Client,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) aborts: Option<Aborts>,
    /// Calls that the model had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model_calls: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audit: Option<Audit>,
}

/// What was asked for.
#[derive(Debug, Serialize)]
pub(crate) struct Load {
    pub(crate) streams: usize,
    pub(crate) readers: usize,
    pub(crate) deltas: u64,
    pub(crate) interval_ms: u64,
    pub(crate) bytes: usize,
    pub(crate) over_s: f64,
    pub(crate) for_s: Option<f64>,
}

/// Answers by what became of them.
#[derive(Debug, Serialize)]
pub(crate) struct Answers {
    pub(crate) asked: u64,
    pub(crate) whole: u64,
    pub(crate) lossy: u64,
    pub(crate) repeating: u64,
    pub(crate) differing: u64,
    pub(crate) stalled: u64,
    pub(crate) failed: u64,
    pub(crate) failures: BTreeMap<String, u64>,
    pub(crate) per_second: f64,
}

/// Deltas by what became of them.
#[derive(Debug, Serialize)]
pub(crate) struct Deltas {
    pub(crate) received: u64,
    pub(crate) lost: u64,
    pub(crate) repeated: u64,
    /// Events that they came in.
    pub(crate) events: u64,
    pub(crate) bytes_per_delta: f64,
    pub(crate) per_second: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct TimesMs {
    pub(crate) connect: Option<Summary>,
    pub(crate) first_byte: Option<Summary>,
    pub(crate) first_event: Option<Summary>,
    pub(crate) first_delta: Option<Summary>,
    pub(crate) delay: Option<Summary>,
    pub(crate) gap: Option<Summary>,
    pub(crate) ending: Option<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reconnect: Option<Summary>,
}

/// What measuring cost.
#[derive(Debug, Serialize)]
pub(crate) struct Client {
    pub(crate) cpu_us_per_delta: f64,
    /// The share of the time for which its threads were at work.
    pub(crate) busy: f64,
    /// It was at work so much that it may have been late itself: use more threads, or ask for less.
    pub(crate) is_saturated: bool,
}

/// Beyond this share of the time the client's own waiting shows in the delays.
const SATURATED: f64 = 0.8;

impl Report {
    #[expect(clippy::cast_precision_loss, reason = "these are figures for people")]
    pub(crate) fn new(
        options: &Options,
        tally: &Tally,
        processes: BTreeMap<String, Cost>,
        client_nanoseconds: u64,
    ) -> Self {
        let lasted = tally.ended.zip(tally.began).map_or(0, |(end, begin)| end - begin);
        let seconds = (lasted as f64 / 1e9).max(1e-9);
        let per_delta = |amount: f64| rounded(amount / tally.deltas.max(1) as f64);
        let busy = client_nanoseconds as f64 / 1e9 / seconds / options.threads as f64;
        Self {
            name: options.name.clone(),
            load: Load::new(options),
            seconds: rounded(seconds),
            answers: Answers {
                asked: tally.asked,
                whole: tally.whole,
                lossy: tally.lossy,
                repeating: tally.repeating,
                differing: tally.differing,
                stalled: tally.stalled,
                failed: tally.failed,
                failures: tally.failures.clone(),
                per_second: rounded(tally.asked as f64 / seconds),
            },
            deltas: Deltas {
                received: tally.deltas,
                lost: tally.lost_deltas,
                repeated: tally.repeated_deltas,
                events: tally.delta_events,
                bytes_per_delta: per_delta(tally.body_bytes as f64),
                per_second: rounded(tally.deltas as f64 / seconds),
            },
            times_ms: TimesMs::new(tally),
            processes,
            client: Client {
                cpu_us_per_delta: per_delta(client_nanoseconds as f64 / 1e3),
                busy: rounded(busy),
                is_saturated: busy > SATURATED,
            },
            aborts: None,
            model_calls: None,
            audit: None,
        }
    }

    /// Whether all that was asked for came, and is stored.
    pub(crate) fn is_clean(&self) -> bool {
        let audit = self.audit.as_ref().is_none_or(|audit| {
            audit.missing + audit.surplus + audit.differing + audit.unreadable == 0
        });
        self.answers.whole == self.answers.asked && audit
    }
}

impl Load {
    fn new(options: &Options) -> Self {
        Self {
            streams: if options.readers.is_some() { 1 } else { options.streams },
            readers: options.readers.unwrap_or(0),
            deltas: options.deltas,
            interval_ms: options.interval_ms,
            bytes: options.bytes,
            over_s: options.over.as_secs_f64(),
            for_s: options.duration.map(|duration| duration.as_secs_f64()),
        }
    }
}

impl TimesMs {
    fn new(tally: &Tally) -> Self {
        Self {
            connect: tally.connect.summary(),
            first_byte: tally.first_byte.summary(),
            first_event: tally.first_event.summary(),
            first_delta: tally.first_delta.summary(),
            delay: tally.delay.summary(),
            gap: tally.gap.summary(),
            ending: tally.ending.summary(),
            reconnect: tally.reconnect.summary(),
        }
    }
}
