//! What is asked of the load client.

use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Opens streams against a server, measures every delta, and prints what it saw as JSON.
#[derive(Clone, Debug, Parser)]
#[command(name = "load", args_override_self = true)]
pub(crate) struct Options {
    /// What is asked: http://HOST:PORT/PATH.
    #[arg(long)]
    pub(crate) url: String,
    /// How it is asked.
    #[arg(long, value_enum)]
    pub(crate) api: Api,
    /// What the target is called in the report.
    #[arg(long, default_value = "target")]
    pub(crate) name: String,

    /// Streams that go on at the same time, each of a user and in a thread of its own.
    #[arg(long, default_value_t = 50)]
    pub(crate) streams: usize,
    /// Deltas of an answer.
    #[arg(long, default_value_t = 200)]
    pub(crate) deltas: u64,
    /// Milliseconds between two deltas.
    #[arg(long, default_value_t = 2)]
    pub(crate) interval_ms: u64,
    /// Bytes of a delta, its stamp included.
    #[arg(long, default_value_t = 24)]
    pub(crate) bytes: usize,

    /// Time over which the streams arrive, evenly; 0s: all in the same instant, each on a
    /// connection that is open already.
    #[arg(long, default_value = "0s", value_parser = humantime::parse_duration)]
    pub(crate) over: Duration,
    /// Messages of a stream, one after the other.
    #[arg(long, default_value_t = 1)]
    pub(crate) messages: u64,
    /// Go on with new messages for so long, whatever their number.
    #[arg(long = "for", value_parser = humantime::parse_duration)]
    pub(crate) duration: Option<Duration>,
    /// A stream's later messages go on in its thread instead of beginning a new one.
    #[arg(long)]
    pub(crate) same_thread: bool,

    /// Readers of one run instead of streams: the gateway's `/api/chatkit/runs/{id}/events`. All
    /// are dropped at once, and reconnect at once, when half of the deltas have come.
    #[arg(long)]
    pub(crate) readers: Option<usize>,
    /// Besides, so many streams a second that are aborted within 50 ms of their request.
    #[arg(long, value_name = "PER_SECOND")]
    pub(crate) connect_abort: Option<f64>,

    /// Session token of all requests; the gateway's limit of runs a user must be off.
    #[arg(long, conflicts_with = "session_tokens")]
    pub(crate) token: Option<String>,
    /// Sign session tokens, one for each user, by the secret in `CHATKIT_SESSION_SECRET` or
    /// `BETTER_AUTH_SECRET`.
    #[arg(long)]
    pub(crate) session_tokens: bool,
    /// A header of every request, such as `x-user: {user}`.
    #[arg(long = "header")]
    pub(crate) headers: Vec<String>,

    /// A process whose CPU and memory are measured, with the processes that it has started.
    #[arg(long = "watch", value_name = "NAME=PID", value_parser = watched)]
    pub(crate) watched: Vec<(String, u32)>,
    /// Where the scripted model is, http://HOST:PORT: its calls are counted.
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// Afterwards ask the gateway for every thread, and compare what is stored with what was said.
    #[arg(long)]
    pub(crate) audit: bool,

    /// A gap between two deltas beyond which a stream counts as stalled.
    #[arg(long, default_value = "200ms", value_parser = humantime::parse_duration)]
    pub(crate) stall: Duration,
    /// How long an answer may take as a whole.
    #[arg(long, default_value = "120s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
    /// How long the servers are watched after the last answer, so that what they leave for
    /// afterwards is counted.
    #[arg(long, default_value = "300ms", value_parser = humantime::parse_duration)]
    pub(crate) settle: Duration,
    /// Threads of this client.
    #[arg(long, default_value_t = 1)]
    pub(crate) threads: usize,
}

/// How a server is asked for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Api {
    /// The ChatKit protocol: the gateway's `/chatkit`, or the official Python server.
    Chatkit,
    /// The gateway's `/api/chatkit/messages`.
    Messages,
    /// The model's `/v1/responses`, or a proxy in front of it.
    Responses,
}

fn watched(argument: &str) -> Result<(String, u32), String> {
    let (name, pid) = argument.split_once('=').ok_or("must be NAME=PID")?;
    let pid = pid.parse().map_err(|error| format!("{pid} is no process id: {error}"))?;
    Ok((name.to_owned(), pid))
}
