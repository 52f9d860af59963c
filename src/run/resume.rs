//! Going on with a run that another process died over, where its agent left a point to go on from.
//!
//! The agent says once more what it said behind that point; what of it is stored is left out, and
//! the rest gets the numbers that it had, so that a reader who saw more than was stored neither
//! misses anything nor sees it twice.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    agent::{ThreadHandle, Turn},
    protocol::{Claims, Timestamp, item::InferenceOptions},
    store::{
        StoreError,
        record::{RunRecord, Usage},
    },
};

use super::{
    LiveRun, OnDisconnect, Opening, RunLog, Runs, disconnect, drive::Drive, live_run::Stop, relay,
    replay::Replay, spans,
};

/// How often a run is gone on with: one that kills its processes must not kill them for ever.
const MAX_TAKE_OVERS: i64 = 5;

/// A point to go on from, as it is stored.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ResumePoint {
    /// The last event before it.
    seq: u64,
    /// Tokens used up to it.
    usage: Option<Usage>,
    /// What the agent needs.
    state: String,
}

impl ResumePoint {
    pub(super) fn new(seq: u64, usage: Option<Usage>, state: String) -> Self {
        Self { seq, usage, state }
    }

    pub(super) fn encode(&self) -> String {
        serde_json::to_string(self).expect("it is plain data with string keys")
    }
}

/// Goes on with a run whose lease this process has now. `false` when there is nothing to go on from.
pub(super) async fn go_on(runs: &Runs, run: &RunRecord) -> Result<bool, StoreError> {
    let point = run.resume_point.as_deref();
    let point: Option<ResumePoint> = point.and_then(|point| serde_json::from_str(point).ok());
    let Some(point) = point.filter(|_| run.lease_token <= MAX_TAKE_OVERS) else {
        return Ok(false);
    };
    let Some(writer) = runs.writer().filter(|_| !runs.is_closing()) else { return Ok(false) };
    let store = &*runs.inner.store;
    let Some(thread) = store.find_thread(&run.user_id, run.thread_id).await? else {
        return Ok(false);
    };
    let segments = relay::read_all(store, run.id).await?;
    let replay = Replay::of(&segments, point.seq);
    let live = Arc::new(LiveRun {
        id: run.id,
        thread_id: run.thread_id,
        user_id: run.user_id.clone(),
        thread: ThreadHandle::new(thread),
        log: Arc::new(RunLog::resuming(segments)),
        stop: Stop::default(),
        ended: CancellationToken::new(),
        started: Instant::now(),
        _slot: runs.inner.slots.take_anyway(&run.user_id),
    });
    // A trace of its own: that of the request ended with the process that began the run.
    let span = spans::run();
    spans::name(&span, &live);
    let turn = Turn {
        run_id: run.id,
        user_id: run.user_id.clone(),
        claims: Claims::default(),
        thread: live.thread.clone(),
        input: None,
        options: InferenceOptions::default(),
        history: runs.history(run.thread_id),
        cancel: live.stop.token.clone(),
        span,
    };
    let lease = runs.lease(run.lease_token);
    let lasted = Duration::from_secs(Timestamp::now().since(run.created_at).as_secs());
    let drive = Drive::new(live.clone(), turn, writer, lease.clone(), runs.inner.limits).resuming(
        point.usage,
        replay,
        lasted,
    );
    runs.live().insert(run.id, live.clone());
    runs.begin_feed(&live, &lease);
    if let OnDisconnect::CancelAfter(grace) = runs.inner.limits.on_disconnect {
        let presence = runs.inner.presence.clone();
        runs.inner.tasks.spawn(disconnect::cancel_when_left(presence, live.clone(), grace));
    }
    runs.inner.tasks.spawn(runs.clone().drive(live, Box::new(drive), Opening::Resume(point.state)));
    Ok(true)
}
