//! Signed tokens in compact form (RFC 7515, section 3.1; RFC 7519), read strictly.
//!
//! `jsonwebtoken` verifies the signatures. Its `decode` is not used: it reads the system's clock
//! and lets pass, by default or always, a mistyped or missing `iss` and `aud`, a future `iat`,
//! any `typ` and any `crit`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::IgnoredAny};

use super::AuthError;

/// The longest token that is looked at: several times what Better Auth makes of a user with a
/// long profile, and what servers take as one header line.
const MAX_BYTES: usize = 8 * 1024;

/// A key and the one algorithm that it verifies.
#[derive(Clone)]
pub(super) struct VerifyingKey {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

/// The members of a header that are understood. Members that offer a key (`jwk`, `jku`, `x5u`,
/// `x5c`) are not among them: keys never come from a token.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default, deserialize_with = "not_null")]
    typ: Option<String>,
    #[serde(default, deserialize_with = "not_null")]
    kid: Option<String>,
    #[serde(default, deserialize_with = "not_null")]
    crit: Option<IgnoredAny>,
}

/// A well-formed token whose signature nobody has checked.
pub(super) struct UnverifiedToken<'a> {
    algorithm: Algorithm,
    kid: Option<String>,
    /// Header and payload as they were signed.
    message: &'a str,
    payload: Vec<u8>,
    signature: &'a str,
}

impl<'a> UnverifiedToken<'a> {
    /// Reads a token: at most 8 KiB, three parts of canonical unpadded base64url, a header with a
    /// known `alg`, with `typ` absent or `JWT` and without `crit`.
    ///
    /// A foreign `typ` is refused since Better Auth signs other kinds of token, such as logout
    /// tokens, with the same keys (RFC 8725, section 3.11).
    pub(super) fn parse(text: &'a str) -> Result<Self, AuthError> {
        let refuse = AuthError::unauthorized;
        if text.len() > MAX_BYTES {
            return Err(refuse("the token is longer than 8 KiB"));
        }
        let (message, signature) = text.rsplit_once('.').ok_or(refuse(
            "not a JWT: an opaque token, perhaps Better Auth's session token; send its JWT",
        ))?;
        let (header, payload) = message.split_once('.').ok_or(refuse(
            "not a JWT: two parts, perhaps Better Auth's session cookie; send its JWT",
        ))?;
        let header: Header = object(&decode(header)?).ok_or(refuse("the header is unreadable"))?;
        let payload = decode(payload)?;
        if header.crit.is_some() {
            return Err(refuse("the header has a crit member"));
        }
        if header.typ.is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
            return Err(refuse("the header has a foreign typ"));
        }
        let algorithm = header
            .alg
            .parse()
            .map_err(|_| refuse("the header has an alg that is not supported"))?;
        Ok(Self { algorithm, kid: header.kid, message, payload, signature })
    }

    /// Which key it claims to be signed with.
    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// What its `type` claim says, if it is a string: good for choosing a verifier, not for more.
    pub(super) fn claimed_type(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Claims {
            r#type: String,
        }
        object::<Claims>(&self.payload).map(|claims| claims.r#type)
    }

    /// Whether `key` signed it. The algorithm is the key's, and the header must name the same.
    pub(super) fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        self.algorithm == key.algorithm
            && crypto::verify(self.signature, self.message.as_bytes(), &key.key, key.algorithm)
                .unwrap_or(false)
    }

    /// Its claims, to be trusted once [`Self::is_signed_by`] said so.
    pub(super) fn claims<C: DeserializeOwned>(&self) -> Result<C, AuthError> {
        object(&self.payload)
            .ok_or(AuthError::unauthorized("a required claim is missing or of a wrong type"))
    }
}

/// The engine refuses padding, whitespace and stray trailing bits, so that one token has one
/// spelling.
fn decode(part: &str) -> Result<Vec<u8>, AuthError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| AuthError::unauthorized("a part of the token is not base64url"))
}

/// Reads a JSON object. Serde would fill a struct from an array, too, and does not look whether what
/// it passes over is UTF-8; a member that the struct has must not come twice.
fn object<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    let json = std::str::from_utf8(json).ok().filter(|json| json.starts_with('{'))?;
    serde_json::from_str(json).ok()
}

/// For optional members, with `#[serde(default)]`: `null` is a value of the wrong type, not
/// absence.
pub(super) fn not_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
