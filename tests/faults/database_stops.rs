//! A PostgreSQL server that is restarted, and one that holds still, in the middle of many answers.

use std::time::{Duration, Instant};

use chatkit_gateway::protocol::Timestamp;
use tokio::{task::JoinSet, time::sleep};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::rig::{
    Database, Findings, GatewayProcess, Invariant, Plan, RecordingModel, Transcript, User,
    gateway_process::{Crash, Resources},
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
    let mut scene = Scene::new(2).await;
    for round in 0..settings::rounds(2, 20) {
        let begun = Timestamp::now();
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
    // Each with its own two instances. Again and again, since it matters what they had just asked for
    // when it stopped.
    let stops: &[u64] = if settings::is_long() { &[30, 30, 30, 30, 90, 90] } else { &[3] };
    for seconds in stops {
        let mut scene = Scene::new(2).await;
        scene.hold_still(Duration::from_secs(*seconds), &mut findings).await;
    }
    findings.finish();
}

/// As after a database that was away for longer than a lease: its own process finds it abandoned.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn a_run_whose_lease_ran_out_is_not_taken_from_the_process_that_drives_it() {
    let (database, model) = (Database::postgres().await, RecordingModel::start().await);
    let gateway = GatewayProcess::start(&database.url, &model.base_url()).await;
    let user = User::all(&[&gateway.base]).swap_remove(0);
    // Two words, and between them time for a look at what is abandoned.
    let plan = Plan::new("ada/lease".to_owned(), 2, 7_000);
    let asking = AbortOnDropHandle::new(TaskTracker::new().spawn(user.ask(plan)));
    model.running.model().wait_until(|counters| counters.calls == 1).await;

    // Behind the first checkpoint, well before the next.
    sleep(Duration::from_secs(1)).await;
    database.expire_leases().await;

    let transcript = asking.await.unwrap();
    assert_eq!(transcript.done_text().as_deref(), Some("ada/lease:0 ada/lease:1 "));
}

struct Scene {
    server: PostgresServer,
    database: Database,
    model: RecordingModel,
    gateways: Vec<GatewayProcess>,
    users: Vec<User>,
    before: Vec<Resources>,
}

impl Scene {
    async fn new(instances: usize) -> Self {
        let server = PostgresServer::start().await;
        let model = RecordingModel::start().await;
        let database = Database::at(server.url());
        let (mut gateways, mut before) = (Vec::new(), Vec::new());
        for _ in 0..instances {
            let gateway = GatewayProcess::start(&database.url, &model.base_url()).await;
            before.push(gateway.resources_when_warm().await);
            gateways.push(gateway);
        }
        let bases: Vec<&str> = gateways.iter().map(|gateway| &*gateway.base).collect();
        let mut users = User::all(&bases);
        for user in &mut users {
            user.patience = Duration::from_mins(5);
        }
        Self { server, database, model, gateways, users, before }
    }

    /// Half of the answers take this many milliseconds, the others a few hundred.
    fn ask(&self, round: usize, milliseconds: u64) -> JoinSet<Transcript> {
        let mut asking = JoinSet::new();
        for number in 0..RUNS {
            let user = self.users[number % self.users.len()].preferring(number / 5);
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

    async fn hold_still(&mut self, time: Duration, findings: &mut Findings) {
        let begun = Timestamp::now();
        let milliseconds = u64::try_from(time.as_millis()).unwrap();
        let asking = self.ask(0, milliseconds + 2_000);
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
        begun: Timestamp,
        asking: JoinSet<Transcript>,
        crashes: &[Crash],
        findings: &mut Findings,
    ) {
        let back = Instant::now();
        let transcripts = asking.join_all().await;
        findings.took("to the last end", back.elapsed());
        let stored = self.database.look(begun).await;
        Evidence {
            transcripts: &transcripts,
            answers: &self.model.answers,
            stored: &stored,
            crashes,
        }
        .judge(findings);
        if crashes.is_empty() {
            let lost = transcripts.iter().filter(|reader| reader.done_text().is_none());
            findings.note(
                Invariant::DoneIsStored,
                lost.map(|reader| {
                    format!("{} was not answered: {:?}", reader.tag, reader.seen.last())
                })
                .collect(),
            );
        }
        let readable = invariants::what_is_done_is_readable(&self.users, &transcripts).await;
        findings.note(Invariant::DoneIsStored, readable);
        for (gateway, before) in self.gateways.iter().zip(&self.before) {
            let back = invariants::resources_are_back(gateway, &self.model, *before).await;
            findings.note(Invariant::ResourcesBack, back);
        }
        findings.connections(&transcripts);
        findings.round(RUNS);
    }
}
