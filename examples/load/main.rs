//! A load client for streams of answers.
//!
//! ```text
//! cargo run --release --example load -- --url http://127.0.0.1:8000/chatkit --api chatkit \
//!     --session-tokens --streams 200 --deltas 200 --interval-ms 2 --watch gateway=$PID --audit
//! ```
//!
//! It opens streams against anything that answers by Server-Sent Events: the gateway, the official
//! Python server, the scripted model of `examples/scripted_upstream`, or a proxy in front of it.
//! The model puts the time into each delta (`@NANOSECONDS@` of `CLOCK_MONOTONIC`, so all must run
//! on one machine); the client finds it, whatever was merged or cut on the way, and so knows of
//! each delta how late it came, and whether one is missing or came twice.
//!
//! Its report is JSON on the standard output, a line of it for people on standard error. The exit
//! code is 1 when not all answers came whole, or the audit found a fault.
//!
//! | member | is |
//! |---|---|
//! | `answers` | how many were asked for, came `whole`, lost deltas (`lossy`), had one twice (`repeating`), ended with a text that was not that of the deltas (`differing`), had a gap beyond `--stall` (`stalled`), did not end (`failed`, and `failures` by reason) |
//! | `deltas` | how many, in how many events, bytes each in the body, lost, repeated |
//! | `times_ms` | p50, p99 and maximum: from the request to the first byte, event and delta; `delay` from a delta's stamp to its arrival; `gap` between two arrivals; `ending` from the last delta to the end |
//! | `processes` | of each `--watch`: CPU seconds of all threads, CPU a delta, memory at rest and at most, memory a stream |
//! | `client` | its own CPU a delta, and the share of the time for which it was at work |
//! | `aborts`, `model_calls`, `audit` | with `--connect-abort`, `--model`, `--audit` |

mod client;

use std::process::ExitCode;

use clap::Parser as _;
use client::{Options, Report};

fn main() -> anyhow::Result<ExitCode> {
    let report = client::run(Options::parse())?;
    print_report(&report)?;
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the report is what it is for")]
fn print_report(report: &Report) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(report)?);
    let (answers, deltas) = (&report.answers, &report.deltas);
    eprintln!(
        "{}: {}/{} whole, {} failed, {} stalled, {} lost, {} repeated; {:.0} deltas/s",
        report.name,
        answers.whole,
        answers.asked,
        answers.failed,
        answers.stalled,
        deltas.lost,
        deltas.repeated,
        deltas.per_second,
    );
    Ok(())
}
