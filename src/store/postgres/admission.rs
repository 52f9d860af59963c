//! How many runs may be begun at once.
//!
//! Posting a message is the one thing that clients can ask for at any rate, and its transaction is
//! the longest. Without a bound of their own, posts would take every connection, and the runs that
//! were accepted already could neither read their history nor be stopped.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::store::{Result, StoreError};

/// The places for runs that are being begun.
pub(super) struct Admission {
    places: Arc<Semaphore>,
    patience: Duration,
    waiting: AtomicUsize,
}

/// One who waits, as long as it is there.
struct InLine<'a>(&'a AtomicUsize);

impl<'a> InLine<'a> {
    fn enter(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Admission {
    /// Half of the connections, and at least one.
    pub(super) fn new(connections: u32, patience: Duration) -> Self {
        let places = usize::try_from(connections / 2).unwrap_or(usize::MAX).max(1);
        let places = Arc::new(Semaphore::new(places));
        Self { places, patience, waiting: AtomicUsize::new(0) }
    }

    /// How many wait for a place.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Waits for a place, which is free again when the permit is dropped. A caller that goes away
    /// leaves the line.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] when none was free for as long as one would wait for a
    /// connection.
    pub(super) async fn enter(&self) -> Result<OwnedSemaphorePermit> {
        let _in_line = InLine::enter(&self.waiting);
        match timeout(self.patience, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(StoreError::crowded()),
        }
    }
}
