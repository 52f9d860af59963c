//! Tokens that must not pass: each differs in one thing from one that does, and is rightly signed
//! unless its signature is what is wrong with it.
//!
//! | file | differs in |
//! |---|---|
//! | `claims` | the payload, or a claim in it |
//! | `headers` | the header: algorithm, kind, name of the key, a key that it brings along |
//! | `texts` | the spelling, or parts taken from elsewhere |
//! | `signatures` | the signature, by algorithm |
//! | `confusion` | the key: a public one taken for a secret |
//!
//! `makers` has those whose tokens pass somewhere. Every token is shown to every place, each a login
//! that is configured in another way, at all five doors of it; and each place is shown the makers'
//! good tokens before and after, lest it refuse everything.

mod claims;
mod confusion;
mod headers;
mod makers;
mod signatures;
mod texts;

use std::{collections::HashSet, sync::LazyLock};

use chatkit_gateway::auth::{Auth, Login, SessionSecrets};
use serde_json::{Value, json};

use self::makers::{
    ISSUER, KEYS, MAKERS, Maker, RETIRED_SECRET, derived_for, login_claims, session_claims, with,
    without,
};
use crate::{
    LOGIN_SECRET, MemoryStore, Refusal, SESSION_SECRET, START, TestClock, TestKey, given, instance,
    key_server::KeyServer, refusal, secret, shared_secret,
};

/// How many forged tokens there are at least; a table that shrinks by accident is seen.
const AT_LEAST: usize = 4_500;

/// A token that must not pass.
struct Forged {
    name: String,
    token: String,
    wherever: Wherever,
}

/// Where a token must not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wherever {
    Anywhere,
    /// Where `iss` and `aud` are asked for.
    IssuerMatters,
    /// Where a token must say which key it is signed with.
    KeysAreMany,
}

/// All of them, made once for all tests.
static FORGED: LazyLock<Vec<Forged>> = LazyLock::new(|| {
    let makers = &*MAKERS;
    let mut all = Vec::new();
    for maker in makers {
        let mut add = |wherever, tokens: Vec<(String, String)>| {
            all.extend(tokens.into_iter().map(|(name, token)| Forged {
                name: format!("{}: {name}", maker.name),
                token,
                wherever,
            }));
        };
        let sign = |claims: Vec<(String, Vec<u8>)>| {
            let header = maker.header.to_string();
            let sign = |(name, claims): (String, Vec<u8>)| {
                (name, maker.key.token_of_text(&header, claims))
            };
            claims.into_iter().map(sign).collect::<Vec<_>>()
        };
        add(Wherever::Anywhere, sign(claims::bad(maker)));
        add(Wherever::Anywhere, headers::bad(maker));
        add(Wherever::Anywhere, headers::misnamed(maker));
        add(Wherever::KeysAreMany, headers::unnamed(maker));
        add(Wherever::Anywhere, headers::offered(maker));
        add(Wherever::Anywhere, headers::crossed(maker, makers));
        add(Wherever::Anywhere, texts::bad(maker));
        add(Wherever::Anywhere, signatures::bad(maker));
        add(Wherever::Anywhere, confusion::bad(maker));
        if !maker.makes_sessions() {
            add(Wherever::IssuerMatters, sign(claims::foreign()));
        }
    }
    let strays = strays().into_iter();
    all.extend(strays.map(|(name, token)| Forged { name, token, wherever: Wherever::Anywhere }));
    all
});

