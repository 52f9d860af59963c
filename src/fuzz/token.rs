//! Tokens: which are let in, against a judge that was written apart from the verifier.

use std::sync::LazyLock;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::FutureExt;
use serde_json::Value;

use crate::{
    auth::{
        Auth, AuthConfig, AuthError, Caller, Clock, Login, Secret, SessionSecrets, SessionStore,
    },
    protocol::{Timestamp, UserId},
    store::{Result, record::SessionRecord},
};

const NOW: i64 = 1_800_000_000;
/// How far another system's clock may be apart.
const LEEWAY: i64 = 30;
const SESSION_KEY: &str = "a key of session tokens, 32 bytes";
const LOGIN_KEY: &str = "a key of the logins, also 32 bytes";
const FOREIGN_KEY: &str = "a key of a stranger, also 32 bytes";
const ISSUER: &str = "https://app.example";
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// The first byte says how a token is made of the others, which are it as it stands, its claims, or
/// its header, a zero and its claims; and which key signs.
///
/// Whom the verifier lets in has shown a token that the judge finds genuine and good.
pub(super) fn token(data: &[u8]) -> bool {
    let Some((way, data)) = data.split_first() else { return false };
    let key = [SESSION_KEY, LOGIN_KEY, FOREIGN_KEY][usize::from(way / 4) % 3];
    let token = match way % 4 {
        0 => match std::str::from_utf8(data) {
            Ok(token) => token.to_owned(),
            Err(_) => return false,
        },
        1 => match data.split(|byte| *byte == 0).collect::<Vec<_>>()[..] {
            [header, claims] => signed(header, claims, key),
            _ => return false,
        },
        _ => signed(HEADER.as_bytes(), data, key),
    };
    let session = AUTH.authenticate_session(&token);
    // Neither needs the database nor the network.
    let any = AUTH.authenticate_any(&token).now_or_never().expect("no I/O");
    if let Ok(caller) = &session {
        judge_session(&token, caller);
        assert_eq!(any.as_ref().ok(), Some(caller), "a session is one everywhere");
    }
    match &any {
        Ok(caller) if session.is_err() => judge_login(&token, caller),
        Ok(_) | Err(AuthError::Unauthorized { .. } | AuthError::SessionExpired) => {}
        Err(other) => panic!("a token is good or not: {other:?}"),
    }
    any.is_ok()
}

fn judge_session(token: &str, caller: &Caller) {
    let claims = genuine(token, SESSION_KEY);
    assert_eq!(claims["type"], "chatkit_session");
    assert_eq!(claims["user_id"], caller.user_id.as_str());
    assert_eq!(claims["sid"].as_str(), caller.session.as_deref());
    assert!(claims["exp"].as_i64().expect("whole seconds") > NOW);
}

fn judge_login(token: &str, caller: &Caller) {
    let claims = genuine(token, LOGIN_KEY);
    assert_ne!(claims["type"], "chatkit_session");
    assert_eq!(claims["sub"], caller.user_id.as_str());
    assert_eq!(caller.session, None);
    assert_eq!((&claims["iss"], &claims["aud"]), (&ISSUER.into(), &ISSUER.into()));
    assert!(claims["exp"].as_i64().expect("whole seconds") > NOW - LEEWAY);
    assert!(claims["iat"].as_i64().expect("whole seconds") <= NOW + LEEWAY);
    assert!(claims.get("nbf").is_none_or(|nbf| nbf.as_i64().expect("whole") <= NOW + LEEWAY));
}

/// The claims of a token that this key has signed, in its one spelling, with nothing in its header
/// that would have to be understood.
fn genuine(token: &str, key: &str) -> Value {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, _] = parts[..] else { panic!("three parts") };
    let read = |part| -> Value {
        let json = URL_SAFE_NO_PAD.decode(part).expect("canonical base64url");
        serde_json::from_slice(&json).expect("JSON")
    };
    let (header, claims) = (read(header), read(claims));
    assert_eq!(header["alg"], "HS256");
    assert!(
        header
            .get("typ")
            .is_none_or(|typ| { typ.as_str().expect("text").eq_ignore_ascii_case("jwt") })
    );
    assert_eq!(header.get("crit"), None);
    let message = token.rsplit_once('.').map(|(message, _)| message).expect("three parts");
    assert_eq!(token, format!("{message}.{}", signature(message, key)), "it is signed");
    claims
}

fn signed(header: &[u8], claims: &[u8], key: &str) -> String {
    let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
    let message = format!("{}.{}", encode(header), encode(claims));
    format!("{message}.{}", signature(&message, key))
}

fn signature(message: &str, key: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()))
}

static AUTH: LazyLock<Auth> = LazyLock::new(|| {
    let secret = |value: &str| Secret::new("SECRET", value.as_bytes()).expect("it is long enough");
    let (issuer, audience) = (Some(ISSUER.to_owned()), Some(ISSUER.to_owned()));
    let config = AuthConfig {
        login: Login::SharedSecret { secret: secret(LOGIN_KEY), issuer, audience },
        session: SessionSecrets::Given { signing: secret(SESSION_KEY), retired: Vec::new() },
        claims: Vec::new(),
    };
    let clock = Clock::new(|| Timestamp::from_seconds(NOW));
    Auth::new(config, NoStore, clock).expect("a shared secret needs no address")
});

/// Authenticating does no I/O.
struct NoStore;

#[async_trait]
impl SessionStore for NoStore {
    async fn insert_session(&self, _: SessionRecord) -> Result<()> {
        unreachable!("nobody logs in")
    }

    async fn find_session(&self, _: &str) -> Result<Option<SessionRecord>> {
        unreachable!("nothing is refreshed")
    }

    async fn rotate_session(&self, _: &str, _: &str, _: &str, _: Timestamp) -> Result<bool> {
        unreachable!("nothing is refreshed")
    }

    async fn revoke_session(&self, _: &str, _: &UserId, _: Timestamp) -> Result<()> {
        unreachable!("nobody logs out")
    }

    async fn list_revoked_sessions(&self, _: Timestamp) -> Result<Vec<String>> {
        unreachable!("nothing is read at the start")
    }
}
