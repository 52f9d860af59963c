//! SIGTERM, with nothing to do and with many answers under way.

use std::time::{Duration, Instant};

use chatkit_gateway::protocol::Timestamp;
use rustix::process::Signal;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use crate::rig::{
    Database, Findings, GatewayProcess, Invariant, Plan, RecordingModel, Transcript, User,
    invariants::{self, Evidence},
    rude, settings,
};

/// Connections, and runs.
const MANY: usize = 100;
/// What an end may take beside the drain time.
const A_SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_do_not_keep_a_process_from_its_end() {
    let mut findings = Findings::new("SIGTERM, 100 idle connections");
    let (database, model) = (Database::sqlite(), RecordingModel::start().await);
    let mut gateway = GatewayProcess::start(&database.url, &model.base_url()).await;
    for round in 0..settings::rounds(1, 10) {
        if round > 0 {
            gateway.restart().await;
        }
        let mut connections = Vec::new();
        for _ in 0..MANY {
            connections.push(idle_connection(&gateway).await);
        }
        let told = Instant::now();
        gateway.signal(Signal::TERM);
        let status = gateway.wait_for_exit().await;
        findings.took("exit", told.elapsed());
        findings.note(Invariant::EndsInTime, invariants::ends_in_time(told, A_SECOND, status));
        findings.round(0);
    }
    findings.finish();
}

/// One that has carried a request and stays open.
async fn idle_connection(gateway: &GatewayProcess) -> TcpStream {
    let mut connection = TcpStream::connect(gateway.address()).await.unwrap();
    let request = rude::request("GET", "/health", "", None);
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        assert!(connection.read_buf(&mut answer).await.unwrap() > 0, "closed already");
    }
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_models_do_not_keep_a_process_from_its_end_on_sqlite() {
    silent_models("SIGTERM, 100 silent runs, SQLite", &Database::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn silent_models_do_not_keep_a_process_from_its_end_on_postgres() {
    let database = Database::postgres().await;
    silent_models("SIGTERM, 100 silent runs, PostgreSQL", &database).await;
}

async fn silent_models(scenario: &'static str, database: &Database) {
    let mut findings = Findings::new(scenario);
    for round in 0..settings::rounds(1, 10) {
        let drain = Duration::from_secs(2);
        end_with_silent_runs(&mut findings, database, round * 2, drain, None, drain + A_SECOND)
            .await;
        // The second signal cuts the drain time short.
        let long = Duration::from_secs(25);
        let pause = Some(Duration::from_millis(300));
        end_with_silent_runs(&mut findings, database, round * 2 + 1, long, pause, A_SECOND).await;
    }
    findings.finish();
}

async fn end_with_silent_runs(
    findings: &mut Findings,
    database: &Database,
    round: usize,
    drain: Duration,
    second_signal_after: Option<Duration>,
    limit: Duration,
) {
    let model = RecordingModel::start().await;
    let drain = format!("{}s", drain.as_secs());
    let vars = [("CHATKIT_DRAIN", drain.as_str())];
    let mut gateway = GatewayProcess::start_with(&database.url, &model.base_url(), &vars).await;
    let mut users = User::all(&[&gateway.base]);
    let begun = Timestamp::now();
    let mut asking = JoinSet::new();
    for number in 0..MANY {
        let user = &mut users[number % 5];
        user.patience = Duration::from_secs(10);
        let tag = format!("{}/{round}.{number}", user.name);
        asking.spawn(user.clone().ask(Plan { hangs: true, ..Plan::new(tag, 3, 5) }));
    }
    while model.answers.said() < MANY * 3 {
        tokio::task::yield_now().await;
    }

    let mut told = Instant::now();
    gateway.signal(Signal::TERM);
    if let Some(pause) = second_signal_after {
        tokio::time::sleep(pause).await;
        told = Instant::now();
        gateway.signal(Signal::TERM);
    }
    let status = gateway.wait_for_exit().await;
    findings
        .took(if second_signal_after.is_some() { "hurried exit" } else { "exit" }, told.elapsed());
    findings.note(Invariant::EndsInTime, invariants::ends_in_time(told, limit, status));

    let transcripts: Vec<Transcript> = asking.join_all().await;
    let stored = database.look(begun).await;
    let evidence = Evidence {
        transcripts: &transcripts,
        answers: &model.answers,
        stored: &stored,
        crashes: &[],
    };
    evidence.judge(findings);
    let untold = transcripts.iter().filter(|reader| !reader.has_error());
    let untold = untold.map(|reader| format!("{} was not told of the end", reader.tag));
    findings.note(Invariant::OneEnd, untold.collect());
    findings.connections(&transcripts);
    findings.round(MANY);
}
