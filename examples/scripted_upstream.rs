//! The scripted model as a process, for load generators and for tests that kill things.
//!
//! ```text
//! cargo run --release --example scripted_upstream -- --port 9100
//! ```
//!
//! It prints its base URL, which is what `OPENAI_BASE_URL` takes, and ends on SIGTERM or ctrl-c.
//! It speaks `POST /v1/responses`, `POST /v1/chat/completions` and `GET /v1/models`, on one thread;
//! `GET /counters` says how many calls and connections there are, and were.
//!
//! What it answers stands in the request: when the user's last message is, or holds, a JSON object
//! `{"script": {…}}`, that script is played. Otherwise it says "Hello from the scripted model." in
//! six deltas at once. A request for a title (instructions that begin with "Write a title") is
//! answered "Scripted title".
//!
//! ```json
//! {"script": {"deltas": 200, "interval_ms": 2, "bytes": 24, "stamp": true}}
//! {"script": {"text": "I will look.", "calls": [{"name": "add_task", "arguments": {"title": "x"}}],
//!             "then": {"text": "It is on your list."}}}
//! {"script": {"fail": {"status": 429, "code": "rate_limit_exceeded", "retry_after": 1}}}
//! {"script": {"deltas": 100, "interval_ms": 5, "cut_after": 10}}
//! ```
//!
//! | member | unit, default | meaning |
//! |---|---|---|
//! | `deltas` | 1, with `text`, `refusal` or `calls` 0 | deltas of filling |
//! | `bytes` | 12 | size of each; a stamp may make it larger |
//! | `stamp` | `false` | each begins with `@NANOSECONDS@` of `CLOCK_MONOTONIC`, taken as it is sent |
//! | `text` | none | said after the filling, a word a delta |
//! | `interval_ms` | 0 | pause between two deltas; 0 sends them together |
//! | `first_delay_ms` | 0 | pause after the headers |
//! | `reasoning`, `refusal` | none | said before and after the text, a word a delta |
//! | `calls` | none | `[{"name", "arguments": {…}}]`, made at the end |
//! | `then` | `{"text": "Done."}` | the script of the turn that brings the calls' outputs |
//! | `fail` | none | `{"status", "code", "message", "retry_after" (s)}`: an HTTP error, nothing else |
//! | `error` | none | `{"code", "message"}`: an error in the stream, after all deltas |
//! | `cut_after` | none | deltas after which the connection is cut; 0: without an answer |
//! | `hang_after` | none | deltas after which nothing comes |
//! | `end_after` | none | deltas after which the body ends without its terminal mark |
//! | `finish` | `stop` | `stop`, `length` or `content_filter` |
//!
//! Pauses are on a schedule: 200 deltas 2 ms apart last 400 ms. When sender or reader falls behind,
//! what is overdue is sent at once. An unknown member is answered 400.

use std::net::SocketAddr;

use anyhow::Context as _;
use chatkit_gateway::demo::{
    assistant::DemoAssistant,
    scripted_model::{RequestedScript, ScriptedModel},
};
use clap::Parser;
use rustix::time::{ClockId, clock_gettime};
use tokio::{
    net::{TcpListener, TcpSocket},
    signal::unix::{SignalKind, signal},
};

/// Connections that wait to be accepted: load generators open theirs all at once.
const BACKLOG: u32 = 4096;

/// An OpenAI-compatible server whose answers stand in the requests.
#[derive(Parser)]
struct Arguments {
    /// Port on the loopback interface; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Answer as the demo's assistant does instead.
    #[arg(long)]
    assistant: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let listener = listen(arguments.port).context("cannot listen")?;
    let model = if arguments.assistant {
        ScriptedModel::new(DemoAssistant::new())
    } else {
        ScriptedModel::new(RequestedScript::new(monotonic_nanoseconds))
    };
    let mut terminate = signal(SignalKind::terminate())?;
    print_line(&format!("http://{}/v1", listener.local_addr()?));

    let shutdown = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    model.serve(listener, shutdown).await;
    Ok(())
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], port)))?;
    socket.listen(BACKLOG)
}

/// The clock that all processes of a machine share.
fn monotonic_nanoseconds() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let nanoseconds = i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec);
    u64::try_from(nanoseconds).unwrap_or_default()
}

#[expect(clippy::print_stdout, reason = "whoever started the process reads its address there")]
fn print_line(line: &str) {
    println!("{line}");
}
