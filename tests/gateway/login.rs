//! From a login of Better Auth to a session token and its end.

use chatkit_gateway::protocol::Timestamp;
use jsonwebtoken::{EncodingKey, Header, encode};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{TestServer, client::Answer, server::LOGIN_SECRET};

pub(crate) fn login(user: &str, seconds: i64) -> String {
    login_with(user, seconds, &json!({}))
}

/// A login that says more of its user.
pub(crate) fn login_with(user: &str, seconds: i64, more: &Value) -> String {
    let now = Timestamp::now().as_seconds();
    let mut claims = json!({ "sub": user, "iat": now, "exp": now + seconds });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    encode(&Header::default(), &claims, &EncodingKey::from_secret(LOGIN_SECRET.as_bytes())).unwrap()
}

#[tokio::test]
async fn a_login_is_exchanged_for_a_session_that_opens_the_door() {
    let server = TestServer::start().await;
    let with_login = server.nobody().with_token(&login("alice", 900));

    let session = with_login.post("/api/chatkit/session", &Value::Null).await;

    assert_eq!(session.status, StatusCode::OK);
    assert_eq!(session.headers["cache-control"], "no-store");
    assert_eq!(session.body["expires_in"], 1800);
    let alice = with_login.with_token(session.body["client_secret"].as_str().unwrap());
    alice.talk("hi").await;
    let seen = server.alice().get("/api/chatkit/threads").await.body;
    assert_eq!(seen["data"].as_array().unwrap().len(), 1, "alice is alice by any token");
    server.stop().await;
}

#[tokio::test]
async fn a_session_is_refreshed_and_ends_with_logout() {
    let server = TestServer::start().await;
    let with_login = server.nobody().with_token(&login("alice", 900));
    let session = with_login.post("/api/chatkit/session", &Value::Null).await.body;
    let alice = with_login.with_token(session["client_secret"].as_str().unwrap());

    let by_body = json!({ "client_secret": session["client_secret"] });
    let fresh = server.nobody().post("/api/chatkit/refresh", &by_body).await;
    assert_eq!(fresh.status, StatusCode::OK, "{}", fresh.body);
    let again =
        Answer::of(alice.request(Method::POST, "/api/chatkit/refresh").send().await.unwrap()).await;
    assert_eq!(again.body["client_secret"], fresh.body["client_secret"], "two tabs agree");

    let alice = alice.with_token(fresh.body["client_secret"].as_str().unwrap());
    let logout = alice.request(Method::POST, "/api/chatkit/logout").send().await.unwrap();
    assert_eq!(logout.status(), StatusCode::NO_CONTENT);
    let refused = alice.get("/api/chatkit/threads").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (401, "unauthorized"));
    server.stop().await;
}

#[tokio::test]
async fn every_route_but_a_few_wants_a_token_and_says_no_in_one_way() {
    let server = TestServer::start().await;
    let nobody = server.nobody();
    let with_login = nobody.with_token(&login("alice", 900));
    let expired_login = nobody.with_token(&login("alice", -900));
    let mut bodies = Vec::new();

    for client in [&nobody, &nobody.with_token("x.y.z"), &expired_login, &with_login] {
        for (method, path) in [
            (Method::GET, "/api/chatkit/threads"),
            (Method::POST, "/api/chatkit/messages"),
            (Method::POST, "/chatkit"),
            (Method::POST, "/api/chatkit"),
            (Method::GET, "/api/chatkit/runs/x/events"),
        ] {
            let answer =
                Answer::of(client.request(method.clone(), path).send().await.unwrap()).await;
            assert_eq!(answer.status.as_u16(), 401, "{method} {path}");
            let mut body = answer.body;
            body["error"]["request_id"] = Value::Null;
            bodies.push(body);
        }
    }

    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:#?}");
    for open in ["/health", "/ready", "/metrics", "/"] {
        let answer = nobody.request(Method::GET, open).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{open}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_older_routes_take_a_login_too() {
    let server = TestServer::start().await;
    let with_login = server.nobody().with_token(&login("alice", 900));

    assert_eq!(with_login.get("/api/alice/tasks").await.status, StatusCode::OK);
    assert_eq!(server.alice().get("/api/alice/tasks").await.status, StatusCode::OK);
    server.stop().await;
}
