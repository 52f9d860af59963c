//! The life of a session: issued, verified, refreshed, revoked.

use std::time::Duration;

use aws_lc_rs::hmac;
use chatkit_gateway::{
    auth::{Auth, IssuedToken, MAX_DETACHED_TTL, SessionKeys, SessionSecrets},
    protocol::{Timestamp, UserId},
};
use futures_util::future::join_all;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    LOGIN_SECRET, MemoryStore, Refusal, SESSION_SECRET, START, TestClock, TestKey, claims_of,
    given, instance, login_token, outcome, secret, shared_secret,
};

const HOUR: u64 = 3600;

struct Scene {
    clock: TestClock,
    store: MemoryStore,
    auth: Auth,
}

impl Scene {
    fn start() -> Self {
        let (clock, store) = (TestClock::new(), MemoryStore::default());
        let auth = another(&store, &clock, given(SESSION_SECRET, &[]));
        Self { clock, store, auth }
    }

    /// Another instance on the same database.
    fn instance(&self) -> Auth {
        another(&self.store, &self.clock, given(SESSION_SECRET, &[]))
    }

    async fn issue(&self) -> IssuedToken {
        self.auth.issue_session(&login_token("alice", self.clock.now())).await.unwrap()
    }

    async fn refresh(&self, token: &IssuedToken) -> Result<IssuedToken, Refusal> {
        outcome(self.auth.refresh_session(&token.token).await)
    }

    fn verify(&self, token: &IssuedToken) -> Result<(), Refusal> {
        outcome(self.auth.authenticate_session(&token.token).map(drop))
    }

    fn detached(&self, ttl: Duration) -> IssuedToken {
        let keys = SessionKeys::new(&given(SESSION_SECRET, &[]));
        let now = Timestamp::from_seconds(self.clock.now());
        keys.issue_detached(&UserId::parse("alice").unwrap(), ttl, now)
    }

    fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

fn another(store: &MemoryStore, clock: &TestClock, secrets: SessionSecrets) -> Auth {
    instance(shared_secret(None, None), secrets, store, clock)
}

#[tokio::test]
async fn a_session_token_says_who_and_for_how_long() {
    let scene = Scene::start();
    scene.clock.advance(Duration::from_micros(999_999));

    let token = scene.issue().await;

    let claims = claims_of(&token.token);
    assert_eq!(claims["user_id"], "alice");
    assert_eq!(claims["type"], "chatkit_session");
    assert_eq!(claims["iat"], START);
    assert_eq!(claims["exp"], START + 1800);
    assert_eq!(claims["auth_time"], START);
    assert_eq!((token.expires_at, token.expires_in), (START + 1800, 1800));
    let caller = scene.auth.authenticate_session(&token.token).unwrap();
    assert_eq!(caller.user_id.as_str(), "alice");
    assert_eq!(caller.session.as_deref(), claims["sid"].as_str());
}

#[tokio::test]
async fn an_expired_session_is_told_apart_from_a_wrong_one() {
    let scene = Scene::start();
    let token = scene.issue().await;

    scene.advance(1799);
    assert_eq!(scene.verify(&token), Ok(()));
    scene.advance(1);
    assert_eq!(scene.verify(&token), Err(Refusal::Expired));
    let any = scene.auth.authenticate_any(&token.token).await;
    assert_eq!(outcome(any), Err(Refusal::Expired));
}

#[tokio::test]
async fn the_session_secret_is_used_as_plain_bytes() {
    let scene = Scene::start();
    let claims = claims_of(&scene.issue().await.token);

    let token = TestKey::secret(SESSION_SECRET).token(&json!({"alg": "HS256"}), &claims);

    assert!(scene.auth.authenticate_session(&token).is_ok());
}

#[tokio::test]
async fn the_first_of_several_session_secrets_signs_and_all_verify() {
    let scene = Scene::start();
    let old = scene.issue().await;
    let next = b"another secret of the sessions, 32 b";
    let rotated = another(&scene.store, &scene.clock, given(next, &[SESSION_SECRET]));

    assert!(rotated.authenticate_session(&old.token).is_ok());
    let new = rotated.refresh_session(&old.token).await.unwrap();
    assert!(rotated.authenticate_session(&new.token).is_ok());
    assert_eq!(scene.verify(&new), Err(Refusal::Unauthorized));
}

/// HKDF-SHA256 written out as RFC 5869 has it, so that a change of the derivation, which would
/// log everyone out, does not go unseen.
#[tokio::test]
async fn the_derived_session_key_is_hkdf_of_the_logins_secret() {
    let scene = Scene::start();
    let derived =
        another(&scene.store, &scene.clock, SessionSecrets::DerivedFrom(secret(LOGIN_SECRET)));
    let hmac = |key: &[u8], data: &[u8]| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref().to_vec()
    };
    let extracted = hmac(b"chatkit-gateway", LOGIN_SECRET);
    let key = hmac(&extracted, b"session token, HS256, version 1\x01");
    let claims = claims_of(&scene.issue().await.token);
    let header = json!({"alg": "HS256"});

