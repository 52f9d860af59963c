//! Who is calling, and the handle that tells.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{
    AuthConfig, AuthError, Clock, ConfigProblem, IssuedToken, SessionKeys, SessionStore,
    better_auth::{BetterAuth, Verified},
    jws::UnverifiedToken,
    session::{SESSION_TYPE, Sessions},
};
use crate::protocol::{Claims, UserId};

/// An authenticated caller. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who it is.
    pub user_id: UserId,
    /// The session of the token; `None` for a caller who showed a login's JWT.
    pub session: Option<Arc<str>>,
    /// What the login said of them that agents may know.
    pub claims: Claims,
}

/// Login, whole: a handle, cheap to clone.
///
/// A method that refuses a token has logged why, so its callers need not. Dropping the future of
/// a method is safe: what it was to write is written whole or not at all.
#[derive(Clone)]
pub struct Auth(Arc<Parts>);

struct Parts {
    logins: BetterAuth,
    sessions: Sessions,
    /// The claims that agents may know.
    told: Vec<String>,
}

impl Auth {
    /// Sets login up; nothing is fetched or read yet, see [`Self::load_revocations`] and
    /// [`Self::watch`]. rustls needs its process-wide provider installed before, for key sets.
    pub fn new(
        config: AuthConfig,
        store: impl SessionStore,
        clock: Clock,
    ) -> Result<Self, ConfigProblem> {
        let keys = SessionKeys::new(&config.session);
        let logins = BetterAuth::new(config.login, config.claims.clone(), clock.clone())?;
        let sessions = Sessions::new(keys, Arc::new(store), clock);
        Ok(Self(Arc::new(Parts { logins, sessions, told: config.claims })))
    }

    /// The caller with this session token. No I/O.
    pub fn authenticate_session(&self, bearer: &str) -> Result<Caller, AuthError> {
        logged(UnverifiedToken::parse(bearer).and_then(|token| self.verify_session(&token)))
    }

    /// A token may have been made when agents were told more.
    fn verify_session(&self, token: &UnverifiedToken<'_>) -> Result<Caller, AuthError> {
        let caller = self.0.sessions.verify(token)?;
        Ok(Caller { claims: caller.claims.only(&self.0.told), ..caller })
    }

    /// The caller with this session token or login's JWT. May fetch the key set for the latter.
    ///
    /// What the token says of itself decides how it is verified, and then has to hold.
    pub async fn authenticate_any(&self, bearer: &str) -> Result<Caller, AuthError> {
        let verified = async {
            let token = UnverifiedToken::parse(bearer)?;
            if token.claimed_type().as_deref() == Some(SESSION_TYPE) {
                return self.verify_session(&token);
            }
            let Verified { user_id, claims } = self.0.logins.verify(&token).await?;
            Ok(Caller { user_id, session: None, claims })
        };
        logged(verified.await)
    }

    /// A session for the user who shows this login's JWT.
    pub async fn issue_session(&self, bearer: &str) -> Result<IssuedToken, AuthError> {
        let issued = async {
            let Verified { user_id, claims } =
                self.0.logins.verify(&UnverifiedToken::parse(bearer)?).await?;
            self.0.sessions.issue(&user_id, claims).await
        };
        logged(issued.await)
    }

    /// A session without a login, for the demo's made-up users.
    pub async fn issue_demo_session(&self, user: &UserId) -> Result<IssuedToken, AuthError> {
        self.0.sessions.issue(user, Claims::default()).await
    }

    /// The successor of a session token, which may have expired less than 24 h ago, until 7 days
    /// after the login.
    ///
    /// The token before the current one gets the current one again within 30 s of its rotation;
    /// later it revokes the session.
    pub async fn refresh_session(&self, token: &str) -> Result<IssuedToken, AuthError> {
        let refreshed = async { self.0.sessions.refresh(&UnverifiedToken::parse(token)?).await };
        logged(refreshed.await)
    }

    /// Logs out: all tokens of this one's session stop working, here at once and on other
    /// instances at their next poll. Idempotent; the token may have expired.
    pub async fn revoke_session(&self, token: &str) -> Result<(), AuthError> {
        let revoked = async { self.0.sessions.revoke(&UnverifiedToken::parse(token)?).await };
        logged(revoked.await)
    }

    /// Reads which sessions are revoked. To be awaited once before serving: until then a session
    /// that was revoked before the start is accepted.
    pub async fn load_revocations(&self) -> Result<(), AuthError> {
        Ok(self.0.sessions.revocations().poll().await?)
    }

    /// Takes it from another instance that a session is revoked.
    pub fn learn_revocation(&self, sid: &str) {
        self.0.sessions.revocations().insert(sid);
    }

    /// Follows revocations by other instances and keeps the key set fresh, until `shutdown`.
    pub async fn watch(self, shutdown: CancellationToken) {
        tokio::join!(
            self.0.sessions.revocations().watch(&shutdown),
            self.0.logins.watch(&shutdown),
        );
    }
}

/// The token of an `Authorization` header's value, if its scheme is `Bearer` (in any case: RFC
/// 9110, section 11.1).
pub fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim_start_matches(' '))
}

/// Says why a token was refused; failures of ours are for the caller to log with its request.
fn logged<T>(result: Result<T, AuthError>) -> Result<T, AuthError> {
    if let Err(AuthError::Unauthorized { reason }) = &result {
        info!(reason, "token refused");
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_bearer_scheme_carries_a_token() {
        for (header, token) in [
            ("Bearer a.b.c", Some("a.b.c")),
            ("bearer  a.b.c", Some("a.b.c")),
            ("Bearer ", Some("")),
            ("Bearer", None),
            ("Basic a.b.c", None),
            ("a.b.c", None),
        ] {
            assert_eq!(bearer(header), token, "{header}");
        }
    }
}
