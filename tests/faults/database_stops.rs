//! A PostgreSQL server that is restarted, and one that holds still, in the middle of many answers.

use std::time::{Duration, Instant, SystemTime};

use tokio::{task::JoinSet, time::sleep};

use crate::rig::{
    Database, Findings, GatewayProcess, Invariant, Plan, RecordingModel, Transcript, User,
    gateway_process::Crash,
    invariants::{self, Evidence},
    postgres_server::PostgresServer,
    settings,
};

/// Runs that are live when it happens.
const RUNS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn a_restart_of_the_database_loses_nothing() {
    let mut findings = Findings::new("PostgreSQL restarted");
    let mut scene = Scene::new().await;
    for round in 0..settings::rounds(2) {
        let begun = SystemTime::now();
        let asking = scene.ask(round, 2_500);
        sleep(Duration::from_millis(fastrand::u64(500..2_000))).await;

        scene.server.restart().await;

        scene.judge(begun, asking, &[], &mut findings).await;
    }
    findings.finish();
}

/// Up to a minute nothing is lost. Longer than that writes are not tried again: the readers are told,
/// and what was stored before is kept.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn a_database_that_holds_still_breaks_no_promise() {
    let mut findings = Findings::new("PostgreSQL stopped");
    let seconds: &[u64] = if settings::is_long() { &[30, 90] } else { &[3] };
    let mut scene = Scene::new().await;
    for (round, seconds) in seconds.iter().enumerate() {
        scene.hold_still(round, Duration::from_secs(*seconds), &mut findings).await;
    }
    findings.finish();
}

struct Scene {
    server: PostgresServer,
    database: Database,
    model: RecordingModel,
    gateway: GatewayProcess,
    users: Vec<User>,
}

impl Scene {
    async fn new() -> Self {
        let server = PostgresServer::start().await;
        let model = RecordingModel::start().await;
        let database = Database::at(server.url());
        let gateway = GatewayProcess::start(&database.url, &model.base_url()).await;
        let mut users = User::all(&[&gateway.base]);
        for user in &mut users {
            user.patience = Duration::from_mins(4);
        }
        Self { server, database, model, gateway, users }
    }

    /// Half of the answers take this many milliseconds, the others a few hundred.
    fn ask(&self, round: usize, milliseconds: u64) -> JoinSet<Transcript> {
        let mut asking = JoinSet::new();
        for number in 0..RUNS {
            let user = self.users[number % self.users.len()].clone();
            let tag = format!("{}/{round}.{number}", user.name);
            let deltas = 100;
            let interval = if number % 2 == 0 { milliseconds / 100 } else { 5 };
            let begins = Duration::from_millis(50 * number as u64);
            asking.spawn(async move {
                sleep(begins).await;
                user.ask(Plan::new(tag, deltas, interval)).await
            });
        }
        asking
    }

    async fn hold_still(&mut self, round: usize, time: Duration, findings: &mut Findings) {
        let begun = SystemTime::now();
        let milliseconds = u64::try_from(time.as_millis()).unwrap();
        let asking = self.ask(round, milliseconds + 2_000);
        // Some of them come while nobody answers.
        sleep(Duration::from_millis(700)).await;
        let stopped = Crash::now();
        self.server.freeze();
        sleep(time).await;
        self.server.thaw();
        let patience_ends = Duration::from_mins(1);
        let crashes = [stopped, Crash::now()];
        let crashes = if time > patience_ends { &crashes[..] } else { &[] };
        self.judge(begun, asking, crashes, findings).await;
    }

    async fn judge(
        &mut self,
        begun: SystemTime,
        asking: JoinSet<Transcript>,
        crashes: &[Crash],
        findings: &mut Findings,
    ) {
        let back = Instant::now();
        let transcripts = asking.join_all().await;
        findings.took("to the last end", back.elapsed());
        let stored = self.database.look(begun).await;
        Evidence { transcripts: &transcripts, answers: &self.model.answers, stored: &stored, crashes }
            .judge(findings);
        if crashes.is_empty() {
            let lost = transcripts.iter().filter(|reader| reader.done_text().is_none());
            findings.note(
                Invariant::DoneIsStored,
                lost.map(|reader| format!("{} was not answered: {:?}", reader.tag, reader.seen.last()))
                    .collect(),
            );
        }
        let readable = invariants::what_is_done_is_readable(&self.users, &transcripts).await;
        findings.note(Invariant::DoneIsStored, readable);
        let idle = invariants::resources_are_back(&self.gateway, &self.model, self.gateway.resources().await).await;
        findings.note(Invariant::ResourcesBack, idle);
        findings.connections(&transcripts);
        findings.round(RUNS);
    }
}
