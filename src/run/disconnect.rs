//! What becomes of a run when its last reader has gone.
//!
//! A ChatKit page has no cancel request: its Stop closes the connection, and so does a reload, a
//! tunnel or a sleeping phone. The operator says which of these a closed connection is taken for.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{LiveRun, StopReason};

/// What becomes of a run when its last reader has gone. Readers are those of the run's own process;
/// a run that never had one goes on.
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
pub(super) async fn cancel_when_left(run: Arc<LiveRun>, grace: Duration) {
    let mut readers = run.log.watch_readers();
    let left = async {
        // The first one is still to come.
        let mut is_watched = false;
        loop {
            if readers.wait_for(|count| (*count > 0) != is_watched).await.is_err() {
                return std::future::pending().await;
            }
            is_watched = !is_watched;
            if is_watched {
                continue;
            }
            tokio::select! {
                () = sleep(grace) => return,
                _ = readers.wait_for(|count| *count > 0) => is_watched = true,
            }
        }
    };
    tokio::select! {
        () = run.ended() => {}
        () = left => run.stop(StopReason::Cancelled),
    }
}
