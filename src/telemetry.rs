//! Logs and metrics of the process.

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, filter::ParseError, fmt, prelude::*};

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Starts logging to standard error. `filter` is what `RUST_LOG` takes.
///
/// Standard output stays free for what commands print.
///
/// # Errors
///
/// When the filter cannot be read.
pub fn start_logging(format: LogFormat, filter: &str) -> Result<(), ParseError> {
    let filter = EnvFilter::try_new(filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => {
            registry.with(fmt::layer().with_writer(std::io::stderr)).init();
        }
        LogFormat::Json => {
            let layer = fmt::layer().json().flatten_event(true).with_writer(std::io::stderr);
            registry.with(layer).init();
        }
    }
    Ok(())
}

/// Seconds, from a fast commit to a slow model.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Starts counting for the process; the handle prints what was counted.
pub fn start_metrics() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .install_recorder()?;
    metrics::describe_counter!("gateway_requests_total", "Requests by route, method and status");
    metrics::describe_histogram!("gateway_response_seconds", "Time to the response's headers");
    metrics::describe_counter!("gateway_runs_total", "Ended runs by status");
    metrics::describe_gauge!("gateway_live_runs", "Runs under way in this process");
    metrics::describe_gauge!("gateway_readers", "Readers of runs of this process");
    metrics::describe_gauge!("gateway_tasks", "Tasks of this process's runtime");
    metrics::describe_histogram!(
        "gateway_first_delta_seconds",
        "From the acceptance of a message to the first text of its answer"
    );
    metrics::describe_counter!("gateway_deltas_total", "Text deltas from models");
    metrics::describe_counter!("gateway_upstream_errors_total", "Failed model calls by code");
    metrics::describe_histogram!("gateway_commit_seconds", "Group commits of runs");
    metrics::describe_gauge!("gateway_redis_up", "1 while Redis works; absent without REDIS_URL");
    metrics::describe_counter!("gateway_redis_errors_total", "Failed connections and commands");
    Ok(handle)
}