/// Tokens for one door by the key of another, and by keys of a set that are none of its own.
fn strays() -> Vec<(String, String)> {
    let keys = &*KEYS;
    let hs256 = json!({ "alg": "HS256", "typ": "JWT" });
    let mut strays = Vec::new();
    let mut add = |name: &str, key: &TestKey, header: &Value, claims: &Value| {
        strays.push((format!("{name} under {header}"), key.token(header, claims)));
    };
    let bare = without(without(login_claims(), "iss"), "aud");
    let both = with(login_claims(), session_claims());
    for maker in MAKERS.iter() {
        let is_of_login = maker.kid().is_some();
        let name = format!("{}: a session by a key of the set", maker.name);
        if is_of_login {
            add(&name, maker.key, &maker.header, &session_claims());
        }
        let name = format!("{}: what is a login and a session", maker.name);
        add(&name, maker.stranger, &maker.header, &both);
    }
    let derived = derived_for("session token, HS256, version 1");
    for secret in [SESSION_SECRET, RETIRED_SECRET, derived.as_slice()] {
        let key = TestKey::secret(secret);
        for claims in [&login_claims(), &bare] {
            add("a login by a secret of sessions", &key, &hs256, claims);
            add(
                "one by a secret of sessions",
                &key,
                &json!({ "alg": "HS256", "kid": "ed" }),
                claims,
            );
        }
    }
    for purpose in ["", "session token, HS256, version 2", "session token", "login"] {
        let key = TestKey::secret(&derived_for(purpose));
        for claims in [&login_claims(), &bare, &session_claims(), &both] {
            add(&format!("a key derived for {purpose:?}"), &key, &hs256, claims);
        }
    }
    for alg in ["HS384", "HS512"] {
        let key = TestKey::secret(LOGIN_SECRET);
        add("the login's secret", &key, &json!({ "alg": alg }), &login_claims());
    }
    for (name, key, alg, kid) in [
        ("ES384", &keys.p384, "ES384", "p384"),
        ("ES384 that calls itself ES256", &keys.p384, "ES256", "p384"),
        ("ES512", &keys.p521, "ES512", "p521"),
        ("ES512 that calls itself ES256", &keys.p521, "ES256", "p521"),
        ("an oct key of the set", &keys.oct, "HS256", "oct"),
        ("an oct key of the set that calls itself EdDSA", &keys.oct, "EdDSA", "ed"),
        ("a key for encryption", &keys.ed25519, "EdDSA", "enc"),
        ("a key that wraps others", &keys.rs256, "RS256", "wrap"),
    ] {
        add(name, key, &json!({ "alg": alg, "kid": kid }), &login_claims());
        add(name, key, &json!({ "alg": alg }), &session_claims());
    }
    strays
}

/// A login in one configuration.
struct Place {
    auth: Auth,
    store: MemoryStore,
    /// Whose good tokens pass.
    welcome: &'static [&'static str],
    asks_for_issuer: bool,
    has_many_keys: bool,
}

