//! Tokens that must not pass, signed with real keys; each differs in one thing from one that does.

use std::sync::LazyLock;

use chatkit_gateway::auth::{Auth, Login};
use serde_json::{Value, json};

use crate::{
    LOGIN_SECRET, MemoryStore, Refusal, SESSION_SECRET, START, TestClock, TestKey, given, instance,
    key_server::KeyServer, keys::base64url, refusal, shared_secret,
};

const ISSUER: &str = "https://app.example";

/// The keys of the login; making the RSA ones takes a while.
struct Keys {
    ed25519: TestKey,
    p256: TestKey,
    p384: TestKey,
    p521: TestKey,
    rs256: TestKey,
    ps256: TestKey,
    oct: TestKey,
    stranger: TestKey,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    ed25519: TestKey::ed25519(),
    p256: TestKey::p256(),
    p384: TestKey::p384(),
    p521: TestKey::p521(),
    rs256: TestKey::rsa("RS256"),
    ps256: TestKey::rsa("PS256"),
    oct: TestKey::secret(b"a symmetric key in a public key set"),
    stranger: TestKey::ed25519(),
});

/// `base` with some members replaced; null takes one away.
fn with(mut base: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { panic!("an object of changes") };
    for (name, value) in changes {
        match value {
            Value::Null => drop(base.as_object_mut().unwrap().shift_remove(&name)),
            value => base[name] = value,
        }
    }
    base
}

fn good_claims() -> Value {
    json!({
        "sub": "alice", "iss": ISSUER, "aud": ISSUER, "iat": START, "exp": START + 900,
        "email": "alice@example.com",
    })
}

fn session_claims() -> Value {
    json!({
        "user_id": "alice", "type": "chatkit_session", "iat": START, "exp": START + 1800,
        "sid": "s", "jti": "j", "auth_time": START,
    })
}

/// Claims that no login may have.
fn bad_claims() -> Vec<(&'static str, Value)> {
    let change = |changes| with(good_claims(), changes);
    vec![
        ("no sub", change(json!({"sub": null}))),
        ("no sub but user_id", change(json!({"sub": null, "user_id": "alice"}))),
        ("sub a number", change(json!({"sub": 7}))),
        ("sub empty", change(json!({"sub": ""}))),
        ("sub with a line break", change(json!({"sub": "alice\n"}))),
        ("sub of 256 bytes", change(json!({"sub": "a".repeat(256)}))),
        ("no exp", change(json!({"exp": null}))),
        ("exp a string", change(json!({"exp": (START + 900).to_string()}))),
        ("exp a fraction", change(json!({"exp": 2_000_000_900.5}))),
        ("exp beyond 64 bits", change(json!({"exp": u64::MAX}))),
        ("expired beyond the leeway", change(json!({"exp": START - 30}))),
        ("expired long ago", change(json!({"exp": i64::MIN}))),
        ("no iat", change(json!({"iat": null}))),
        ("iat a string", change(json!({"iat": "now"}))),
        ("iat in the future", change(json!({"iat": START + 31}))),
        ("iat in the far future", change(json!({"iat": i64::MAX}))),
        ("nbf in the future", change(json!({"nbf": START + 31}))),
        ("nbf a string", change(json!({"nbf": "now"}))),
        ("of a session", change(json!({"type": "chatkit_session"}))),
    ]
}

/// Claims for another issuer or audience.
fn foreign_claims() -> Vec<(&'static str, Value)> {
    let change = |changes| with(good_claims(), changes);
    vec![
        ("no iss", change(json!({"iss": null}))),
        ("another iss", change(json!({"iss": "https://evil.example"}))),
        ("iss with a slash", change(json!({"iss": format!("{ISSUER}/")}))),
        ("iss in capitals", change(json!({"iss": ISSUER.to_uppercase()}))),
        ("iss an array", change(json!({"iss": [ISSUER]}))),
        ("no aud", change(json!({"aud": null}))),
        ("another aud", change(json!({"aud": "client-id-of-an-id-token"}))),
        ("aud an array", change(json!({"aud": [ISSUER]}))),
        ("aud several", change(json!({"aud": [ISSUER, "other"]}))),
        ("aud a prefix", change(json!({"aud": &ISSUER[..ISSUER.len() - 1]}))),
    ]
}

