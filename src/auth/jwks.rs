//! A key set (RFC 7517, section 5), read down to the keys that may verify a login.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use tracing::warn;

use super::jws::{VerifyingKey, not_null};

/// A JSON document that is no key set.
#[derive(Debug, thiserror::Error)]
#[error("not a key set")]
pub(super) struct NotAKeySet;

/// The keys of a key set, with those that are not used and why, so that a token signed by one of
/// them is refused with that reason.
#[derive(Default)]
pub(super) struct KeySet {
    keys: Vec<Entry>,
}

struct Entry {
    kid: Option<String>,
    key: Result<VerifyingKey, &'static str>,
}

/// What a key set says to a token's `kid`.
pub(super) enum Lookup {
    /// This key.
    Found(VerifyingKey),
    /// The key is not to be used, or it cannot be told which one is meant.
    Refused(&'static str),
    /// No key of that name.
    Unknown,
}

impl KeySet {
    /// Reads a key set. One bad key does not spoil the others.
    pub(super) fn parse(json: &[u8]) -> Result<Self, NotAKeySet> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let document: Document = serde_json::from_slice(json).map_err(|_| NotAKeySet)?;
        Ok(Self { keys: document.keys.into_iter().map(Entry::read).collect() })
    }

    /// The key for a token. A `kid` is an opaque string; of two keys with one `kid` the first
    /// counts. A token without one is taken to mean the only usable key, and refused when there
    /// are several: keys are not tried in turn.
    pub(super) fn find(&self, kid: Option<&str>) -> Lookup {
        let Some(kid) = kid else {
            let mut usable = self.keys.iter().filter_map(|entry| entry.key.as_ref().ok());
            return match (usable.next(), usable.next()) {
                (Some(key), None) => Lookup::Found(key.clone()),
                _ => Lookup::Refused("the token names no key and the key set has not just one"),
            };
        };
        match self.keys.iter().find(|entry| entry.kid.as_deref() == Some(kid)) {
            Some(Entry { key: Ok(key), .. }) => Lookup::Found(key.clone()),
            Some(Entry { key: Err(reason), .. }) => Lookup::Refused(reason),
            None => Lookup::Unknown,
        }
    }

    /// Tells the operator about keys that are not used, and a set that leaves none.
    pub(super) fn log_unusable(&self) {
        for entry in &self.keys {
            if let Err(reason) = entry.key {
                warn!(key.id = entry.kid, reason, "a key of the login's key set is not used");
            }
        }
        if self.keys.iter().all(|entry| entry.key.is_err()) {
            warn!("the login's key set has no usable key: every login will be refused");
        }
    }
}

impl Entry {
    fn read(key: Value) -> Self {
        match serde_json::from_value::<Jwk>(key) {
            Ok(jwk) => Self { key: jwk.verifying_key(), kid: jwk.kid },
            Err(_) => Self { kid: None, key: Err("the key is malformed") },
        }
    }
}

/// The members of a key that are understood: RFC 7517, section 4; RFC 7518, section 6; RFC 8037,
/// section 2.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default, deserialize_with = "not_null")]
    kid: Option<String>,
    #[serde(default, deserialize_with = "not_null")]
    alg: Option<String>,
    #[serde(default, rename = "use", deserialize_with = "not_null")]
    usage: Option<String>,
    #[serde(default, deserialize_with = "not_null")]
    key_ops: Option<Vec<String>>,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
}