impl Place {
    fn new(login: Login, sessions: SessionSecrets, welcome: &'static [&'static str]) -> Self {
        let store = MemoryStore::default();
        let auth = instance(login, sessions, &store, &TestClock::new());
        Self { auth, store, welcome, asks_for_issuer: true, has_many_keys: true }
    }

    fn by_secret(sessions: SessionSecrets, welcome: &'static [&'static str]) -> Self {
        Self::new(shared_secret(Some(ISSUER), Some(ISSUER)), sessions, welcome)
    }

    fn by_key_set(
        server: &KeyServer,
        sessions: SessionSecrets,
        welcome: &'static [&'static str],
    ) -> Self {
        let own = Some(ISSUER.to_owned());
        let login = Login::key_set(&server.url(), own.clone(), own).unwrap();
        Self::new(login, sessions, welcome)
    }

    /// Shows it every forged token, and its guests' good ones before and after.
    async fn withstands_all(&self) {
        self.knows_its_guests("before").await;
        let rows = self.store.len();
        let (mut tried, mut passed) = (HashSet::new(), Vec::new());

        for forged in self.unwelcome() {
            tried.insert(forged.token.as_str());
            if !is_refused_everywhere(&self.auth, &forged.token).await {
                passed.push(&forged.name);
            }
        }

        eprintln!(
            "{} forged tokens at 5 doors of {:?}: {}",
            tried.len(),
            self.welcome,
            passed.len()
        );
        assert_eq!(passed, Vec::<&String>::new());
        assert!(tried.len() >= AT_LEAST, "{}", tried.len());
        assert_eq!(self.store.len(), rows, "nothing was written for any of them");
        self.knows_its_guests("after").await;
    }

    fn unwelcome(&self) -> impl Iterator<Item = &'static Forged> {
        FORGED.iter().filter(|forged| match forged.wherever {
            Wherever::Anywhere => true,
            Wherever::IssuerMatters => self.asks_for_issuer,
            Wherever::KeysAreMany => self.has_many_keys,
        })
    }

    /// The good token of each maker passes at the doors that it is for, or at none.
    async fn knows_its_guests(&self, sid: &str) {
        for maker in MAKERS.iter() {
            // A session of its own, since the last door ends it.
            let of_session =
                with(maker.claims.clone(), json!({ "sid": format!("{sid}, {}", maker.name) }));
            for token in [maker.good(), maker.key.token(&maker.header, &of_session)] {
                if !self.welcome.contains(&maker.name) {
                    assert!(is_refused_everywhere(&self.auth, &token).await, "{}", maker.name);
                    continue;
                }
                let opened = self.opened(maker, &token).await;
                // A session that was never stored has no successor.
                let expected = if maker.makes_sessions() {
                    [false, true, true, false]
                } else {
                    [true, true, false, false]
                };
                assert_eq!(opened, expected, "{}", maker.name);
            }
            let token = maker.key.token(&maker.header, &of_session);
            let is_ended = self.auth.revoke_session(&token).await.is_ok();
            let is_session = maker.makes_sessions() && self.welcome.contains(&maker.name);
            assert_eq!(is_ended, is_session, "{}", maker.name);
        }
    }

    /// Which doors a token opens, but for the one that ends its session.
    async fn opened(&self, maker: &Maker, token: &str) -> [bool; 4] {
        let caller = self.auth.authenticate_any(token).await;
        if let Ok(caller) = &caller {
            assert_eq!(caller.user_id.as_str(), "alice", "{}", maker.name);
            assert_eq!(caller.session.is_some(), maker.makes_sessions(), "{}", maker.name);
        }
        [
            self.auth.issue_session(token).await.is_ok(),
            caller.is_ok(),
            self.auth.authenticate_session(token).is_ok(),
            self.auth.refresh_session(token).await.is_ok(),
        ]
    }
}

