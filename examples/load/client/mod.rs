//! The load client: what it asks for, how it reads, what it counts.
//!
//! ```text
//! options ──> target ──> streams (or readers, aborts) ──> desk ──> http ──> events ──> answer
//!                                                           │                            │
//!                        processes ──> report <── audit     └────────────> tally <───────┘
//! ```
//!
//! A worker is a thread with a runtime of its own; a stream is a task on one of them. What is read
//! goes through one buffer of the worker, and each answer keeps its text alone.

mod aborts;
mod answer;
mod audit;
mod clock;
mod desk;
mod events;
mod http;
mod options;
mod processes;
mod readers;
mod report;
mod streams;
mod tally;
mod target;

use std::{
    sync::{Arc, Barrier},
    thread,
};

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use self::{
    aborts::Aborts,
    audit::Said,
    desk::Desk,
    processes::{Watch, Work},
    tally::Tally,
    target::Target,
};
pub(crate) use self::{options::Options, report::Report};

/// Does what is asked, and says what was seen.
pub(crate) fn run(options: Options) -> anyhow::Result<Report> {
    let options = Arc::new(options);
    let target = Arc::new(Target::new(&options, clock::now())?);
    let calls_before = model_calls(&options)?;
    let watch = Watch::start(&options.watched)?;
    let client_before = processes::cpu_nanoseconds(std::process::id())?;

    let stop_aborts = CancellationToken::new();
    let aborts = start_aborts(&options, &target, stop_aborts.clone());
    let (tally, said) = run_workers(&options, &target);
    stop_aborts.cancel();
    let aborts = aborts.map(|aborts| join(aborts.join()));

    let client_nanoseconds = processes::cpu_nanoseconds(std::process::id())? - client_before;
    thread::sleep(options.settle);
    let streams = options.readers.map_or(options.streams, |readers| readers + 1);
    let costs = watch.finish(Work {
        deltas: tally.deltas,
        answers: tally.asked,
        streams,
        is_long: options.duration.is_some(),
    });
    let mut report = Report::new(&options, &tally, costs, client_nanoseconds);
    report.aborts = aborts;
    report.model_calls =
        model_calls(&options)?.zip(calls_before).map(|(after, before)| after - before);
    if options.audit {
        report.audit = Some(runtime().block_on(audit::run_audit(&target, said)));
    }
    Ok(report)
}

/// Runs the streams, or the readers, to their end.
fn run_workers(options: &Arc<Options>, target: &Arc<Target>) -> (Tally, Vec<Said>) {
    let workers = if options.readers.is_some() { 1 } else { options.threads };
    let start = Arc::new(Barrier::new(workers));
    let threads: Vec<_> = (0..workers)
        .map(|worker| {
            let (options, target) = (Arc::clone(options), Arc::clone(target));
            let start = Arc::clone(&start);
            thread::spawn(move || {
                let desk = Arc::new(Desk::new());
                let shared = Arc::clone(&desk);
                runtime().block_on(async move {
                    match options.readers {
                        Some(readers) => {
                            readers::run_readers(options, target, readers, shared).await;
                        }
                        None => {
                            streams::run_worker(options, target, worker, shared, start).await;
                        }
                    }
                });
                desk.clear()
            })
        })
        .collect();
    let (mut tally, mut said) = (Tally::default(), Vec::new());
    for thread in threads {
        let (counted, heard) = join(thread.join());
        tally.add(&counted);
        said.extend(heard);
    }
    (tally, said)
}

fn start_aborts(
    options: &Options,
    target: &Arc<Target>,
    stop: CancellationToken,
) -> Option<thread::JoinHandle<Aborts>> {
    let per_second = options.connect_abort?;
    let target = Arc::clone(target);
    let aborting = move || runtime().block_on(aborts::run_aborts(per_second, target, stop));
    Some(thread::spawn(aborting))
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime can be made")
}

/// What a thread has given; its panic is ours.
fn join<T>(joined: thread::Result<T>) -> T {
    joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// How many calls the scripted model has had, if it is to be asked.
fn model_calls(options: &Options) -> anyhow::Result<Option<u64>> {
    let Some(model) = &options.model else { return Ok(None) };
    let endpoint = http::Endpoint::parse(model)?.at("/counters");
    let counters = runtime().block_on(audit::get(&endpoint, &mut None, &endpoint.get(&[])))?;
    counters["calls"].as_u64().context("the model does not count its calls").map(Some)
}
