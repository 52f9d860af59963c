//! Who makes tokens: the keys of the login and of the sessions, and strangers with keys of the same
//! kinds.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use crate::{LOGIN_SECRET, SESSION_SECRET, START, TestKey};

pub(super) const ISSUER: &str = "https://app.example";
/// A secret that signed sessions once.
pub(super) const RETIRED_SECRET: &[u8] = b"the sessions' secret of the last year";

/// Public keys of the login, and those that a key set may list and that are not to be used. Making
/// the RSA ones takes a while.
pub(super) struct Keys {
    pub(super) ed25519: TestKey,
    pub(super) p256: TestKey,
    pub(super) p384: TestKey,
    pub(super) p521: TestKey,
    pub(super) rs256: TestKey,
    pub(super) ps256: TestKey,
    pub(super) oct: TestKey,
}

pub(super) static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    ed25519: TestKey::ed25519(),
    p256: TestKey::p256(),
    p384: TestKey::p384(),
    p521: TestKey::p521(),
    rs256: TestKey::rsa("RS256"),
    ps256: TestKey::rsa("PS256"),
    oct: TestKey::secret(b"a symmetric key in a public key set"),
});

/// One whose tokens pass somewhere.
pub(super) struct Maker {
    pub(super) name: &'static str,
    pub(super) key: &'static TestKey,
    /// A key of the same kind that nobody here knows.
    pub(super) stranger: &'static TestKey,
    pub(super) header: Value,
    pub(super) claims: Value,
}

/// All of them, by what the tests call them.
pub(super) static MAKERS: LazyLock<Vec<Maker>> = LazyLock::new(|| {
    let keys = &*KEYS;
    let by_set = |name, key, kid, stranger: TestKey| Maker {
        name,
        key,
        stranger: Box::leak(Box::new(stranger)),
        header: json!({ "alg": name, "kid": kid }),
        claims: login_claims(),
    };
    let by_secret = |name, secret: &[u8], claims| Maker {
        name,
        key: Box::leak(Box::new(TestKey::secret(secret))),
        stranger: Box::leak(Box::new(TestKey::secret(b"the secret of a stranger, 32 bytes"))),
        header: json!({ "alg": "HS256", "typ": "JWT" }),
        claims,
    };
    vec![
        by_set("EdDSA", &keys.ed25519, "ed", TestKey::ed25519()),
        by_set("ES256", &keys.p256, "p256", TestKey::p256()),
        by_set("RS256", &keys.rs256, "rs", TestKey::rsa("RS256")),
        by_set("PS256", &keys.ps256, "ps", TestKey::rsa("PS256")),
        by_secret("HS256", LOGIN_SECRET, login_claims()),
        by_secret("session", SESSION_SECRET, session_claims()),
        by_secret("derived session", &derived_key(), session_claims()),
        by_secret("session by the login's secret", LOGIN_SECRET, session_claims()),
        by_secret("session by a retired secret", RETIRED_SECRET, session_claims()),
    ]
});

impl Maker {
    pub(super) fn good(&self) -> String {
        self.key.token(&self.header, &self.claims)
    }

    pub(super) fn makes_sessions(&self) -> bool {
        self.claims["type"] == "chatkit_session"
    }

    /// The name of its key in a key set; one of a secret has none.
    pub(super) fn kid(&self) -> Option<&str> {
        self.header["kid"].as_str()
    }
}

pub(super) fn login_claims() -> Value {
    json!({
        "sub": "alice", "iss": ISSUER, "aud": ISSUER, "iat": START, "exp": START + 900,
        "email": "alice@example.com",
    })
}

pub(super) fn session_claims() -> Value {
    json!({
        "user_id": "alice", "type": "chatkit_session", "iat": START, "exp": START + 1800,
        "sid": "s", "jti": "j", "auth_time": START,
    })
}

/// HKDF-SHA256 of the login's secret (RFC 5869), as the documentation of `SessionKeys` has it.
fn derived_key() -> Vec<u8> {
    derived_for("session token, HS256, version 1")
}

/// A key that the login's secret gives for something else.
pub(super) fn derived_for(purpose: &str) -> Vec<u8> {
    let hmac = |key: &[u8], data: &[u8]| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref().to_vec()
    };
    let extracted = hmac(b"chatkit-gateway", LOGIN_SECRET);
    hmac(&extracted, format!("{purpose}\x01").as_bytes())
}

/// `base` with some members set; null is a value as any other.
pub(super) fn with(mut base: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { panic!("an object of changes") };
    base.as_object_mut().unwrap().extend(changes);
    base
}

pub(super) fn without(mut base: Value, name: &str) -> Value {
    base.as_object_mut().unwrap().shift_remove(name).expect("it is there to be taken away");
    base
}

/// The JSON text of an object and more members behind those that it has.
pub(super) fn and(base: &Value, more: &str) -> String {
    format!("{},{more}}}", base.to_string().strip_suffix('}').unwrap())
}
