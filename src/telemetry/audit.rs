//! The audit log: one line for each thing that changes who may see what, or what there is to see.
//!
//! Its target is `audit`. A line stands in the span of its request, so that it bears the request's
//! id; it holds no token and no text.

use tracing::info;

use crate::protocol::{ThreadId, UserId};

/// The target of the audit log's lines, by which a filter or a collector finds them.
pub const TARGET: &str = "audit";

/// A login became a session.
pub(crate) fn session_issued(user: &UserId, session: &str) {
    info!(
        target: TARGET,
        action = "session.issue",
        outcome = "granted",
        user.id = user.as_str(),
        session.id = session,
        "a session was issued",
    );
}

/// A token was presented for its successor. `outcome` is `granted`, `repeated` (the successor that it
/// got a moment ago), `reused` (it was rotated away before, which ends the session), `revoked` or
/// `expired`.
pub(crate) fn session_refreshed(user: &str, session: &str, outcome: &'static str) {
    info!(
        target: TARGET,
        action = "session.refresh",
        outcome = outcome,
        user.id = user,
        session.id = session,
        "a session was presented for refresh",
    );
}

/// A session was ended: `reason` is `logout` or `token_reused`.
pub(crate) fn session_revoked(user: &UserId, session: &str, reason: &'static str) {
    info!(
        target: TARGET,
        action = "session.revoke",
        outcome = "done",
        reason = reason,
        user.id = user.as_str(),
        session.id = session,
        "a session was revoked",
    );
}

/// A thread was deleted with all that was in it. Which session did it, the lines above tell by the
/// user.
pub(crate) fn thread_deleted(user: &UserId, thread: ThreadId) {
    info!(
        target: TARGET,
        action = "thread.delete",
        outcome = "done",
        user.id = user.as_str(),
        thread.id = %thread,
        "a thread was deleted",
    );
}
