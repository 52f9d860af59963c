//! What becomes of a run when its last reader has gone.
//!
//! A ChatKit page has no cancel request: its Stop closes the connection, and so does a reload, a
//! tunnel or a sleeping phone. The operator says which of these a closed connection is taken for.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{LiveRun, StopReason, presence::Presence};

/// What becomes of a run when its last reader has gone. Readers on other instances count as far as
/// they are known (see `presence`); a run that never had one goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDisconnect {
    /// It goes on.
    #[default]
    Continue,
    /// It is cancelled after this time, unless a reader has come by then.
    CancelAfter(Duration),
}

impl OnDisconnect {
    /// Cancelled at once.
    pub const CANCEL: Self = Self::CancelAfter(Duration::ZERO);
}

/// Cancels the run once it has had readers and then none for that long.
pub(super) async fn cancel_when_left(presence: Arc<Presence>, run: Arc<LiveRun>, grace: Duration) {
    let grace = grace.max(presence.certain_after());
    let left = async {
        // The first one is still to come.
        presence.until_watched(&run, true).await;
        loop {
            presence.until_watched(&run, false).await;
            if timeout(grace, presence.until_watched(&run, true)).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = run.ended() => {}
        () = left => run.stop(StopReason::Cancelled),
    }
}
