//! Every metric of the process: what it is called, what it means, and what its labels are.
//! `docs/operating.md` has the same table.

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// What kind of metric it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only rises while the process lives.
    Counter,
    /// As it is at the moment.
    Gauge,
    /// How values are spread, in seconds.
    Histogram,
}

/// A metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// The labels that tell its series apart.
    pub labels: &'static [&'static str],
    /// What it means, in a line.
    pub help: &'static str,
}

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, kind: Kind::Counter, labels, help }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, labels, help }
}

const fn histogram(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, kind: Kind::Histogram, labels, help }
}

/// All metrics, by what they are about.
pub const METRICS: [Metric; 22] = [
    counter("gateway_requests_total", &["method", "route", "status"], "Requests"),
    histogram("gateway_response_seconds", &["route"], "From a request to its response's headers"),
    counter("gateway_http_errors_total", &["code"], "Error answers by their code"),
    counter("gateway_requests_refused_total", &["limit"], "Requests too many in a minute"),
    counter("gateway_connections_refused_total", &[], "Connections too many of an address"),
    counter("gateway_runs_total", &["status"], "Ended runs by how they ended"),
    counter("gateway_run_errors_total", &["code"], "Failed and interrupted runs by their error"),
    gauge("gateway_live_runs", &[], "Runs under way in this process"),
    gauge("gateway_readers", &[], "Readers of runs of this process"),
    histogram(
        "gateway_first_delta_seconds",
        &[],
        "From the acceptance of a message to the first text of its answer",
    ),
    counter("gateway_deltas_total", &[], "Text deltas from models"),
    histogram(
        "gateway_delta_delay_seconds",
        &[],
        "From a delta's arrival to its frame for a reader: the first of an answer and every 128th",
    ),
    counter("gateway_upstream_errors_total", &["code"], "Failed model calls by code"),
    histogram("gateway_model_call_seconds", &["model"], "Model calls of runs, to their end"),
    counter("gateway_tokens_total", &["model", "direction"], "Tokens, as models' servers say"),
    histogram("gateway_begin_seconds", &[], "Transactions that accept a run, their queue included"),
    histogram("gateway_commit_seconds", &[], "Group commits of runs"),
    gauge("gateway_queue_length", &["queue"], "What waits to be written or sent at the moment"),
    gauge("gateway_mcp_server_up", &["server"], "1 while a tool server is connected"),
    gauge("gateway_redis_up", &[], "1 while Redis works; absent without REDIS_URL"),
    counter("gateway_redis_errors_total", &[], "Failed connections and commands"),
    gauge("gateway_tasks", &[], "Tasks of this process's runtime"),
];

/// Seconds, from a fast commit to a slow model.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Seconds, from what a delta mostly takes to what a reader sees as a stall.
const DELAYS: [f64; 12] =
    [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.2, 1.0, 5.0];

/// Starts counting for the process; the handle prints what was counted.
pub fn start_metrics() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Full("gateway_delta_delay_seconds".to_owned()), &DELAYS)?
        .install_recorder()?;
    for Metric { name, kind, help, .. } in METRICS {
        match kind {
            Kind::Counter => metrics::describe_counter!(name, help),
            Kind::Gauge => metrics::describe_gauge!(name, help),
            Kind::Histogram => metrics::describe_histogram!(name, help),
        }
    }
    Ok(handle)
}
