//! Hands a live run's events on to the instances that do not drive it.
//!
//! A task of its own for each run. It takes what readers may see, and while one entry is on its way
//! more comes together and goes as the next: nothing is delayed, and nobody waits for it. Where
//! Redis is away there is nothing to keep: the log has it all, and so has the database, which is
//! where the others look meanwhile.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    live::{Entry, Live, RENEW_EVERY},
    protocol::RunId,
    store::record::Lease,
};

use super::log::{LogFeed, RunLog};

/// How large one entry gets, about: as much as a reader is given at a time.
const ENTRY_BYTES: usize = 64 * 1024;

/// A run's events on their way to other instances.
pub(super) struct Feeder {
    pub(super) live: Live,
    pub(super) run: RunId,
    pub(super) token: u64,
    pub(super) log: Arc<RunLog>,
    pub(super) ended: CancellationToken,
}

impl Feeder {
    /// Feeds until the run's log has ended. Whether the end is stored, who follows looks up: also
    /// a process that has lost its run to another comes to an end of its log.
    pub(super) async fn feed(self) {
        let source = LogFeed::new(self.log.clone());
        let (mut fed, mut renewed) = (0, None);
        loop {
            let next = source.next(fed, ENTRY_BYTES).await;
            let is_end = next.is_none();
            let (last, entry) = match next {
                Some(chunk) => (
                    chunk.last_seq,
                    Entry::of(self.token, chunk.first_seq, chunk.last_seq, chunk.payload),
                ),
                None => (fed, Entry::end(self.token)),
            };
            let renew = renewed.is_none_or(|at: Instant| at.elapsed() >= RENEW_EVERY);
            match self.live.publish(self.run, &entry, renew).await {
                Ok(()) => {
                    fed = last;
                    if renew {
                        renewed = Some(Instant::now());
                    }
                }
                // What comes behind the end of the run is of no use to anybody.
                Err(error) => {
                    let recovered = self.live.recovered(&error);
                    if self.ended.run_until_cancelled(recovered).await.is_none() {
                        return;
                    }
                }
            }
            if is_end {
                return;
            }
        }
    }
}

/// The token of a lease, as entries carry it.
pub(super) fn token(lease: &Lease) -> u64 {
    token_of(lease.token)
}

/// The same of a stored one. It begins with 1 and rises.
pub(super) fn token_of(token: i64) -> u64 {
    u64::try_from(token).unwrap_or(0)
}
