//! The trace of a run: spans for a collector, all below one that lasts from the acceptance to the last
//! event, and is itself a part of the request's.
//!
//! A handful for a run and none for a delta. They are held, not entered: a run is polled thousands of
//! times.

use tracing::{Span, field::Empty, info_span};

use crate::telemetry::{SPANS, outlive_current};

use super::{LiveRun, outcome::Failure};

/// A run, from now on; a part of the request that is being answered, and longer than it.
pub(super) fn run() -> Span {
    let span = info_span!(
        target: SPANS,
        parent: None,
        "run",
        otel.status_code = Empty,
        run.id = Empty,
        thread.id = Empty,
        run.status = Empty,
        error.type = Empty,
    );
    outlive_current(&span);
    span
}

/// Says which run it is.
pub(super) fn name(span: &Span, run: &LiveRun) {
    span.record("run.id", tracing::field::display(run.id));
    span.record("thread.id", tracing::field::display(run.thread_id));
}

/// The transaction that accepts it, the wait for it included.
pub(super) fn accept(run: &Span) -> Span {
    info_span!(target: SPANS, parent: run, "run.accept", db.operation.name = "begin_run")
}

/// A transaction that somebody waits for, the wait for it included. `is_end` when it is the last.
pub(super) fn commit(run: &Span, is_end: bool) -> Span {
    info_span!(
        target: SPANS,
        parent: run,
        "run.commit",
        db.operation.name = "write_runs",
        run.is_end = is_end,
    )
}

/// The answer's first text is there.
pub(super) fn first_delta(run: &Span) {
    tracing::info!(target: SPANS, parent: run, "first delta");
}

/// It did not end well.
pub(super) fn failed(run: &Span, failure: &Failure) {
    run.record("otel.status_code", "ERROR");
    run.record("error.type", failure.error.code.as_str());
}
