//! kill -9 in the middle of answers that go on at their provider: nobody loses a word.

use std::time::Duration;

use chatkit_gateway::protocol::Timestamp;
use tokio::{task::JoinSet, time::sleep};

use crate::rig::{
    Database, Findings, GatewayProcess, Invariant, Plan, RecordingModel, Transcript, User,
    gateway_process::Crash,
    invariants::{self, Evidence},
    settings,
};

/// How many runs are live when the process dies.
const RUNS: usize = 20;
const VARS: [(&str, &str); 1] = [("OPENAI_BACKGROUND", "true")];

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_the_background_survives_its_process_on_sqlite() {
    let scenario = "crash, answers in the background, SQLite";
    let mut random = settings::random(scenario);
    let mut findings = Findings::new(scenario);
    let (database, model) = (Database::sqlite(), RecordingModel::start().await);
    let mut gateway = GatewayProcess::start_with(&database.url, &model.base_url(), &VARS).await;
    let users = User::all(&[&gateway.base]);
    for round in 0..settings::rounds(2, 100) {
        let asked = ask(&users, &model, round, &mut random);
        wait_until_resumable(&database, &asked, random.u64(..700)).await;
        let crash = gateway.kill();
        gateway.restart().await;
        judge(&database, &model, &users, asked, crash, &mut findings).await;
    }
    findings.finish();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn another_instance_goes_on_with_an_answer_in_the_background() {
    let scenario = "crash, answers in the background, the other of two goes on";
    let mut random = settings::random(scenario);
    let mut findings = Findings::new(scenario);
    let (database, model) = (Database::postgres().await, RecordingModel::start().await);
    let (url, model_url) = (database.url.clone(), model.base_url());
    let start = || GatewayProcess::start_with(&url, &model_url, &VARS);
    let mut gateways = [start().await, start().await];
    for round in 0..settings::rounds(1, 20) {
        // The first of them has the runs, and dies; it is back when all is over.
        let users = User::all(&[&gateways[0].base, &gateways[1].base]);
        let asked = ask(&users, &model, round, &mut random);
        wait_until_resumable(&database, &asked, random.u64(..700)).await;
        let crash = gateways[0].kill();
        if !settings::is_long() {
            database.expire_leases().await;
        }
        let living = User::all(&[&gateways[1].base]);
        judge(&database, &model, &living, asked, crash, &mut findings).await;
        gateways[0].restart().await;
        gateways.swap(0, 1);
    }
    findings.finish();
}

struct Asked {
    begun: Timestamp,
    calls: u64,
    asking: JoinSet<Transcript>,
}

fn ask(users: &[User], model: &RecordingModel, round: usize, random: &mut fastrand::Rng) -> Asked {
    model.answers.clear();
    let (begun, calls) = (Timestamp::now(), model.calls());
    let mut asking = JoinSet::new();
    for number in 0..RUNS {
        let user = users[number % users.len()].clone();
        let tag = format!("{}/{round}.{number}", user.name);
        let plan = Plan { filler: random.usize(..12), ..Plan::new(tag, 250, random.u64(6..16)) };
        asking.spawn(user.ask(plan));
    }
    Asked { begun, calls, asking }
}

/// Until all can be gone on with, or have ended, and a little more. A run whose process dies between its question
/// and the answer's first event cannot: nobody knows what the answer is called.
async fn wait_until_resumable(database: &Database, asked: &Asked, more_ms: u64) {
    loop {
        let stored = database.look(asked.begun).await;
        let ended = stored.runs.iter().filter(|run| run.ended_at.is_some()).count();
        if ended + database.resumable_runs().await >= RUNS {
            break;
        }
        sleep(Duration::from_millis(5)).await;
    }
    sleep(Duration::from_millis(more_ms)).await;
}

async fn judge(
    database: &Database,
    model: &RecordingModel,
    users: &[User],
    asked: Asked,
    crash: Crash,
    findings: &mut Findings,
) {
    let transcripts: Vec<Transcript> = asked.asking.join_all().await;
    let stored = database.look(asked.begun).await;
    Evidence {
        transcripts: &transcripts,
        answers: &model.answers,
        stored: &stored,
        crashes: &[crash],
    }
    .judge(findings);
    let cut = transcripts.iter().filter(|reader| {
        let whole = model.answers.first(&reader.tag).text();
        reader.done_text().as_deref() != Some(&whole)
    });
    let cut = cut.map(|reader| format!("{} is not whole: {:?}", reader.tag, reader.end));
    findings.note(Invariant::DoneIsStored, cut.collect());
    let more = model.calls() - asked.calls;
    let more = (more != RUNS as u64).then(|| format!("{more} calls for {RUNS} messages"));
    findings.note(Invariant::OneCall, more.into_iter().collect());
    let readable = invariants::what_is_done_is_readable(users, &transcripts).await;
    findings.note(Invariant::DoneIsStored, readable);
    findings.connections(&transcripts);
    findings.round(RUNS);
}
