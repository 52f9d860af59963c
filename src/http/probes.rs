//! `/health`, `/ready`, `/metrics`: for balancers and operators.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::AppState;

/// How long the database may take to answer.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    status: &'static str,
    version: &'static str,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Readiness {
    status: &'static str,
    database: &'static str,
    draining: bool,
}

/// The process is alive
#[utoipa::path(
    get,
    path = "/health",
    tag = "Operation",
    responses((status = 200, body = Health, description = "While the process lives")),
)]
pub(super) async fn health() -> Json<Health> {
    Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

/// Able to serve
#[utoipa::path(
    get,
    path = "/ready",
    tag = "Operation",
    responses(
        (status = 200, body = Readiness, description = "While it can serve"),
        (status = 503, body = Readiness, description = "While the database is away or the process is ending"),
    ),
)]
pub(super) async fn ready(State(state): State<AppState>) -> (StatusCode, Json<Readiness>) {
    let check = tokio::time::timeout(CHECK_TIMEOUT, state.store.check()).await;
    let is_reachable = matches!(check, Ok(Ok(_)));
    let draining = state.chat.runs().is_closing();
    let is_ready = is_reachable && !draining;
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let readiness = Readiness {
        status: if is_ready { "ready" } else { "not_ready" },
        database: if is_reachable { "ok" } else { "unavailable" },
        draining,
    };
    (status, Json(readiness))
}

/// Prometheus text
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "Operation",
    responses((status = 200, body = String, content_type = "text/plain", description = "Counters and histograms")),
)]
#[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 runs")]
pub(super) async fn metrics(State(state): State<AppState>) -> String {
    let (runs, readers) = state.chat.runs().counts();
    metrics::gauge!("gateway_live_runs").set(runs as f64);
    metrics::gauge!("gateway_readers").set(readers as f64);
    let waiting = state.chat.runs().queue_length().into_iter().chain(state.store.queue_lengths());
    for (queue, length) in waiting {
        metrics::gauge!("gateway_queue_length", "queue" => queue).set(length as f64);
    }
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    metrics::gauge!("gateway_tasks").set(tasks as f64);
    state.metrics.run_upkeep();
    state.metrics.render()
}
