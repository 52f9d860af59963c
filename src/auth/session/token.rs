//! What a session token says, and for how long.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    auth::AuthError,
    protocol::{Claims, Timestamp, UserId},
};

/// The `type` of a session token, which no login has.
pub(in crate::auth) const SESSION_TYPE: &str = "chatkit_session";

/// `exp - iat` of a session token, unless the session ends before.
pub(super) const TOKEN_TTL: Duration = Duration::from_mins(30);

/// For how long after it expired a token may be refreshed.
pub(super) const REFRESH_GRACE: Duration = Duration::from_hours(24);

/// How long after the login every session ends; no token lives past it.
const SESSION_TTL: Duration = Duration::from_hours(7 * 24);

/// The longest life of a token made by the command line. It bounds how long a revocation must be
/// remembered.
pub const MAX_DETACHED_TTL: Duration = Duration::from_hours(24);

/// How long a session's row must be kept after its last token was made: until that token can be
/// refreshed no more, and an hour for clocks that differ.
pub const SESSION_KEPT_FOR: Duration =
    TOKEN_TTL.saturating_add(REFRESH_GRACE).saturating_add(Duration::from_hours(1));

/// The claims of a session token; times in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SessionClaims {
    pub(super) user_id: String,
    pub(super) r#type: String,
    pub(super) iat: i64,
    pub(super) exp: i64,
    pub(super) sid: String,
    pub(super) jti: String,
    pub(super) auth_time: i64,
    /// What the login said of its user that agents may know. It stands in the tokens alone, each
    /// taken over from the one before.
    #[serde(default, skip_serializing_if = "Claims::is_empty")]
    pub(super) claims: Claims,
}

impl SessionClaims {
    /// The claims of a token made at `issued_at`, cut off where its session ends.
    pub(super) fn new(
        user: &UserId,
        sid: &str,
        jti: &str,
        auth_time: Timestamp,
        issued_at: Timestamp,
        ttl: Duration,
    ) -> Self {
        let exp = Timestamp::from_seconds(issued_at.as_seconds()).plus(ttl);
        Self {
            user_id: user.as_str().to_owned(),
            r#type: SESSION_TYPE.to_owned(),
            iat: issued_at.as_seconds(),
            exp: exp.min(session_end(auth_time)).as_seconds(),
            sid: sid.to_owned(),
            jti: jti.to_owned(),
            auth_time: auth_time.as_seconds(),
            claims: Claims::default(),
        }
    }

    /// With what the login said of its user.
    pub(super) fn with(self, claims: Claims) -> Self {
        Self { claims, ..self }
    }

    /// Whose session it is.
    pub(super) fn user(&self) -> Result<UserId, AuthError> {
        UserId::parse(&self.user_id).map_err(|_| AuthError::unauthorized("user_id is no user id"))
    }

    /// When the session ends, exclusive.
    pub(super) fn session_end(&self) -> Timestamp {
        session_end(Timestamp::from_seconds(self.auth_time))
    }

    /// Until when, exclusive, the token can be refreshed.
    pub(super) fn refreshable_until(&self) -> Timestamp {
        Timestamp::from_seconds(self.exp).plus(REFRESH_GRACE).min(self.session_end())
    }
}

fn session_end(auth_time: Timestamp) -> Timestamp {
    Timestamp::from_seconds(auth_time.as_seconds()).plus(SESSION_TTL)
}

/// A token for its user.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuedToken {
    /// The token.
    pub token: String,
    /// When it expires, in seconds since 1970.
    pub expires_at: i64,
    /// In how many seconds it expires: 1800, less near the end of the session, and less when the
    /// token was made a moment ago for someone else who asked.
    pub expires_in: u64,
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}