/// Whether all doors give the common 401.
async fn is_refused_everywhere(auth: &Auth, token: &str) -> bool {
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

/// A key set with a key of each kind that is taken, and with all that is not.
async fn many_keys() -> KeyServer {
    let keys = &*KEYS;
    KeyServer::start(&[
        keys.ed25519.jwk("ed"),
        keys.p256.jwk("p256"),
        keys.p384.jwk("p384"),
        keys.p521.jwk("p521"),
        keys.rs256.jwk("rs"),
        keys.ps256.jwk("ps"),
        keys.oct.jwk("oct"),
        with(keys.ed25519.jwk("enc"), json!({ "use": "enc" })),
        with(keys.rs256.jwk("wrap"), json!({ "key_ops": ["wrapKey"] })),
        json!("not a key"),
    ])
    .await
}

#[tokio::test]
async fn no_forged_token_passes_a_key_set() {
    let server = many_keys().await;
    let welcome = &["EdDSA", "ES256", "RS256", "PS256", "session"];
    let place = Place::by_key_set(&server, given(SESSION_SECRET, &[]), welcome);

    place.withstands_all().await;

    assert_eq!(server.fetches(), 2, "once, and once for all names that it does not have");
}

#[tokio::test]
async fn no_forged_token_passes_a_key_set_beside_derived_session_keys() {
    let server = many_keys().await;
    let derived = SessionSecrets::DerivedFrom(secret(LOGIN_SECRET));
    let welcome = &["EdDSA", "ES256", "RS256", "PS256", "derived session"];

    Place::by_key_set(&server, derived, welcome).withstands_all().await;
}

/// A token need not name the only key, which is what makes it tempting to take it for a secret.
#[tokio::test]
async fn no_forged_token_passes_a_key_set_of_one_key() {
    for (key, kid, welcome) in [
        (&KEYS.ed25519, "ed", &["EdDSA", "session"]),
        (&KEYS.p256, "p256", &["ES256", "session"]),
        (&KEYS.rs256, "rs", &["RS256", "session"]),
        (&KEYS.ps256, "ps", &["PS256", "session"]),
    ] {
        let server = KeyServer::start(&[key.jwk(kid)]).await;
        let place = Place::by_key_set(&server, given(SESSION_SECRET, &[]), welcome);

        Place { has_many_keys: false, ..place }.withstands_all().await;
    }
}

#[tokio::test]
async fn no_forged_token_passes_a_shared_secret() {
    Place::by_secret(given(SESSION_SECRET, &[]), &["HS256", "session"]).withstands_all().await;
}

#[tokio::test]
async fn no_forged_token_passes_a_shared_secret_that_session_keys_are_derived_from() {
    let derived = SessionSecrets::DerivedFrom(secret(LOGIN_SECRET));

    Place::by_secret(derived, &["HS256", "derived session"]).withstands_all().await;
}

#[tokio::test]
async fn no_forged_token_passes_where_no_issuer_is_asked_for() {
    let sessions = given(SESSION_SECRET, &[]);
    let place = Place::new(shared_secret(None, None), sessions, &["HS256", "session"]);

    Place { asks_for_issuer: false, ..place }.withstands_all().await;
}

#[tokio::test]
async fn no_forged_token_passes_while_a_retired_secret_is_listed() {
    let sessions = given(SESSION_SECRET, &[RETIRED_SECRET]);
    let welcome = &["HS256", "session", "session by a retired secret"];

    Place::by_secret(sessions, welcome).withstands_all().await;
}

/// The worst configuration: one secret for both.
#[tokio::test]
async fn no_forged_token_passes_under_one_secret_for_logins_and_sessions() {
    let welcome = &["HS256", "session by the login's secret"];

    Place::by_secret(given(LOGIN_SECRET, &[]), welcome).withstands_all().await;
}

#[tokio::test]
async fn a_login_signed_by_each_supported_kind_of_key_passes() {
    let server = many_keys().await;
    let key_set = Place::by_key_set(&server, given(SESSION_SECRET, &[]), &[]);
    let secret = Place::by_secret(given(SESSION_SECRET, &[]), &[]);

    for maker in MAKERS.iter().filter(|maker| !maker.makes_sessions()) {
        let auth = if maker.kid().is_some() { &key_set.auth } else { &secret.auth };
        for typ in [json!({}), json!({ "typ": "JWT" }), json!({ "typ": "jwt" })] {
            let header = with(maker.header.clone(), typ);
            for changes in [
                json!({}),
                json!({ "exp": START - 29 }),
                json!({ "iat": START + 30, "nbf": START + 30 }),
                json!({ "type": "admin" }),
            ] {
                let token = maker.key.token(&header, &with(login_claims(), changes.clone()));

                let caller = auth.authenticate_any(&token).await;

                assert_eq!(caller.unwrap().user_id.as_str(), "alice", "{header} {changes}");
                auth.issue_session(&token).await.unwrap();
            }
        }
    }
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
    let login = key.token(&header, &login_claims());
    let session = auth.issue_session(&login).await.unwrap().token;
    let both = with(login_claims(), session_claims());

    assert!(auth.authenticate_session(&login).is_err());
    assert!(auth.refresh_session(&login).await.is_err());
    assert!(auth.revoke_session(&login).await.is_err());
    assert!(auth.issue_session(&session).await.is_err());
    assert!(auth.issue_session(&key.token(&header, &both)).await.is_err());
    assert_eq!(auth.authenticate_any(&login).await.unwrap().session, None);
    assert!(auth.authenticate_any(&session).await.unwrap().session.is_some());
}
