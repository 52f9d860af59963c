//! A database that goes away and comes back.

use std::{sync::Arc, time::Duration};

use chatkit_gateway::{
    demo::scripted_model::{ModelCall, ScriptedModel, Step},
    protocol::Timestamp,
};
use futures_util::stream;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::{task::JoinSet, time::sleep};

use crate::rig::{
    Database, Findings, GatewayProcess, Invariant, Plan, RecordingModel, User,
    gateway_process::Crash,
    invariants::{self, Evidence},
    postgres,
    proxy::{Proxy, Wire},
    settings,
};

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

/// Late, in single bytes, not at all for a while, and then broken off. Where it broke right behind
/// the commit of a message, nobody drives the run: it ends, and its reader is told.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn a_bad_wire_to_the_database_breaks_no_promise() {
    let mut findings = Findings::new("bad wire to PostgreSQL");
    let database = Database::postgres().await;
    let (host, _) = split(&database.url);
    let proxy = Proxy::to(host.parse().unwrap()).await;
    let through_proxy = database.url.replace(&host, &proxy.address.to_string());
    let model = RecordingModel::start().await;
    let gateway = GatewayProcess::start(&through_proxy, &model.base_url()).await;
    let users = User::all(&[&gateway.base]);
    let before = gateway.resources_when_warm().await;

    for round in 0..settings::rounds(1, 20) {
        let begun = Timestamp::now();
        let mut asking = JoinSet::new();
        for number in 0..20 {
            let user = users[number % users.len()].clone();
            let plan = Plan::new(format!("{}/{round}.{number}", user.name), 100, 20);
            asking.spawn(user.ask(plan));
        }
        let late = Wire { latency: Duration::from_millis(20), ..Wire::default() };
        for wire in [
            late,
            Wire { byte_by_byte: true, ..late },
            Wire { is_stalled: true, ..Wire::default() },
            Wire { is_cut: true, ..Wire::default() },
            Wire::default(),
        ] {
            proxy.becomes(wire);
            sleep(Duration::from_millis(500)).await;
        }
        let cut = Crash::now();
        let transcripts = asking.join_all().await;

        let stored = database.look(begun).await;
        let evidence = Evidence {
            transcripts: &transcripts,
            answers: &model.answers,
            stored: &stored,
            crashes: &[cut],
        };
        evidence.judge(&mut findings);
        let broken = transcripts.iter().filter(|reader| {
            reader.done_text().is_none() && !model.answers.to(&reader.tag).is_empty()
        });
        let broken = broken.map(|reader| format!("not answered: {reader:?}"));
        findings.note(Invariant::DoneIsStored, broken.collect());
        findings.connections(&transcripts);
        findings.round(transcripts.len());
    }
    let back = invariants::resources_are_back(&gateway, &model, before).await;
    findings.note(Invariant::ResourcesBack, back);
    findings.finish();
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
