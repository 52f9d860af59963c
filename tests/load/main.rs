//! The load client of `examples/load`, held against what is known: what a server does wrong it must
//! see, and what a server does right it must not doubt.

#![expect(clippy::unwrap_used, reason = "a failure is what a test is for")]

#[path = "../../examples/load/client/mod.rs"]
mod client;
mod faulty;
mod gateway;

use chatkit_gateway::demo::scripted_model::{RequestedScript, RunningModel, ScriptedModel};
use clap::Parser as _;
use client::{Options, Report};
use faulty::{Fault, FaultyProxy};
use gateway::TestGateway;
use rustix::time::{ClockId, clock_gettime};

/// The clock of the load client.
fn clock() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)).unwrap()
}

async fn model() -> RunningModel {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    ScriptedModel::new(RequestedScript::new(clock)).start().await.unwrap()
}

/// What the client says of a load of 10 streams of 20 deltas.
async fn load(url: &str, api: &str, arguments: &[&str]) -> Report {
    let all = ["load", "--streams", "10", "--deltas", "20", "--interval-ms", "1", "--settle", "0s"];
    let target = ["--url", url, "--api", api, "--timeout", "20s"];
    let options = Options::parse_from(all.iter().chain(&target).chain(arguments));
    tokio::task::spawn_blocking(|| client::run(options)).await.unwrap().unwrap()
}

async fn load_through(fault: Fault) -> Report {
    let model = model().await;
    let proxy = FaultyProxy::start(&model.base_url(), fault).await;
    load(&proxy.url, "responses", &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_itself_loses_nothing() {
    let model = model().await;
    let url = format!("{}/responses", model.base_url());

    let report = load(&url, "responses", &["--threads", "2"]).await;

    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.answers.whole, report.deltas.received), (10, 200));
    assert_eq!(report.times_ms.delay.map(|delay| delay.max > 0.0), Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_delta_is_reported_as_lost() {
    let report = load_through(Fault::Drop).await;

    assert!(!report.is_clean());
    assert_eq!((report.deltas.lost, report.deltas.repeated), (10, 0), "{report:?}");
    assert_eq!((report.answers.lossy, report.answers.differing, report.answers.whole), (10, 10, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_that_is_sent_twice_is_reported_as_repeated() {
    let report = load_through(Fault::Repeat).await;

    assert!(!report.is_clean());
    assert_eq!((report.deltas.lost, report.deltas.repeated), (0, 10), "{report:?}");
    assert_eq!((report.answers.repeating, report.answers.whole), (10, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn merged_deltas_are_all_counted() {
    let report = load_through(Fault::Merge).await;

    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.deltas.received, report.deltas.events), (200, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn deltas_that_are_cut_anywhere_are_all_counted() {
    let report = load_through(Fault::Cut).await;

    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.deltas.received, report.deltas.events), (200, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_reported_as_failed() {
    let report = load_through(Fault::BreakOff).await;

    assert!(!report.is_clean());
    assert_eq!((report.answers.failed, report.answers.whole), (10, 0), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_reported_by_its_status() {
    let model = model().await;
    let url = format!("{}/nowhere", model.base_url());

    let report = load(&url, "responses", &[]).await;

    assert_eq!(report.answers.failures.get("status 404"), Some(&10), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_says_is_what_it_has_stored() {
    let model = model().await;
    let gateway = TestGateway::start(&model.base_url()).await;
    let token = ["--token", &gateway.token, "--audit", "--messages", "2", "--same-thread"];

    for (path, api) in [("/chatkit", "chatkit"), ("/api/chatkit/messages", "messages")] {
        let report = load(&gateway.url(path), api, &token).await;

        assert!(report.is_clean(), "{report:?}");
        let audit = report.audit.unwrap();
        assert_eq!((report.answers.whole, audit.threads, audit.expected), (20, 10, 40));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_lose_their_connections_read_on_to_the_end_of_one_model_call() {
    let model = model().await;
    let gateway = TestGateway::start(&model.base_url()).await;
    let counters = model.base_url().replace("/v1", "");
    let readers = ["--readers", "30", "--model", &counters, "--token", &gateway.token];

    let report = load(&gateway.url("/api/chatkit/messages"), "messages", &readers).await;

    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.answers.whole, report.model_calls), (31, Some(1)));
    assert!(report.times_ms.reconnect.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_leave_are_counted_and_disturb_nobody() {
    let model = model().await;
    let gateway = TestGateway::start(&model.base_url()).await;
    let aborts = ["--connect-abort", "100", "--interval-ms", "5", "--token", &gateway.token];
    let aborts = [&aborts[..], &["--audit"]].concat();

    let report = load(&gateway.url("/chatkit"), "chatkit", &aborts).await;

    assert!(report.is_clean(), "{report:?}");
    let aborts = serde_json::to_value(report.aborts).unwrap();
    assert!(aborts["attempts"].as_u64() > Some(0), "{aborts}");
    assert_eq!(aborts["not_connected"], 0);
}
