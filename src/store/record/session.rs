//! Login sessions.

use crate::protocol::{Timestamp, UserId};

/// A login session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its identifier, in every token of it.
    pub sid: String,
    /// Whose it is.
    pub user_id: UserId,
    /// When the user logged in.
    pub auth_time: Timestamp,
    /// The identifier of the newest token.
    pub current_jti: String,
    /// The identifier of the token before.
    pub previous_jti: Option<String>,
    /// When the newest token was made.
    pub rotated_at: Timestamp,
    /// When the session was ended.
    pub revoked_at: Option<Timestamp>,
}