    assert!(derived.authenticate_session(&TestKey::secret(&key).token(&header, &claims)).is_ok());
    let by_login_secret = TestKey::secret(LOGIN_SECRET).token(&header, &claims);
    assert!(derived.authenticate_session(&by_login_secret).is_err());
}

#[tokio::test]
async fn a_token_can_be_refreshed_until_a_day_after_it_expired() {
    let scene = Scene::start();
    let token = scene.issue().await;

    scene.advance(1800 + 24 * HOUR - 1);
    let next = scene.refresh(&token).await.unwrap();
    assert_eq!(scene.verify(&next), Ok(()));
    assert_eq!(claims_of(&next.token)["auth_time"], START);
    assert_eq!(claims_of(&next.token)["sid"], claims_of(&token.token)["sid"]);

    scene.advance(1800 + 24 * HOUR);
    assert_eq!(scene.refresh(&next).await, Err(Refusal::Expired));
}

#[tokio::test]
async fn no_token_lives_past_seven_days_after_the_login() {
    let scene = Scene::start();
    let mut token = scene.issue().await;
    let end = START + 7 * 24 * 3600;

    for _ in 0..7 {
        scene.advance(24 * HOUR - 60);
        token = scene.refresh(&token).await.unwrap();
    }
    assert_eq!((token.expires_at, token.expires_in), (end, 7 * 60));
    scene.advance(7 * 60 - 1);
    assert_eq!(scene.verify(&token), Ok(()));
    assert!(scene.refresh(&token).await.is_ok());
    scene.advance(1);
    assert_eq!(scene.verify(&token), Err(Refusal::Expired));
    assert_eq!(scene.refresh(&token).await, Err(Refusal::Expired));
}

#[tokio::test]
async fn the_previous_token_gets_the_same_successor_for_thirty_seconds() {
    let scene = Scene::start();
    let first = scene.issue().await;
    scene.clock.advance(Duration::from_millis(1234));
    let second = scene.refresh(&first).await.unwrap();

    scene.clock.advance(Duration::from_micros(29_999_999));
    assert_eq!(scene.refresh(&first).await.unwrap().token, second.token);
    let elsewhere = scene.instance().refresh_session(&first.token).await;
    assert_eq!(elsewhere.unwrap().token, second.token);

    scene.clock.advance(Duration::from_micros(1));
    assert_eq!(scene.refresh(&first).await, Err(Refusal::Unauthorized));
    assert_eq!(scene.verify(&second), Err(Refusal::Unauthorized), "the session is revoked");
    assert_eq!(scene.refresh(&second).await, Err(Refusal::Unauthorized));
}

#[tokio::test]
async fn a_token_older_than_the_previous_revokes_the_session_at_once() {
    let scene = Scene::start();
    let first = scene.issue().await;
    let second = scene.refresh(&first).await.unwrap();
    let third = scene.refresh(&second).await.unwrap();

    assert_eq!(scene.refresh(&first).await, Err(Refusal::Unauthorized));

    assert_eq!(scene.verify(&third), Err(Refusal::Unauthorized));
    assert_eq!(scene.refresh(&third).await, Err(Refusal::Unauthorized));
}

#[tokio::test]
async fn tabs_that_refresh_at_once_get_the_same_successor() {
    let scene = Scene::start();
    let token = scene.issue().await;
    let elsewhere = scene.instance();

    let refreshed = join_all((0..10).map(|tab| {
        let auth = if tab % 2 == 0 { &scene.auth } else { &elsewhere };
        auth.refresh_session(&token.token)
    }))
    .await;

    let successor = refreshed[0].as_ref().unwrap();
    for token in &refreshed {
        assert_eq!(token.as_ref().unwrap(), successor);
    }
    assert_eq!(scene.verify(successor), Ok(()));
}

#[tokio::test]
async fn a_logout_ends_every_token_of_the_session_and_no_other() {
    let scene = Scene::start();
    let (token, other) = (scene.issue().await, scene.issue().await);
    let next = scene.refresh(&token).await.unwrap();

    scene.auth.revoke_session(&token.token).await.unwrap();
    scene.auth.revoke_session(&token.token).await.unwrap();

    for token in [&token, &next] {
        assert_eq!(scene.verify(token), Err(Refusal::Unauthorized));
        assert_eq!(scene.refresh(token).await, Err(Refusal::Unauthorized));
    }
    assert_eq!(scene.verify(&other), Ok(()));
}

#[tokio::test]
async fn an_expired_token_may_log_out() {
    let scene = Scene::start();
    let token = scene.issue().await;
    scene.advance(1800);

    scene.auth.revoke_session(&token.token).await.unwrap();

    assert_eq!(scene.refresh(&token).await, Err(Refusal::Unauthorized));
}

