//! The keys that sign session tokens and verify them.

use std::{fmt, time::Duration};

use aws_lc_rs::hkdf;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};

use super::{
    new_id,
    token::{IssuedToken, MAX_DETACHED_TTL, SESSION_TYPE, SessionClaims, TOKEN_TTL},
};
use crate::{
    auth::{
        AuthError, Secret, SessionSecrets,
        jws::{UnverifiedToken, VerifyingKey},
    },
    protocol::{Claims, Timestamp, UserId},
    store::record::SessionRecord,
};

/// Salt of the derived key: RFC 5869 has it public and fixed.
const DERIVATION_SALT: &[u8] = b"chatkit-gateway";
/// What the derived key is for, so that a second use would get another key.
const DERIVATION_INFO: &[u8] = b"session token, HS256, version 1";

/// The keys of session tokens, HS256.
///
/// Without secrets of its own the key is HKDF-SHA256 (RFC 5869) of the login's secret, 32 bytes,
/// with the salt `chatkit-gateway` and the info `session token, HS256, version 1`: every instance
/// with the same login secret has the same key, and what else that secret signs is no session.
pub struct SessionKeys {
    signing: EncodingKey,
    verifying: Vec<VerifyingKey>,
}

impl SessionKeys {
    /// The keys of `secrets`: the first signs, all verify.
    pub fn new(secrets: &SessionSecrets) -> Self {
        match secrets {
            SessionSecrets::Given { signing, retired } => Self {
                signing: EncodingKey::from_secret(signing.as_bytes()),
                verifying: std::iter::once(signing)
                    .chain(retired)
                    .map(|secret| verifying_key(secret.as_bytes()))
                    .collect(),
            },
            SessionSecrets::DerivedFrom(secret) => {
                let key = derive(secret);
                Self {
                    signing: EncodingKey::from_secret(&key),
                    verifying: vec![verifying_key(&key)],
                }
            }
        }
    }

    /// Makes a token without a session in the database, for scripts and load tests. It cannot be
    /// refreshed; logging it out works. It lives at most [`MAX_DETACHED_TTL`], and in whole
    /// seconds.
    pub fn issue_detached(&self, user: &UserId, ttl: Duration, now: Timestamp) -> IssuedToken {
        let ttl = ttl.min(MAX_DETACHED_TTL);
        self.sign(&SessionClaims::new(user, &new_id(), &new_id(), now, now, ttl), now)
    }

    /// The newest token of a session, always the same bytes: HS256 is deterministic, and
    /// everything in the token stands in the row or in every token of the session.
    pub(super) fn current_token_of(
        &self,
        row: &SessionRecord,
        claims: Claims,
        now: Timestamp,
    ) -> IssuedToken {
        let of_row = SessionClaims::new(
            &row.user_id,
            &row.sid,
            &row.current_jti,
            row.auth_time,
            row.rotated_at,
            TOKEN_TTL,
        );
        self.sign(&of_row.with(claims), now)
    }

    fn sign(&self, claims: &SessionClaims, now: Timestamp) -> IssuedToken {
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.signing)
            .expect("plain data serialises, and HMAC takes any key");
        let expires_in = u64::try_from(claims.exp.saturating_sub(now.as_seconds())).unwrap_or(0);
        IssuedToken { token, expires_at: claims.exp, expires_in }
    }

    /// The claims of a session token of ours, live or not.
    pub(super) fn read(&self, token: &UnverifiedToken<'_>) -> Result<SessionClaims, AuthError> {
        if !self.verifying.iter().any(|key| token.is_signed_by(key)) {
            return Err(AuthError::unauthorized(
                "the session token's signature is wrong, or its alg is not HS256",
            ));
        }
        let claims: SessionClaims = token.claims()?;
        if claims.r#type != SESSION_TYPE {
            return Err(AuthError::unauthorized("the token is not a session token"));
        }
        Ok(claims)
    }
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKeys(redacted)")
    }
}

fn verifying_key(secret: &[u8]) -> VerifyingKey {
    VerifyingKey { algorithm: Algorithm::HS256, key: DecodingKey::from_secret(secret) }
}

fn derive(secret: &Secret) -> [u8; 32] {
    let mut key = [0; 32];
    hkdf::Salt::new(hkdf::HKDF_SHA256, DERIVATION_SALT)
        .extract(secret.as_bytes())
        .expand(&[DERIVATION_INFO], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key))
        .expect("HKDF-SHA256 yields 32 bytes");
    key
}
