//! Refreshing: the next token for the current one.
//!
//! The rules are those of refresh token rotation (RFC 9700, section 4.14.2), softened where honest
//! clients would be hit: two tabs that refresh at once, or one whose answer got lost, present the
//! same token twice within moments, and get the same successor.

use std::time::Duration;

use tracing::warn;

use super::{REVOKED, Sessions, new_id, token::IssuedToken, token::SessionClaims};
use crate::{
    auth::{AuthError, jws::UnverifiedToken},
    protocol::{Claims, Timestamp},
    store::record::SessionRecord,
    telemetry::audit,
};

/// For how long after its rotation a token gets its successor again.
const REPLAY_WINDOW: Duration = Duration::from_secs(30);

/// How often a lost race is run again. The loser of one race finds the winner's token when it
/// looks; a second loss takes a session that is refreshed by turns within milliseconds.
const MAX_RACES: usize = 3;

/// What a token that is presented for refresh gets.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// It is current: a successor.
    Rotate,
    /// It was current a moment ago: the successor that it got.
    Repeat,
    /// It was rotated away: someone holds a copy. Nobody can tell who, so the session ends.
    Reused,
    /// Nothing: the session is revoked, or another's.
    Refuse,
}

impl Step {
    fn of(claims: &SessionClaims, row: &SessionRecord, now: Timestamp) -> Self {
        if row.revoked_at.is_some() || row.user_id.as_str() != claims.user_id {
            Self::Refuse
        } else if row.current_jti == claims.jti {
            Self::Rotate
        } else if row.previous_jti.as_ref() == Some(&claims.jti)
            && now.since(row.rotated_at) < REPLAY_WINDOW
        {
            Self::Repeat
        } else {
            Self::Reused
        }
    }
}

impl Sessions {
    /// The successor of a token that is live, or expired less than 24 h ago, in a session that
    /// began less than 7 days ago. A token without a session in the database has none.
    pub(in crate::auth) async fn refresh(
        &self,
        token: &UnverifiedToken<'_>,
    ) -> Result<IssuedToken, AuthError> {
        let claims = self.keys.read(token)?;
        let now = self.clock.now();
        let audited = |outcome| audit::session_refreshed(&claims.user_id, &claims.sid, outcome);
        if self.revocations.contains(&claims.sid) {
            audited("revoked");
            return Err(REVOKED);
        }
        if now >= claims.refreshable_until() {
            audited("expired");
            return Err(AuthError::SessionExpired);
        }
        for _ in 0..MAX_RACES {
            let Some(row) = self.store.find_session(&claims.sid).await? else {
                return Err(AuthError::unauthorized("the token belongs to no stored session"));
            };
            match Step::of(&claims, &row, now) {
                Step::Rotate => {
                    if let Some(token) = self.rotate(row, claims.claims.clone(), now).await? {
                        audited("granted");
                        return Ok(token);
                    }
                }
                Step::Repeat => {
                    audited("repeated");
                    return Ok(self.keys.current_token_of(&row, claims.claims, now));
                }
                Step::Reused => {
                    warn!(session.id = row.sid, "a rotated token came back: session revoked");
                    audited("reused");
                    self.revoke_session(&row.sid, &row.user_id, now, "token_reused").await?;
                    return Err(REVOKED);
                }
                Step::Refuse => {
                    audited("revoked");
                    return Err(REVOKED);
                }
            }
        }
        Err(AuthError::Unavailable { reason: "too many refreshes of one session at once" })
    }

    /// Swaps the current token for a new one; `None` when another was faster.
    async fn rotate(
        &self,
        row: SessionRecord,
        claims: Claims,
        now: Timestamp,
    ) -> Result<Option<IssuedToken>, AuthError> {
        let next = SessionRecord { current_jti: new_id(), rotated_at: now, ..row };
        let is_swapped =
            self.store.rotate_session(&next.sid, &row.current_jti, &next.current_jti, now).await?;
        Ok(is_swapped.then(|| self.keys.current_token_of(&next, claims, now)))
    }
}
