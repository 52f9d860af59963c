//! What a delta costs between the agent and the socket: appended to the log of its run, and framed
//! for a reader.
//!
//! ```text
//! cargo bench --bench run_log
//! ```
//!
//! | group | is |
//! |---|---|
//! | `append` | a delta into the log, nobody reading |
//! | `follow` | the same, and each of so many readers gets it as a frame of its own |
//! | `catch up` | a reader from the beginning of an answer of 2,000 deltas: one merged frame |

use std::{
    hint::black_box,
    sync::Arc,
    task::{Context, Waker},
};

use bytes::BytesMut;
use chatkit_gateway::{
    protocol::{ItemId, RunId},
    run::{Framing, LogReader, RunLog},
};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// As long as a model's words are.
const DELTA: &str = " streaming";
/// Deltas of an answer.
const DELTAS: u64 = 2_000;

fn filled() -> Arc<RunLog> {
    let (log, item) = (Arc::new(RunLog::new()), ItemId::new());
    for _ in 0..DELTAS {
        log.append_text(item, 0, DELTA);
    }
    log
}

fn append(criterion: &mut Criterion) {
    let item = ItemId::new();
    let mut group = criterion.benchmark_group("append");
    group.throughput(Throughput::Elements(DELTAS));
    for (name, delta) in [("plain", DELTA), ("to be escaped", "\"a\"\n\t\u{1f600}")] {
        group.bench_function(name, |b| {
            b.iter_batched_ref(
                RunLog::new,
                |log| {
                    for _ in 0..DELTAS {
                        log.append_text(item, 0, black_box(delta));
                    }
                },
                BatchSize::SmallInput,
            );
        });
    }
}

fn follow(criterion: &mut Criterion) {
    let item = ItemId::new();
    let cx = Context::from_waker(Waker::noop());
    let mut group = criterion.benchmark_group("follow");
    for readers in [1_u64, 10] {
        for (name, framing) in
            [("plain", Framing::Plain), ("with ids", Framing::WithId(RunId::new()))]
        {
            group.throughput(Throughput::Elements(DELTAS * readers));
            group.bench_function(BenchmarkId::new(name, readers), |b| {
                b.iter_batched_ref(
                    || {
                        let log = Arc::new(RunLog::new());
                        let readers: Vec<LogReader> =
                            (0..readers).map(|_| LogReader::new(Arc::clone(&log), 0)).collect();
                        (log, readers)
                    },
                    |(log, readers)| {
                        let mut out = BytesMut::with_capacity(1024);
                        for _ in 0..DELTAS {
                            log.append_text(item, 0, black_box(DELTA));
                            for reader in &mut *readers {
                                assert!(reader.poll_read(framing, &mut out, &cx).is_ready());
                                // As the server does: written and gone before the next one.
                                black_box(&out);
                                out.clear();
                                assert!(reader.poll_read(framing, &mut out, &cx).is_pending());
                            }
                        }
                    },
                    BatchSize::SmallInput,
                );
            });
        }
    }
}

fn catch_up(criterion: &mut Criterion) {
    let log = filled();
    let cx = Context::from_waker(Waker::noop());
    let mut group = criterion.benchmark_group("catch up");
    group.throughput(Throughput::Elements(DELTAS));
    group.bench_function("2,000 deltas", |b| {
        b.iter(|| {
            let mut out = BytesMut::new();
            let mut reader = LogReader::new(Arc::clone(&log), 0);
            assert!(reader.poll_read(Framing::Plain, &mut out, &cx).is_ready());
            black_box(out)
        });
    });
}

criterion_group!(benches, append, follow, catch_up);
criterion_main!(benches);
