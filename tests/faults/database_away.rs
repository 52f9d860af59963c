//! A database that goes away and comes back.

use chatkit_gateway::demo::scripted_model::{ModelCall, ScriptedModel, Step};
use futures_util::stream;
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::sync::Arc;

use crate::rig::{GatewayProcess, postgres, proxy::Proxy};

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn while_the_database_is_away_nothing_is_accepted_and_then_all_is_as_before() {
    let url = postgres::new_database().await;
    let (host, path) = split(&url);
    let proxy = Proxy::to(host.parse().unwrap()).await;
    let through_proxy = url.replace(&host, &proxy.address.to_string());
    assert!(through_proxy.ends_with(&path));
    let answer = |_: Arc<ModelCall>| stream::iter([Step::text("hello")]);
    let model = ScriptedModel::new(answer).start().await.unwrap();
    let gateway = GatewayProcess::start(&through_proxy, &model.base_url()).await;

    proxy.cut();
    for (method, path) in [
        (Method::GET, "/api/chatkit/threads"),
        (Method::POST, "/api/chatkit/messages"),
        (Method::GET, "/api/alice/tasks"),
    ] {
        let response = send(&gateway, method, path).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(response.headers().contains_key("retry-after"), "{path}");
        let body: serde_json::Value = response.json().await.unwrap();
        assert_eq!(body["error"]["code"], "database_unavailable", "{path}");
    }
    let ready = gateway.http.get(format!("{}/ready", gateway.base)).send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(model.model().counters().calls, 0, "no model is asked for what cannot be kept");

    proxy.mend();
    let response = send(&gateway, Method::POST, "/api/chatkit/messages").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.text().await.unwrap().contains("hello"));
    assert_eq!(gateway.get("/api/chatkit/threads").await["data"].as_array().unwrap().len(), 1);
}

async fn send(gateway: &GatewayProcess, method: Method, path: &str) -> reqwest::Response {
    let url = format!("{}{path}", gateway.base);
    let request = gateway.http.request(method.clone(), url).bearer_auth(&gateway.token);
    let request =
        if method == Method::POST { request.json(&json!({ "content": "hi" })) } else { request };
    request.send().await.unwrap()
}

/// The `host:port` and the rest of a database's address.
fn split(url: &str) -> (String, String) {
    let behind_login = url.rsplit_once('@').map_or(url, |(_, rest)| rest);
    let (host, path) = behind_login.split_once('/').unwrap();
    (host.to_owned(), format!("/{path}"))
}