/// Headers that differ from `good` in one thing.
fn bad_headers(good: &Value) -> Vec<(&'static str, String)> {
    let change = |changes| with(good.clone(), changes).to_string();
    let text = good.to_string();
    let open = text.strip_suffix('}').unwrap();
    vec![
        ("alg none", change(json!({"alg": "none"}))),
        ("no alg", change(json!({"alg": null}))),
        ("alg in lower case", change(json!({"alg": good["alg"].as_str().unwrap().to_lowercase()}))),
        ("alg an array", change(json!({"alg": [good["alg"]]}))),
        ("alg of another family", change(json!({"alg": "RS512"}))),
        ("alg unknown", change(json!({"alg": "ES512"}))),
        ("typ of a logout token", change(json!({"typ": "logout+jwt"}))),
        ("typ of an access token", change(json!({"typ": "at+jwt"}))),
        ("typ null", format!("{open},\"typ\":null}}")),
        ("typ a number", change(json!({"typ": 1}))),
        ("crit", change(json!({"crit": ["b64"], "b64": false}))),
        ("crit empty", change(json!({"crit": []}))),
        ("crit null", format!("{open},\"crit\":null}}")),
        ("alg twice", format!("{open},\"alg\":\"none\"}}")),
        ("alg twice the same", format!("{open},\"alg\":{}}}", good["alg"])),
        ("kid a number", change(json!({"kid": 1}))),
        ("an array", format!("[{}]", good["alg"])),
        ("not JSON", "alg=none".to_owned()),
        ("cut off", open.to_owned()),
        ("trailing text", format!("{text}x")),
        ("empty", String::new()),
    ]
}

/// Texts around a good token that are no token.
fn bad_texts(good: &str) -> Vec<(&'static str, String)> {
    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("three parts") };
    let mut tampered = signature.to_owned().into_bytes();
    tampered[5] = if tampered[5] == b'A' { b'B' } else { b'A' };
    let tampered = String::from_utf8(tampered).unwrap();
    let claims = base64url(with(good_claims(), json!({"sub": "mallory"})).to_string());
    vec![
        ("empty", String::new()),
        ("dots", "..".to_owned()),
        ("an opaque token", "Zc1yXqVgU5kR3fN8bT2wJ7mH4sD9aE6p".to_owned()),
        (
            "a session cookie",
            "Zc1yXqVgU5kR3fN8.dGhlIHNpZ25hdHVyZSBvZiBhIGNvb2tpZQ%3D%3D".to_owned(),
        ),
        ("two parts", format!("{header}.{payload}")),
        ("no signature", format!("{header}.{payload}.")),
        ("four parts", format!("{good}.{signature}")),
        ("five parts", format!("{good}.{payload}.{signature}")),
        ("padded", format!("{good}=")),
        ("leading space", format!(" {good}")),
        ("trailing space", format!("{good} ")),
        ("trailing line break", format!("{good}\r\n")),
        ("a line break inside", format!("{header}.\r\n{payload}.{signature}")),
        ("a NUL", format!("{good}\0")),
        ("not ASCII", format!("{good}é")),
        ("tampered signature", format!("{header}.{payload}.{tampered}")),
        ("cut signature", good[..good.len() - 4].to_owned()),
        ("other claims", format!("{header}.{claims}.{signature}")),
        ("standard base64", format!("{header}.{payload}.{}+/", &signature[2..])),
        ("twice", format!("{good},{good}")),
    ]
}

