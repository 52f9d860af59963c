//! When the key set is fetched, and what happens when it cannot be.

use std::time::Duration;

use chatkit_gateway::auth::{Auth, Login};
use futures_util::future::join_all;
use serde_json::json;

use crate::{
    MemoryStore, Refusal, SESSION_SECRET, TestClock, TestKey, given, instance,
    key_server::KeyServer, outcome,
};

struct Scene {
    server: KeyServer,
    clock: TestClock,
    auth: Auth,
    key: TestKey,
}

impl Scene {
    /// One key, named `a`, in the set.
    async fn start() -> Self {
        let key = TestKey::ed25519();
        let server = KeyServer::start(&[key.jwk("a")]).await;
        let clock = TestClock::new();
        let login = Login::key_set(&server.url(), None, None).unwrap();
        let auth = instance(login, given(SESSION_SECRET, &[]), &MemoryStore::default(), &clock);
        Self { server, clock, auth, key }
    }

    fn token(&self, key: &TestKey, kid: &str) -> String {
        let (now, origin) = (self.clock.now(), self.server.origin());
        key.token(
            &json!({"alg": "EdDSA", "kid": kid}),
            &json!({"sub": "alice", "iss": origin, "aud": origin, "iat": now, "exp": now + 900}),
        )
    }

    /// A login with a key of that name in the set, or not.
    async fn login(&self, kid: &str) -> Result<(), Refusal> {
        outcome(self.auth.authenticate_any(&self.token(&self.key, kid)).await.map(drop))
    }

    fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    fn break_down(&self) {
        self.server.answer("500 Internal Server Error", "", "");
    }
}

#[tokio::test]
async fn many_logins_at_once_cause_one_fetch() {
    let scene = Scene::start().await;

    let logins = join_all((0..100).map(|_| scene.login("a"))).await;

    assert!(logins.iter().all(Result::is_ok));
    assert_eq!(scene.server.fetches(), 1);
}

#[tokio::test]
async fn many_logins_at_once_share_one_failed_fetch() {
    let scene = Scene::start().await;
    scene.break_down();

    let logins = join_all((0..100).map(|_| scene.login("a"))).await;

    assert!(logins.iter().all(|login| *login == Err(Refusal::Unavailable)));
    assert_eq!(scene.server.fetches(), 1);
}

#[tokio::test]
async fn a_set_that_was_never_fetched_is_tried_again_after_a_second() {
    let scene = Scene::start().await;
    scene.break_down();
    assert_eq!(scene.login("a").await, Err(Refusal::Unavailable));
    scene.server.publish(&[scene.key.jwk("a")]);
    assert_eq!(scene.login("a").await, Err(Refusal::Unavailable));
    assert_eq!(scene.server.fetches(), 1);

    scene.advance(1);

    assert_eq!(scene.login("a").await, Ok(()));
}

#[tokio::test]
async fn a_fresh_set_is_used_for_ten_minutes_and_then_fetched_once() {
    let scene = Scene::start().await;
    scene.login("a").await.unwrap();

    scene.advance(599);
    scene.login("a").await.unwrap();
    assert_eq!(scene.server.fetches(), 1);

    scene.advance(1);
    join_all((0..20).map(|_| scene.login("a"))).await;
    assert_eq!(scene.server.fetches(), 2);
}

#[tokio::test]
async fn a_key_that_was_taken_back_works_no_longer_after_the_next_fetch() {
    let scene = Scene::start().await;
    scene.login("a").await.unwrap();
    scene.server.publish(&[TestKey::ed25519().jwk("b")]);

    scene.advance(600);

    assert_eq!(scene.login("a").await, Err(Refusal::Unauthorized));
}

#[tokio::test]
async fn a_new_key_is_found_at_once() {
    let scene = Scene::start().await;
    scene.login("a").await.unwrap();
    let next = TestKey::ed25519();
    scene.server.publish(&[scene.key.jwk("a"), next.jwk("b")]);

    let token = scene.token(&next, "b");
    let logins = join_all((0..20).map(|_| scene.auth.authenticate_any(&token))).await;

    assert!(logins.iter().all(Result::is_ok));
    assert_eq!(scene.server.fetches(), 2);
}

