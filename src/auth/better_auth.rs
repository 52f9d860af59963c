//! Verifies the JWTs that Better Auth makes of its sessions.
//!
//! Facts, from Better Auth's JWT plugin: the token has a header of `alg` and `kid`, the user's id
//! in `sub`, its base URL in `iss` and `aud`, lives 15 minutes and is not the session cookie. The
//! same keys and the same secret sign other things: session caches, e-mail verification links,
//! ID and logout tokens. These differ in `sub`, `aud` or `typ`, so all of them are looked at
//! strictly.

use std::{sync::Arc, time::Duration};

use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::{
    AuthError, Clock, ConfigProblem, Login,
    jws::{UnverifiedToken, VerifyingKey, not_null},
    key_cache::KeyCache,
    session::SESSION_TYPE,
};
use crate::protocol::{Claims, Timestamp, UserId};

/// How far the login's clock and ours may be apart, in seconds.
const LEEWAY: i64 = 30;

/// How often it is looked whether the key set wants renewal.
const RENEWAL_CHECK: Duration = Duration::from_secs(5);

/// How large the claims may be that agents may know, in bytes of JSON: they go with every request
/// of the session, in its token.
const MAX_CLAIMS: usize = 4096;

/// The verifier of logins.
pub(super) struct BetterAuth {
    keys: Keys,
    expected: Expected,
    /// The claims that agents may know.
    told: Vec<String>,
    clock: Clock,
}

enum Keys {
    Set(Arc<KeyCache>),
    Secret(VerifyingKey),
}

/// What `iss` and `aud` must be; `None` is anything, or nothing.
struct Expected {
    issuer: Option<String>,
    audience: Option<String>,
}

/// Who logged in, and what agents may know of them.
pub(super) struct Verified {
    pub(super) user_id: UserId,
    pub(super) claims: Claims,
}

/// RFC 7519, section 4.1. Times are whole seconds since 1970; the RFC allows fractions, Better
/// Auth writes none.
#[derive(Deserialize)]
struct Registered {
    exp: i64,
    iat: i64,
    sub: String,
    #[serde(default, deserialize_with = "not_null")]
    nbf: Option<i64>,
    #[serde(default, deserialize_with = "not_null")]
    iss: Option<Value>,
    #[serde(default, deserialize_with = "not_null")]
    aud: Option<Value>,
}

impl BetterAuth {
    pub(super) fn new(
        login: Login,
        told: Vec<String>,
        clock: Clock,
    ) -> Result<Self, ConfigProblem> {
        let (keys, issuer, audience) = match login {
            Login::KeySet { url, issuer, audience } => {
                (Keys::Set(KeyCache::new(url, clock.clone())?), Some(issuer), Some(audience))
            }
            Login::SharedSecret { secret, issuer, audience } => {
                let key = DecodingKey::from_secret(secret.as_bytes());
                (Keys::Secret(VerifyingKey { algorithm: Algorithm::HS256, key }), issuer, audience)
            }
        };
        Ok(Self { keys, expected: Expected { issuer, audience }, told, clock })
    }

    /// Who logged in, by the token's signature and claims. May fetch the key set.
    pub(super) async fn verify(&self, token: &UnverifiedToken<'_>) -> Result<Verified, AuthError> {
        if token.claimed_type().as_deref() == Some(SESSION_TYPE) {
            return Err(AuthError::unauthorized("a session token where a login is asked for"));
        }
        let is_genuine = match &self.keys {
            Keys::Set(keys) => token.is_signed_by(&keys.find(token.kid()).await?),
            Keys::Secret(key) => token.is_signed_by(key),
        };
        if !is_genuine {
            return Err(AuthError::unauthorized(
                "the login's signature is wrong, or its alg is not its key's",
            ));
        }
        let user_id = self.expected.check(&token.claims()?, self.clock.now())?;
        Ok(Verified { user_id, claims: self.told_of(token)? })
    }

    /// What agents may know of a token that was verified.
    fn told_of(&self, token: &UnverifiedToken<'_>) -> Result<Claims, AuthError> {
        if self.told.is_empty() {
            return Ok(Claims::default());
        }
        let claims: Map<String, Value> = token.claims()?;
        let claims = Claims::new(claims).only(&self.told);
        let size = serde_json::to_vec(&claims).map_or(usize::MAX, |json| json.len());
        if size > MAX_CLAIMS {
            return Err(AuthError::unauthorized(
                "the claims that gateway.toml names are larger than 4 KiB",
            ));
        }
        Ok(claims)
    }

    /// Keeps the key set fresh until `shutdown`.
    pub(super) async fn watch(&self, shutdown: &CancellationToken) {
        let Keys::Set(keys) = &self.keys else { return };
        let mut ticks = tokio::time::interval(RENEWAL_CHECK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            shutdown.run_until_cancelled(keys.renew()).await;
        }
    }
}

impl Expected {
    /// `aud` must be one string: a token for several audiences may have been made for another of
    /// them, and Better Auth makes no such token unless told to.
    fn check(&self, claims: &Registered, now: Timestamp) -> Result<UserId, AuthError> {
        let now = now.as_seconds();
        let refuse = |reason| Err(AuthError::unauthorized(reason));
        if !matches(self.issuer.as_deref(), claims.iss.as_ref()) {
            return refuse("iss is not BETTER_AUTH_ISSUER");
        }
        if !matches(self.audience.as_deref(), claims.aud.as_ref()) {
            return refuse("aud is not BETTER_AUTH_AUDIENCE, as one string");
        }
        if claims.exp.saturating_add(LEEWAY) <= now {
            return refuse("the login has expired");
        }
        if claims.iat.saturating_sub(LEEWAY) > now {
            return refuse("iat lies in the future");
        }
        if claims.nbf.is_some_and(|nbf| nbf.saturating_sub(LEEWAY) > now) {
            return refuse("nbf lies in the future");
        }
        UserId::parse(&claims.sub).or_else(|_| refuse("sub is no user id"))
    }
}

fn matches(expected: Option<&str>, claimed: Option<&Value>) -> bool {
    expected.is_none_or(|expected| claimed.and_then(Value::as_str) == Some(expected))
}
