//! Session tokens: issued for a login, refreshed, revoked.
//!
//! A session is a row, its tokens are not: a token is good by its signature alone until it
//! expires, unless its session is among the [`Revocations`] in memory.
//!
//! ```text
//!           issue            refresh             refresh
//!   login ────────> token A ────────> token B ────────> token C …   until 7 days after the login
//!                      │                 └ current_jti
//!                      └ previous_jti: presented again within 30 s it gets B again,
//!                        later it revokes the session, as any older token does at once
//! ```

mod announced;
mod keys;
mod refresh;
mod revocations;
mod store;
mod token;

use std::sync::Arc;

use uuid::Uuid;

pub use announced::AnnouncedSessions;
pub use keys::SessionKeys;
pub use revocations::REVOCATION_POLL;
pub(super) use revocations::Revocations;
pub use store::SessionStore;
pub(super) use token::SESSION_TYPE;
pub use token::{IssuedToken, MAX_DETACHED_TTL, SESSION_KEPT_FOR};

use super::{AuthError, Caller, Clock, jws::UnverifiedToken};
use crate::{
    protocol::{Claims, Timestamp, UserId},
    store::record::SessionRecord,
    telemetry::audit,
};

const REVOKED: AuthError = AuthError::unauthorized("the session is revoked");

/// The sessions of this gateway.
pub(super) struct Sessions {
    keys: SessionKeys,
    store: Arc<dyn SessionStore>,
    revocations: Revocations,
    clock: Clock,
}

impl Sessions {
    pub(super) fn new(keys: SessionKeys, store: Arc<dyn SessionStore>, clock: Clock) -> Self {
        let revocations = Revocations::new(Arc::clone(&store), clock.clone());
        Self { keys, store, revocations, clock }
    }

    pub(super) fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// Begins a session for a user who has just logged in.
    pub(super) async fn issue(
        &self,
        user: &UserId,
        claims: Claims,
    ) -> Result<IssuedToken, AuthError> {
        let now = self.clock.now();
        let session = SessionRecord {
            sid: new_id(),
            user_id: user.clone(),
            // In whole seconds, as the tokens have it, so that both agree on the session's end.
            auth_time: Timestamp::from_seconds(now.as_seconds()),
            current_jti: new_id(),
            previous_jti: None,
            rotated_at: now,
            revoked_at: None,
        };
        self.store.insert_session(session.clone()).await?;
        audit::session_issued(user, &session.sid);
        Ok(self.keys.current_token_of(&session, claims, now))
    }

    /// Whose token it is, if it is live. No I/O.
    pub(super) fn verify(&self, token: &UnverifiedToken<'_>) -> Result<Caller, AuthError> {
        let claims = self.keys.read(token)?;
        if self.revocations.contains(&claims.sid) {
            return Err(REVOKED);
        }
        if claims.exp <= self.clock.now().as_seconds() {
            return Err(AuthError::SessionExpired);
        }
        Ok(Caller {
            user_id: claims.user()?,
            session: Some(claims.sid.into()),
            claims: claims.claims,
        })
    }

    /// Ends the session of a token, which may have expired. Idempotent.
    pub(super) async fn revoke(&self, token: &UnverifiedToken<'_>) -> Result<(), AuthError> {
        let claims = self.keys.read(token)?;
        let now = self.clock.now();
        if now >= claims.session_end() {
            return Ok(());
        }
        self.revoke_session(&claims.sid, &claims.user()?, now, "logout").await
    }

    async fn revoke_session(
        &self,
        sid: &str,
        user: &UserId,
        now: Timestamp,
        reason: &'static str,
    ) -> Result<(), AuthError> {
        // In memory first: should the database fail, the session is at least dead here.
        self.revocations.insert(sid);
        self.store.revoke_session(sid, user, now).await?;
        audit::session_revoked(user, sid, reason);
        Ok(())
    }
}

/// An identifier of a session or of a token. It need not be secret: whoever names one must show
/// a signature.
fn new_id() -> String {
    Uuid::now_v7().to_string()
}
