//! SIGTERM, with nothing to do, with many answers under way, and with a database that does not answer.

use std::time::{Duration, Instant};

use chatkit_gateway::protocol::Timestamp;
use rustix::process::Signal;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::sleep,
};

use crate::rig::{
    Database, Findings, GatewayProcess, Invariant, Plan, RecordingModel, Transcript, User,
    gateway_process::Crash,
    invariants::{self, Evidence},
    postgres_server::PostgresServer,
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
        findings.note(Invariant::EndsInTime, invariants::ends_in_time(told, A_SECOND, status, 0));
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
    findings.note(Invariant::EndsInTime, invariants::ends_in_time(told, limit, status, 0));

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

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn a_database_that_stands_still_does_not_keep_a_process_from_its_end() {
    let mut findings = Findings::new("SIGTERM, PostgreSQL stopped");
    for _ in 0..settings::rounds(1, 5) {
        let mut scene = DeafDatabase::new().await;
        scene.server.freeze();
        scene.end(&mut findings).await;
        scene.server.thaw();
        scene.judge(&mut findings).await;
    }
    findings.finish();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn a_database_that_is_gone_does_not_keep_a_process_from_its_end() {
    let mut findings = Findings::new("SIGTERM, PostgreSQL gone");
    for _ in 0..settings::rounds(1, 5) {
        let mut scene = DeafDatabase::new().await;
        scene.server.stop();
        scene.end(&mut findings).await;
        scene.server.start_again().await;
        scene.judge(&mut findings).await;
    }
    findings.finish();
}

/// Answers under way, and a database that will not hear of them.
struct DeafDatabase {
    server: PostgresServer,
    database: Database,
    model: RecordingModel,
    gateway: GatewayProcess,
    asking: JoinSet<Transcript>,
    begun: Timestamp,
    crashes: Vec<Crash>,
}

impl DeafDatabase {
    const RUNS: usize = 20;
    const DRAIN: Duration = Duration::from_secs(2);

    async fn new() -> Self {
        let server = PostgresServer::start().await;
        let (database, model) = (Database::at(server.url()), RecordingModel::start().await);
        let vars = [("CHATKIT_DRAIN", "2s")];
        let gateway = GatewayProcess::start_with(&database.url, &model.base_url(), &vars).await;
        let users = User::all(&[&gateway.base]);
        let begun = Timestamp::now();
        let mut asking = JoinSet::new();
        for number in 0..Self::RUNS {
            let user = users[number % users.len()].clone();
            // Some speak all the time, some have fallen silent.
            let deltas = if number % 4 == 0 { 3 } else { 1_000 };
            let plan = Plan::new(format!("{}/{number}", user.name), deltas, 10);
            asking.spawn(user.ask(Plan { hangs: true, ..plan }));
        }
        while model.answers.said() < Self::RUNS * 50 {
            sleep(Duration::from_millis(1)).await;
        }
        Self { server, database, model, gateway, asking, begun, crashes: vec![Crash::now()] }
    }

    /// What the gateway does then.
    async fn end(&mut self, findings: &mut Findings) {
        sleep(Duration::from_secs(1)).await;
        let told = Instant::now();
        self.gateway.signal(Signal::TERM);
        let status = self.gateway.wait_for_exit().await;
        findings.took("exit", told.elapsed());
        // Most of the second is waited for the database: among other tests that is too close.
        let more = if settings::is_long() { Duration::ZERO } else { A_SECOND };
        let limit = Self::DRAIN + A_SECOND + more;
        let in_time = invariants::ends_in_time(told, limit, status, invariants::UNSTORED);
        findings.note(Invariant::EndsInTime, in_time);
        self.crashes.push(Crash::now());
    }

    /// What its successor finds.
    async fn judge(mut self, findings: &mut Findings) {
        let transcripts = std::mem::take(&mut self.asking).join_all().await;
        self.gateway.restart().await;
        let mut stored = self.database.look(self.begun).await;
        while stored.runs.iter().any(|run| run.status == "running") {
            if !settings::is_long() {
                self.database.expire_leases().await;
            }
            sleep(Duration::from_millis(50)).await;
            stored = self.database.look(self.begun).await;
        }
        let evidence = Evidence {
            transcripts: &transcripts,
            answers: &self.model.answers,
            stored: &stored,
            crashes: &self.crashes,
        };
        evidence.judge(findings);
        let untold = transcripts.iter().filter(|reader| !reader.has_error());
        let untold = untold.map(|reader| format!("{} was not told of the end", reader.tag));
        findings.note(Invariant::OneEnd, untold.collect());
        findings.connections(&transcripts);
        findings.round(Self::RUNS);
    }
}