async fn refused_everywhere(auth: &Auth, token: &str) -> bool {
    [
        auth.issue_session(token).await.map(drop),
        auth.authenticate_any(token).await.map(drop),
        auth.authenticate_session(token).map(drop),
        auth.refresh_session(token).await.map(drop),
        auth.revoke_session(token).await,
    ]
    .iter()
    .all(|result| matches!(result, Err(error) if refusal(error) == Refusal::Unauthorized))
}

/// Presents each token everywhere and answers the names of those that were taken anywhere, or
/// refused in another way than with the common 401.
async fn not_refused(auth: &Auth, tokens: &[(String, String)]) -> Vec<String> {
    let mut accepted = Vec::new();
    for (name, token) in tokens {
        if !refused_everywhere(auth, token).await {
            accepted.push(name.clone());
        }
    }
    accepted
}

/// Everything above, signed with `key` under `header`.
fn forge(key: &TestKey, header: &Value) -> Vec<(String, String)> {
    let good = key.token(header, &good_claims());
    let claims = bad_claims().into_iter().map(|(name, claims)| (name, key.token(header, &claims)));
    let headers = bad_headers(header)
        .into_iter()
        .map(|(name, header)| (name, key.token_of_text(&header, &good_claims().to_string())));
    let payloads = ["", "null", "[]", "{", "\"alice\""].map(|payload| {
        ("a payload that is no object", key.token_of_text(&header.to_string(), payload))
    });
    let oversized = with(good_claims(), json!({"image": "x".repeat(8 * 1024)}));
    claims
        .chain(headers)
        .chain(payloads)
        .chain(bad_texts(&good))
        .chain([("oversized", key.token(header, &oversized))])
        .map(|(name, token)| (format!("{header}: {name}"), token))
        .collect()
}

fn foreign(key: &TestKey, header: &Value) -> Vec<(String, String)> {
    foreign_claims()
        .into_iter()
        .map(|(name, claims)| (format!("{header}: {name}"), key.token(header, &claims)))
        .collect()
}

async fn key_set_instance() -> (KeyServer, Auth) {
    let keys = &*KEYS;
    let server = KeyServer::start(&[
        keys.ed25519.jwk("ed"),
        keys.p256.jwk("p256"),
        keys.p384.jwk("p384"),
        keys.p521.jwk("p521"),
        keys.rs256.jwk("rs"),
        keys.ps256.jwk("ps"),
        keys.oct.jwk("oct"),
        with(keys.ed25519.jwk("enc"), json!({"use": "enc"})),
        json!("not a key"),
    ])
    .await;
    let own = Some(ISSUER.to_owned());
    let login = Login::key_set(&server.url(), own.clone(), own).unwrap();
    let auth =
        instance(login, given(SESSION_SECRET, &[]), &MemoryStore::default(), &TestClock::new());
    (server, auth)
}

