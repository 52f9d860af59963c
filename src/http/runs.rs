//! `/api/chatkit/runs/{id}`: what became of a run, its events from any position, its Stop.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    protocol::{RunId, ThreadEvent, ThreadId, Timestamp},
    run::Framing,
    store::record::{RunError, RunRecord, RunStatus, Usage},
};

use super::{
    AppState,
    description::parameters::{LastEventHeader, RunPath, STREAM_EXAMPLE},
    error::ApiError,
    extract::Query,
    login::CallerUser,
    sse,
};

/// A run.
#[derive(Serialize, ToSchema)]
pub(super) struct Run {
    id: RunId,
    thread_id: ThreadId,
    status: RunStatus,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<RunError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

impl From<RunRecord> for Run {
    fn from(run: RunRecord) -> Self {
        Self {
            id: run.id,
            thread_id: run.thread_id,
            status: run.status,
            created_at: run.created_at,
            ended_at: run.ended_at,
            error: run.error,
            usage: run.usage,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// The number of the last event that was seen.
    #[param(minimum = 0)]
    after: Option<u64>,
}

/// A run
#[utoipa::path(
    get,
    path = "/api/chatkit/runs/{id}",
    tag = "Runs",
    params(RunPath),
    responses((status = 200, body = Run, description = "What became of it")),
    security(("session_token" = [])),
)]
pub(super) async fn show_run(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    Path(id): Path<RunId>,
) -> Result<Json<Run>, ApiError> {
    Ok(Json(state.chat.find_run(&user, id).await?.into()))
}

/// A run's events after a position
///
/// Those that were, then those that come, to the end. Without a position from the beginning.
#[utoipa::path(
    get,
    path = "/api/chatkit/runs/{id}/events",
    tag = "Runs",
    params(RunPath, EventsQuery, LastEventHeader),
    responses((status = 200, content((ThreadEvent = "text/event-stream", example = json!(STREAM_EXAMPLE))), description = "Server-Sent Events, one object a `data:` line", headers(
        ("X-Run-Id" = String, description = "The run"),
    ))),
    security(("session_token" = [])),
)]
pub(super) async fn watch_run(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    Path(id): Path<RunId>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let after =
        match headers.get("last-event-id") {
            Some(position) => {
                position.to_str().ok().and_then(|position| read_position(id, position)).ok_or_else(
                    || ApiError::invalid("Last-Event-ID must be RUN_ID:SEQ of this run"),
                )?
            }
            None => query.after.unwrap_or(0),
        };
    let (thread_id, events) = state.chat.watch_run(&user, id, after).await?;
    Ok(sse::respond(id, thread_id, events, Framing::WithId(id)))
}

/// `RUN_ID:SEQ` of this run, or `SEQ` alone.
pub(super) fn read_position(id: RunId, position: &str) -> Option<u64> {
    let seq = match position.split_once(':') {
        Some((run, seq)) if run.parse::<RunId>().is_ok_and(|run| run == id) => seq,
        Some(_) => return None,
        None => position,
    };
    // A sign would be taken, too.
    if seq.bytes().all(|byte| byte.is_ascii_digit()) { seq.parse().ok() } else { None }
}

/// Stops a run
///
/// Idempotent. What was written stays, as a message of status `cancelled`.
#[utoipa::path(
    post,
    path = "/api/chatkit/runs/{id}/cancel",
    tag = "Runs",
    params(RunPath),
    responses((status = 202, body = Run, description = "The run: mostly ended by then")),
    security(("session_token" = [])),
)]
pub(super) async fn cancel_run(
    State(state): State<AppState>,
    CallerUser(user): CallerUser,
    Path(id): Path<RunId>,
) -> Result<(StatusCode, Json<Run>), ApiError> {
    let run = state.chat.cancel_run(&user, id).await?;
    Ok((StatusCode::ACCEPTED, Json(run.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_a_number_of_this_run() {
        let (run, other) = (RunId::new(), RunId::new());

        assert_eq!(read_position(run, "7"), Some(7));
        assert_eq!(read_position(run, &format!("{run}:7")), Some(7));
        for text in ["", "+7", "-7", " 7", "7.0", "99999999999999999999", ":7", "é"] {
            assert_eq!(read_position(run, text), None, "{text:?}");
            assert_eq!(read_position(run, &format!("{run}:{text}")), None, "{text:?}");
        }
        assert_eq!(read_position(run, &format!("{other}:7")), None);
    }
}
