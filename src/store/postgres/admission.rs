//! How many runs may be begun at once.
//!
//! Posting a message is the one thing that clients can ask for at any rate, and its transaction is
//! the longest. Without a bound of their own, posts would take every connection, and the runs that
//! were accepted already could neither read their history nor be stopped.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::store::{Result, StoreError};

/// Why a run was not begun.
#[derive(Debug, thiserror::Error)]
#[error("too many runs are being begun at once")]
struct Crowded;

/// The places for runs that are being begun.
pub(super) struct Admission {
    places: Arc<Semaphore>,
    patience: Duration,
}

impl Admission {
    /// Half of the connections, and at least one.
    pub(super) fn new(connections: u32, patience: Duration) -> Self {
        let places = usize::try_from(connections / 2).unwrap_or(usize::MAX).max(1);
        Self { places: Arc::new(Semaphore::new(places)), patience }
    }

    /// Waits for a place, which is free again when the permit is dropped. A caller that goes away
    /// leaves the line.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when none was free for as long as one would wait for a
    /// connection.
    pub(super) async fn enter(&self) -> Result<OwnedSemaphorePermit> {
        match timeout(self.patience, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(StoreError::Unavailable(Box::new(Crowded))),
        }
    }
}
