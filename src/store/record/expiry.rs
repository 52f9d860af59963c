//! What has served its time.

use crate::protocol::Timestamp;

use super::Day;

/// What is deleted: all that is older.
#[derive(Clone, Copy, Debug)]
pub struct Expiry {
    /// Events of runs that ended before.
    pub events: Timestamp,
    /// Idempotency keys made before.
    pub keys: Timestamp,
    /// Sessions whose last token was made before.
    pub sessions: Timestamp,
    /// Days before, on which tokens were used.
    pub token_days: Day,
}
