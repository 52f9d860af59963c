//! Login: who is calling, and the session tokens that say so.
//!
//! ```text
//! Better Auth JWT ──> better_auth ──> Auth::issue_session ──> session token
//!                        │ keys: key_cache <── jwks                │
//!                        └ or one shared secret                   ├──> Auth::authenticate_session ──> Caller
//!                                                                 ├──> Auth::refresh_session ──> its successor
//!                                                                 └──> Auth::revoke_session
//! ```
//!
//! [`Auth`] is the whole of it to the outside; `http/` holds one and knows nothing else of this
//! module. What it promises:
//!
//! - **The key says how it verifies.** A token's header chooses among our keys by `kid`, never an
//!   algorithm: one that disagrees with its key's is refused.
//! - **A login is not a session, nor the other way round,** even when both are signed with the
//!   same secret.
//! - **Authenticating a session token does no I/O.** Revocations come from memory, which follows
//!   the database within [`REVOCATION_POLL`].
//! - **Every refusal looks the same to the client,** save [`AuthError::SessionExpired`]; the
//!   reason is logged, and neither tokens nor their claims ever are.

mod better_auth;
mod caller;
mod clock;
mod config;
mod jwks;
mod jws;
mod key_cache;
mod session;
mod weakness;

pub use caller::{Auth, Caller, bearer};
pub use clock::Clock;
pub use config::{AuthConfig, ConfigProblem, Login, Secret, SessionSecrets};
pub use session::{
    AnnouncedSessions, IssuedToken, MAX_DETACHED_TTL, REVOCATION_POLL, SESSION_KEPT_FOR,
    SessionKeys, SessionStore,
};

use crate::store::StoreError;

/// Why a caller was not let in, by what can be done about it.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The token does not prove who is calling: 401, one body whatever the reason.
    #[error("unauthorized: {reason}")]
    Unauthorized {
        /// For the log alone.
        reason: &'static str,
    },
    /// A session token of ours that was good once: 401 `session_expired`, so that the client knows
    /// to refresh it or to ask for a new session.
    #[error("session expired")]
    SessionExpired,
    /// It cannot be told now whether the token is good; the same call may work soon: 503.
    #[error("login unavailable: {reason}")]
    Unavailable {
        /// For the log alone.
        reason: &'static str,
    },
    /// The session could not be read or written.
    #[error("session store failed")]
    Store(#[from] StoreError),
}

impl AuthError {
    const fn unauthorized(reason: &'static str) -> Self {
        Self::Unauthorized { reason }
    }
}