#[tokio::test]
async fn unknown_kids_cause_one_fetch_in_thirty_seconds() {
    let scene = Scene::start().await;
    scene.login("a").await.unwrap();

    for kid in ["x", "x", "y", "z"] {
        assert_eq!(scene.login(kid).await, Err(Refusal::Unauthorized));
    }
    scene.advance(29);
    assert_eq!(scene.login("y").await, Err(Refusal::Unauthorized));
    assert_eq!(scene.server.fetches(), 2);

    scene.advance(1);
    assert_eq!(scene.login("y").await, Err(Refusal::Unauthorized));
    assert_eq!(scene.server.fetches(), 3);
}

#[tokio::test]
async fn an_unknown_kid_is_not_searched_for_in_a_set_fetched_for_it() {
    let scene = Scene::start().await;

    assert_eq!(scene.login("x").await, Err(Refusal::Unauthorized));

    assert_eq!(scene.server.fetches(), 1);
}

#[tokio::test]
async fn a_kid_that_was_searched_for_in_vain_does_not_take_the_fetch_of_a_new_key() {
    let scene = Scene::start().await;
    scene.login("a").await.unwrap();
    assert_eq!(scene.login("x").await, Err(Refusal::Unauthorized));
    let next = TestKey::ed25519();
    scene.server.publish(&[next.jwk("b")]);
    scene.advance(30);

    assert_eq!(scene.login("x").await, Err(Refusal::Unauthorized));
    assert_eq!(scene.server.fetches(), 2);
    scene.auth.authenticate_any(&scene.token(&next, "b")).await.unwrap();

    scene.advance(120);
    assert_eq!(scene.login("x").await, Err(Refusal::Unauthorized));
    assert_eq!(scene.server.fetches(), 4);
}

#[tokio::test]
async fn an_unknown_kid_is_no_reason_to_log_out_while_the_set_cannot_be_fetched() {
    let scene = Scene::start().await;
    scene.login("a").await.unwrap();
    scene.break_down();

    assert_eq!(scene.login("x").await, Err(Refusal::Unavailable));
    assert_eq!(scene.login("a").await, Ok(()));
}

#[tokio::test]
async fn an_old_set_serves_for_a_day_when_it_cannot_be_fetched() {
    let scene = Scene::start().await;
    scene.login("a").await.unwrap();
    scene.break_down();

    scene.advance(24 * 3600 - 1);
    assert_eq!(scene.login("a").await, Ok(()));
    assert_eq!(scene.login("a").await, Ok(()));
    assert_eq!(scene.server.fetches(), 2, "attempts are 30 s apart");

    scene.advance(1);
    assert_eq!(scene.login("a").await, Err(Refusal::Unavailable));
}

#[tokio::test]
async fn what_is_no_key_set_is_no_key_set() {
    let scene = Scene::start().await;
    let set = json!({"keys": [scene.key.jwk("a")]}).to_string();
    let elsewhere = format!("Location: {}\r\n", scene.server.url());
    let padded = format!("{}{set}", " ".repeat(256 * 1024));
    for (status, headers, body) in [
        ("302 Found", elsewhere.as_str(), ""),
        ("404 Not Found", "", set.as_str()),
        ("200 OK", "", "<html>"),
        ("200 OK", "", "{}"),
        ("200 OK", "", padded.as_str()),
    ] {
        scene.server.answer(status, headers, body);
        let fetches = scene.server.fetches();
        scene.advance(1);

        assert_eq!(scene.login("a").await, Err(Refusal::Unavailable), "{status} {headers}");
        assert_eq!(scene.server.fetches(), fetches + 1, "{status}");
    }
}

#[tokio::test]
async fn a_fetch_outlives_the_client_that_caused_it() {
    let scene = Scene::start().await;

    // Polled once, the login has begun its fetch; then its client is gone.
    let mut login = Box::pin(scene.login("a"));
    assert!(futures_util::poll!(&mut login).is_pending());
    drop(login);

    assert_eq!(scene.login("a").await, Ok(()));
    assert_eq!(scene.server.fetches(), 1);
}