#[tokio::test]
async fn a_login_signed_by_each_supported_kind_of_key_passes() {
    let (_server, auth) = key_set_instance().await;
    let keys = &*KEYS;

    for (key, kid, alg) in [
        (&keys.ed25519, "ed", "EdDSA"),
        (&keys.p256, "p256", "ES256"),
        (&keys.rs256, "rs", "RS256"),
        (&keys.ps256, "ps", "PS256"),
    ] {
        for typ in [json!(null), json!("JWT"), json!("jwt")] {
            let header = with(json!({"alg": alg, "kid": kid}), json!({ "typ": typ }));
            for changes in [
                json!({}),
                json!({"exp": START - 29}),
                json!({"iat": START + 30, "nbf": START + 30}),
                json!({"type": "admin"}),
            ] {
                let token = key.token(&header, &with(good_claims(), changes.clone()));

                let caller = auth.authenticate_any(&token).await;

                assert_eq!(caller.unwrap().user_id.as_str(), "alice", "{header} {changes}");
                auth.issue_session(&token).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn no_forged_login_passes_the_key_set() {
    let (_server, auth) = key_set_instance().await;
    let keys = &*KEYS;
    let mut tokens = Vec::new();
    for (key, kid, alg) in [
        (&keys.ed25519, "ed", "EdDSA"),
        (&keys.p256, "p256", "ES256"),
        (&keys.rs256, "rs", "RS256"),
        (&keys.ps256, "ps", "PS256"),
    ] {
        let header = json!({"alg": alg, "kid": kid});
        tokens.extend(forge(key, &header));
        tokens.extend(foreign(key, &header));
        let confused = TestKey::secret(&key.public_bytes());
        for header in [json!({"alg": "HS256", "kid": kid}), header] {
            tokens.push((format!("confused: {header}"), confused.token(&header, &good_claims())));
        }
    }
    let misattributed = [
        ("a stranger's key under a known kid", &keys.stranger, "EdDSA", Some("ed")),
        ("a stranger's key under its own kid", &keys.stranger, "EdDSA", Some("stranger")),
        ("no kid in a set of many keys", &keys.ed25519, "EdDSA", None),
        ("the kid of another alg", &keys.ed25519, "EdDSA", Some("p256")),
        ("the kid and alg of another key", &keys.ed25519, "ES256", Some("p256")),
        ("RS256 with the key of PS256", &keys.ps256, "RS256", Some("ps")),
        ("PS256 with the key of RS256", &keys.rs256, "PS256", Some("rs")),
        ("ES384", &keys.p384, "ES384", Some("p384")),
        ("ES512", &keys.p521, "ES512", Some("p521")),
        ("ES512 that calls itself ES256", &keys.p521, "ES256", Some("p521")),
        ("an oct key of the set", &keys.oct, "HS256", Some("oct")),
        ("a key for encryption", &keys.ed25519, "EdDSA", Some("enc")),
        ("a kid in capitals", &keys.ed25519, "EdDSA", Some("ED")),
    ];
    for (name, key, alg, kid) in misattributed {
        let header = with(json!({"alg": alg}), json!({ "kid": kid }));
        tokens.push((name.to_owned(), key.token(&header, &good_claims())));
    }
    let offered = json!({"alg": "EdDSA", "kid": "ed", "jwk": keys.stranger.jwk("ed")});
    tokens.push(("a key in the header".into(), keys.stranger.token(&offered, &good_claims())));
    let session = TestKey::secret(SESSION_SECRET);
    let not_a_session = session.token(&json!({"alg": "HS256"}), &good_claims());
    tokens.push(("the sessions' secret".into(), not_a_session));
    for key in [&keys.ed25519, &keys.stranger] {
        let header = json!({"alg": "EdDSA", "kid": "ed"});
        tokens.push(("a session by EdDSA".into(), key.token(&header, &session_claims())));
    }

    println!("{} forged tokens", tokens.len());
    assert_eq!(not_refused(&auth, &tokens).await, Vec::<String>::new());
}

#[tokio::test]
async fn no_forged_login_passes_the_shared_secret() {
    let login = TestKey::secret(LOGIN_SECRET);
    let header = json!({"alg": "HS256"});
    let auth = instance(
        shared_secret(Some(ISSUER), Some(ISSUER)),
        given(SESSION_SECRET, &[]),
        &MemoryStore::default(),
        &TestClock::new(),
    );
    auth.issue_session(&login.token(&header, &good_claims())).await.unwrap();
    let mut tokens = forge(&login, &header);
    tokens.extend(foreign(&login, &header));
    for alg in ["HS384", "HS512", "RS256", "ES256", "EdDSA"] {
        tokens.push((alg.to_owned(), login.token(&json!({ "alg": alg }), &good_claims())));
    }
    for (name, secret) in [("another secret", SESSION_SECRET), ("an empty secret", b"")] {
        tokens.push((name.to_owned(), TestKey::secret(secret).token(&header, &good_claims())));
    }
    let ed25519 = KEYS.ed25519.token(&json!({"alg": "EdDSA", "kid": "ed"}), &good_claims());
    tokens.push(("EdDSA".to_owned(), ed25519));
    // What Better Auth signs with the same secret: a link to verify an address, a cached session.
    for claims in [
        json!({"email": "alice@example.com", "iat": START, "exp": START + 900}),
        json!({"session": {}, "user": {"id": "alice"}, "iat": START, "exp": START + 900}),
    ] {
        tokens.push((claims.to_string(), login.token(&header, &claims)));
    }

    println!("{} forged tokens", tokens.len());
    assert_eq!(not_refused(&auth, &tokens).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_shared_secret_asks_for_issuer_and_audience_only_when_configured() {
    let login = TestKey::secret(LOGIN_SECRET);
    let bare = json!({"sub": "alice", "iat": START, "exp": START + 900});
    let token = login.token(&json!({"alg": "HS256"}), &bare);
    let configured = |issuer, audience| {
        let login = shared_secret(issuer, audience);
        instance(login, given(SESSION_SECRET, &[]), &MemoryStore::default(), &TestClock::new())
    };

    assert!(configured(None, None).authenticate_any(&token).await.is_ok());
    assert!(configured(Some(ISSUER), None).authenticate_any(&token).await.is_err());
    assert!(configured(None, Some(ISSUER)).authenticate_any(&token).await.is_err());
}

/// The worst configuration: one secret for both.
#[tokio::test]
async fn under_one_secret_a_login_is_no_session_and_a_session_is_no_login() {
    let auth = instance(
        shared_secret(None, None),
        given(LOGIN_SECRET, &[]),
        &MemoryStore::default(),
        &TestClock::new(),
    );
    let key = TestKey::secret(LOGIN_SECRET);
    let header = json!({"alg": "HS256"});
    let login = key.token(&header, &good_claims());
    let session = auth.issue_session(&login).await.unwrap().token;
    let both = with(good_claims(), session_claims());

    assert!(auth.authenticate_session(&login).is_err());
    assert!(auth.refresh_session(&login).await.is_err());
    assert!(auth.revoke_session(&login).await.is_err());
    assert!(auth.issue_session(&session).await.is_err());
    assert!(auth.issue_session(&key.token(&header, &both)).await.is_err());
    assert_eq!(auth.authenticate_any(&login).await.unwrap().session, None);
    assert!(auth.authenticate_any(&session).await.unwrap().session.is_some());
}

#[tokio::test]
async fn a_session_token_needs_every_claim_in_its_type() {
    let auth = instance(
        shared_secret(None, None),
        given(SESSION_SECRET, &[]),
        &MemoryStore::default(),
        &TestClock::new(),
    );
    let key = TestKey::secret(SESSION_SECRET);
    let header = json!({"alg": "HS256"});
    auth.authenticate_session(&key.token(&header, &session_claims())).unwrap();
    let mut tokens = Vec::new();
    for name in ["user_id", "type", "iat", "exp", "sid", "jti", "auth_time"] {
        for value in [json!(null), json!(true), json!([session_claims()[name]]), json!(1.5)] {
            let claims = with(session_claims(), json!({ name: value }));
            tokens.push((format!("{name}: {value}"), key.token(&header, &claims)));
        }
    }
    for (name, value) in [("type", "session"), ("type", ""), ("user_id", "")] {
        let claims = with(session_claims(), json!({ name: value }));
        tokens.push((format!("{name}: {value:?}"), key.token(&header, &claims)));
    }
    for (name, header) in bad_headers(&header) {
        tokens.push((name.into(), key.token_of_text(&header, &session_claims().to_string())));
    }
    for (name, text) in bad_texts(&key.token(&header, &session_claims())) {
        tokens.push((name.into(), text));
    }

    println!("{} forged tokens", tokens.len());
    assert_eq!(not_refused(&auth, &tokens).await, Vec::<String>::new());
}