impl Jwk {
    /// The key and the one algorithm that it is for: `alg`, which must suit `kty` and `crv`, or
    /// what these leave no choice about. An RSA key without `alg` is for RS256.
    fn verifying_key(&self) -> Result<VerifyingKey, &'static str> {
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Err("the key is not for signatures");
        }
        if self.key_ops.as_ref().is_some_and(|ops| !ops.iter().any(|op| op == "verify")) {
            return Err("the key is not for verifying");
        }
        let (algorithm, key) = match (self.kty.as_str(), self.crv.as_str(), self.alg.as_deref()) {
            ("OKP", "Ed25519", None | Some("EdDSA")) => (Algorithm::EdDSA, self.ed25519()),
            ("EC", "P-256", None | Some("ES256")) => (Algorithm::ES256, self.p256()),
            ("RSA", _, None | Some("RS256")) => (Algorithm::RS256, self.rsa()),
            ("RSA", _, Some("PS256")) => (Algorithm::PS256, self.rsa()),
            ("oct", ..) => return Err("a symmetric key has no place in a public key set"),
            ("EC", "P-521", _) => {
                return Err(
                    "ES512 is not supported: let Better Auth use EdDSA, ES256, RS256 or PS256",
                );
            }
            ("OKP" | "EC", ..) => {
                return Err("the curve is not supported, or not with that alg: \
                            let Better Auth use EdDSA with Ed25519, ES256, RS256 or PS256");
            }
            ("RSA", ..) => return Err("the alg is not supported with RSA: use RS256 or PS256"),
            _ => return Err("the kind of key is not supported"),
        };
        let key = key.ok_or("the key's numbers are malformed or of a wrong length")?;
        Ok(VerifyingKey { algorithm, key })
    }

    fn ed25519(&self) -> Option<DecodingKey> {
        let x = decode(&self.x).filter(|x| x.len() == 32)?;
        // For this curve the "DER" of jsonwebtoken is the bare point.
        Some(DecodingKey::from_ed_der(&x))
    }

    fn p256(&self) -> Option<DecodingKey> {
        let coordinate = |text| decode(text).filter(|number| number.len() == 32);
        coordinate(&self.x).and(coordinate(&self.y))?;
        DecodingKey::from_ec_components(&self.x, &self.y).ok()
    }

    fn rsa(&self) -> Option<DecodingKey> {
        // The verifier takes 2048 to 8192 bits; said here, it is said in the log.
        let n = decode(&self.n).filter(|n| (256..=1024).contains(&n.len()))?;
        let e = decode(&self.e).filter(|e| !e.is_empty())?;
        Some(DecodingKey::from_rsa_raw_components(&n, &e))
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn algorithm_of(key: Value) -> Option<Algorithm> {
        Entry::read(key).key.ok().map(|key| key.algorithm)
    }

    #[test]
    fn the_algorithm_comes_from_the_key() {
        let (point, modulus) = ("A".repeat(43), "A".repeat(342));
        let cases = [
            (json!({"kty": "OKP", "crv": "Ed25519", "x": point}), Some(Algorithm::EdDSA)),
            (json!({"kty": "OKP", "crv": "Ed25519", "alg": "ES256", "x": point}), None),
            (json!({"kty": "OKP", "crv": "Ed448", "alg": "EdDSA", "x": point}), None),
            (json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}), None),
            (json!({"kty": "EC", "crv": "P-256", "x": point, "y": point}), Some(Algorithm::ES256)),
            (json!({"kty": "EC", "crv": "P-256", "x": point}), None),
            (json!({"kty": "EC", "crv": "P-384", "alg": "ES256", "x": point, "y": point}), None),
            (json!({"kty": "EC", "crv": "P-521", "alg": "ES512", "x": point, "y": point}), None),
            (json!({"kty": "RSA", "n": modulus, "e": "AQAB"}), Some(Algorithm::RS256)),
            (
                json!({"kty": "RSA", "alg": "PS256", "n": modulus, "e": "AQAB"}),
                Some(Algorithm::PS256),
            ),
            (json!({"kty": "RSA", "alg": "HS256", "n": modulus, "e": "AQAB"}), None),
            (json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}), None),
            (json!({"kty": "oct", "alg": "HS256", "k": point}), None),
        ];

        for (key, algorithm) in cases {
            assert_eq!(algorithm_of(key.clone()), algorithm, "{key}");
        }
    }

    #[test]
    fn a_key_for_another_purpose_is_not_used() {
        for (member, value, usable) in [
            ("use", json!("sig"), true),
            ("use", json!("enc"), false),
            ("key_ops", json!(["verify"]), true),
            ("key_ops", json!(["encrypt"]), false),
            ("use", json!(null), false),
            ("kid", json!(7), false),
        ] {
            let mut key = json!({"kty": "OKP", "crv": "Ed25519", "x": "A".repeat(43)});
            key[member] = value;

            assert_eq!(algorithm_of(key.clone()).is_some(), usable, "{key}");
        }
    }

    #[test]
    fn a_token_without_kid_means_the_only_usable_key() {
        let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "A".repeat(43)});
        let oct = json!({"kty": "oct", "kid": "b", "k": "AAAA"});
        let set =
            |keys: Value| KeySet::parse(json!({"keys": keys}).to_string().as_bytes()).unwrap();

        assert!(matches!(set(json!([key, oct])).find(None), Lookup::Found(_)));
        assert!(matches!(set(json!([key, key])).find(None), Lookup::Refused(_)));
        assert!(matches!(set(json!([oct])).find(None), Lookup::Refused(_)));
        assert!(matches!(set(json!([oct])).find(Some("b")), Lookup::Refused(_)));
        assert!(matches!(set(json!([oct])).find(Some("a")), Lookup::Unknown));
    }
}
