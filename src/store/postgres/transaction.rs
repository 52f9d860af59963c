//! Transactions, each in a task of its own.
//!
//! SQLx can return a connection to the pool with a transaction open when the future that began it
//! is dropped. Here nobody can drop it: a caller that goes away leaves a task that commits or rolls
//! back, and [`Transactions::finish`] waits for it.

use futures_util::future::BoxFuture;
use sqlx::{PgConnection, PgPool};
use tokio_util::task::TaskTracker;

use crate::store::{Result, StoreError};

/// What a transaction does to the connection.
pub(super) type Work<T> =
    Box<dyn for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, Result<T>> + Send>;

/// Runs transactions. Cheap to clone.
#[derive(Clone)]
pub(super) struct Transactions {
    pool: PgPool,
    tasks: TaskTracker,
}

impl Transactions {
    /// Runs them on connections of this pool.
    pub(super) fn new(pool: PgPool) -> Self {
        Self { pool, tasks: TaskTracker::new() }
    }

    /// Runs a transaction and answers when it is committed, or why it was not.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        self.run_if(work, |_| true).await
    }

    /// Runs a transaction whose answer tells whether it is to be committed or rolled back.
    pub(super) async fn run_if<T, F>(&self, work: F, keep: fn(&T) -> bool) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let transaction = transact(self.pool.clone(), Box::new(work), keep);
        let outcome = self.tasks.spawn(transaction).await;
        outcome.unwrap_or_else(|error| Err(StoreError::Unavailable(Box::new(error))))
    }

    /// Waits for the transactions under way.
    pub(super) async fn finish(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Closes the connections.
    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

async fn transact<T>(pool: PgPool, work: Work<T>, keep: fn(&T) -> bool) -> Result<T> {
    let mut transaction = pool.begin().await?;
    let outcome = work(&mut transaction).await;
    if outcome.as_ref().is_ok_and(keep) {
        transaction.commit().await?;
    } else if let Err(error) = transaction.rollback().await {
        tracing::debug!(error = %error, "rollback failed; the server does it when we hang up");
    }
    outcome
}
