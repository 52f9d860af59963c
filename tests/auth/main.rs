//! Login from the outside: forged tokens, key sets over HTTP, the life of a session, alone and at once
//! with others.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic, as tests may")]

#[path = "../gateway/support/database.rs"]
mod database;
mod forged;
mod key_server;
mod key_set;
mod keys;
mod memory_store;
mod refresh_at_once;
mod refresh_model;
mod session_model;
mod sessions;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chatkit_gateway::{
    auth::{Auth, AuthConfig, AuthError, Clock, Login, Secret, SessionSecrets, SessionStore},
    protocol::Timestamp,
};
use keys::TestKey;
use memory_store::MemoryStore;
use serde_json::{Value, json};

/// When every test begins, in seconds since 1970.
const START: i64 = 2_000_000_000;
const LOGIN_SECRET: &[u8] = b"the login's secret, 32 bytes or more";
const SESSION_SECRET: &[u8] = b"the sessions' secret, 32 bytes or so";

/// A clock that stands still until it is moved.
#[derive(Clone)]
struct TestClock(Arc<AtomicI64>);

impl TestClock {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(START * 1_000_000)))
    }

    fn clock(&self) -> Clock {
        let micros = Arc::clone(&self.0);
        Clock::new(move || Timestamp::from_micros(micros.load(Ordering::SeqCst)))
    }

    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst).div_euclid(1_000_000)
    }

    fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

fn secret(bytes: &[u8]) -> Secret {
    Secret::new("SECRET", bytes).unwrap()
}

fn given(signing: &[u8], retired: &[&[u8]]) -> SessionSecrets {
    SessionSecrets::Given {
        signing: secret(signing),
        retired: retired.iter().map(|bytes| secret(bytes)).collect(),
    }
}

fn shared_secret(issuer: Option<&str>, audience: Option<&str>) -> Login {
    Login::SharedSecret {
        secret: secret(LOGIN_SECRET),
        issuer: issuer.map(str::to_owned),
        audience: audience.map(str::to_owned),
    }
}

/// An instance of the gateway's login; several may share a store and a clock.
fn instance(
    login: Login,
    session: SessionSecrets,
    store: &(impl SessionStore + Clone),
    clock: &TestClock,
) -> Auth {
    // The second of two tests in one process finds it installed.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Auth::new(AuthConfig { login, session, claims: Vec::new() }, store.clone(), clock.clock())
        .unwrap()
}

/// A login's JWT of `user` for [`shared_secret`].
fn login_token(user: &str, now: i64) -> String {
    let claims = json!({"sub": user, "iat": now, "exp": now + 900});
    TestKey::secret(LOGIN_SECRET).token(&json!({"alg": "HS256"}), &claims)
}

fn claims_of(token: &str) -> Value {
    keys::claims(token)
}

/// What a caller sees of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Unauthorized,
    Expired,
    Unavailable,
    Store,
}

fn refusal(error: &AuthError) -> Refusal {
    match error {
        AuthError::Unauthorized { .. } => Refusal::Unauthorized,
        AuthError::SessionExpired => Refusal::Expired,
        AuthError::Unavailable { .. } => Refusal::Unavailable,
        AuthError::Store(_) => Refusal::Store,
    }
}

fn outcome<T>(result: Result<T, AuthError>) -> Result<T, Refusal> {
    result.map_err(|error| refusal(&error))
}