#[tokio::test]
async fn a_logout_long_after_the_session_ended_stores_nothing() {
    let scene = Scene::start();
    let token = scene.detached(Duration::from_mins(30));
    scene.advance(7 * 24 * HOUR);

    scene.auth.revoke_session(&token.token).await.unwrap();

    assert_eq!(scene.store.len(), 0);
}

#[tokio::test]
async fn another_instance_learns_of_a_logout_by_its_next_poll() {
    let scene = Scene::start();
    let elsewhere = scene.instance();
    elsewhere.load_revocations().await.unwrap();
    let token = scene.issue().await;
    scene.auth.revoke_session(&token.token).await.unwrap();
    assert!(elsewhere.authenticate_session(&token.token).is_ok());
    let refreshed = elsewhere.refresh_session(&token.token).await;
    assert_eq!(outcome(refreshed), Err(Refusal::Unauthorized), "the database knows already");

    let shutdown = CancellationToken::new();
    let until_seen = async {
        while elsewhere.authenticate_session(&token.token).is_ok() {
            tokio::task::yield_now().await;
        }
        shutdown.cancel();
    };

    tokio::join!(elsewhere.clone().watch(shutdown.clone()), until_seen);
}

#[tokio::test]
async fn a_logout_on_an_instance_whose_clock_is_behind_is_seen() {
    let scene = Scene::start();
    let token = scene.issue().await;
    let ahead = TestClock::new();
    ahead.advance(Duration::from_mins(4));
    let elsewhere = another(&scene.store, &ahead, given(SESSION_SECRET, &[]));
    elsewhere.load_revocations().await.unwrap();

    scene.auth.revoke_session(&token.token).await.unwrap();
    elsewhere.load_revocations().await.unwrap();

    let verified = elsewhere.authenticate_session(&token.token);
    assert_eq!(outcome(verified), Err(Refusal::Unauthorized));
}

#[tokio::test]
async fn an_instance_knows_from_its_start_what_was_revoked_before() {
    let scene = Scene::start();
    let token = scene.detached(MAX_DETACHED_TTL);
    scene.auth.revoke_session(&token.token).await.unwrap();
    scene.advance(24 * HOUR - 1);
    let late = scene.instance();

    late.load_revocations().await.unwrap();

    let verified = late.authenticate_session(&token.token);
    assert_eq!(outcome(verified), Err(Refusal::Unauthorized));
}

#[tokio::test]
async fn a_database_that_is_away_neither_forgets_revocations_nor_hides_new_ones() {
    let scene = Scene::start();
    let (revoked, later) = (scene.issue().await, scene.issue().await);
    let elsewhere = scene.instance();
    scene.auth.revoke_session(&revoked.token).await.unwrap();
    elsewhere.load_revocations().await.unwrap();
    scene.auth.revoke_session(&later.token).await.unwrap();

    scene.store.set_down(true);
    for _ in 0..100 {
        scene.advance(5);
        assert!(elsewhere.load_revocations().await.is_err());
    }
    assert!(elsewhere.authenticate_session(&revoked.token).is_err());

    scene.store.set_down(false);
    elsewhere.load_revocations().await.unwrap();
    assert!(elsewhere.authenticate_session(&later.token).is_err());
}

#[tokio::test]
async fn without_a_database_tokens_are_verified_and_nothing_else() {
    let scene = Scene::start();
    let token = scene.issue().await;
    scene.store.set_down(true);

    let issued = scene.auth.issue_session(&login_token("alice", START)).await;
    assert_eq!(outcome(issued), Err(Refusal::Store));
    assert_eq!(scene.refresh(&token).await, Err(Refusal::Store));
    assert_eq!(scene.verify(&token), Ok(()));

    let logout = scene.auth.revoke_session(&token.token).await;
    assert_eq!(outcome(logout), Err(Refusal::Store));
    assert_eq!(scene.verify(&token), Err(Refusal::Unauthorized), "dead here all the same");
}

#[tokio::test]
async fn a_token_made_by_the_command_line_works_and_logs_out_but_has_no_successor() {
    let scene = Scene::start();
    let token = scene.detached(Duration::from_mins(5));

    assert_eq!((token.expires_at, token.expires_in), (START + 300, 300));
    assert_eq!(scene.verify(&token), Ok(()));
    assert_eq!(scene.refresh(&token).await, Err(Refusal::Unauthorized));
    assert_eq!(scene.verify(&token), Ok(()), "asking costs nothing");
    scene.auth.revoke_session(&token.token).await.unwrap();
    assert_eq!(scene.verify(&token), Err(Refusal::Unauthorized));
}

#[tokio::test]
async fn a_token_made_by_the_command_line_lives_a_day_at_most() {
    let scene = Scene::start();

    let token = scene.detached(Duration::from_hours(1000));

    assert_eq!(token.expires_in, MAX_DETACHED_TTL.as_secs());
}

#[tokio::test]
async fn a_token_does_not_show_in_debug_output() {
    let scene = Scene::start();
    let token = scene.issue().await;

    assert!(!format!("{token:?}").contains("ey"));
}
