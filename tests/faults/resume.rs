//! Readers that begin at random positions, leave and come back.

use std::time::Duration;

use chatkit_gateway::protocol::Timestamp;
use tokio::{task::JoinSet, time::sleep};

use crate::rig::{
    Database, Findings, GatewayProcess, Invariant, Plan, RecordingModel, Transcript, User,
    invariants::{self, Evidence},
    settings,
};

/// An answer of two seconds.
const DELTAS: usize = 250;
const INTERVAL_MS: u64 = 8;
/// Events before the first delta: thread created, message done, options, item added, part added.
const BEFORE_TEXT: u64 = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_may_begin_anywhere_on_sqlite() {
    let (database, model) = (Database::sqlite(), RecordingModel::start().await);
    let gateway = GatewayProcess::start(&database.url, &model.base_url()).await;
    resume("resume, SQLite", &database, &model, &[&gateway]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn a_reader_may_begin_anywhere_on_either_of_two_instances() {
    let (database, model) = (Database::postgres().await, RecordingModel::start().await);
    let first = GatewayProcess::start(&database.url, &model.base_url()).await;
    let second = GatewayProcess::start(&database.url, &model.base_url()).await;
    resume("resume, two on PostgreSQL", &database, &model, &[&first, &second]).await;
}

pub(crate) async fn resume(
    scenario: &'static str,
    database: &Database,
    model: &RecordingModel,
    gateways: &[&GatewayProcess],
) {
    let mut random = settings::random(scenario);
    let mut findings = Findings::new(scenario);
    let bases: Vec<&str> = gateways.iter().map(|gateway| &*gateway.base).collect();
    let user = User::all(&bases).swap_remove(0);
    let begun = Timestamp::now();
    let before = gateways[0].resources_when_warm().await;

    // One that reads it whole, one that leaves all the time.
    let plan = Plan::new("ada/whole".to_owned(), DELTAS, INTERVAL_MS);
    let mut hopping = user.clone();
    hopping.leaves_after = Some(10);
    let hopped = Plan::new("ada/hopped".to_owned(), DELTAS, INTERVAL_MS);
    let mut asking = JoinSet::new();
    asking.spawn(hopping.ask(hopped));
    let run = begin(&user, &plan, &mut asking).await;

    // Live, at moments and positions at random.
    let positions = settings::rounds(40, 200);
    let mut reading = JoinSet::new();
    for number in 0..positions / 2 {
        let user = user.preferring(number);
        let (plan, run, answers) = (plan.clone(), run.clone(), model.answers.clone());
        let begins_within = Duration::from_millis(INTERVAL_MS * DELTAS as u64);
        let (begins, part) = (begins_within.mul_f64(random.f64()), random.usize(..=100));
        reading.spawn(async move {
            sleep(begins).await;
            let said = answers.first(&plan.tag).deltas.len();
            let seen = said * part / 100;
            user.resume(plan.clone(), behind(&run, seen, &answers)).await
        });
    }
    let mut transcripts = asking.join_all().await;
    transcripts.extend(reading.join_all().await);

    // Ended.
    let mut reading = JoinSet::new();
    for number in positions / 2..positions {
        let start = behind(&run, random.usize(..=DELTAS), &model.answers);
        reading.spawn(user.preferring(number).resume(plan.clone(), start));
    }
    transcripts.extend(reading.join_all().await);

    let stored = database.look(begun).await;
    let evidence = Evidence {
        transcripts: &transcripts,
        answers: &model.answers,
        stored: &stored,
        crashes: &[],
    };
    evidence.judge(&mut findings);
    let unfinished = transcripts.iter().filter(|transcript| transcript.done_text().is_none());
    let unfinished = unfinished.map(|transcript| format!("not read to its end: {transcript:?}"));
    findings.note(Invariant::Positions, unfinished.collect());
    let readable = invariants::what_is_done_is_readable(&[user], &transcripts).await;
    findings.note(Invariant::DoneIsStored, readable);
    let resources = invariants::resources_are_back(gateways[0], model, before).await;
    findings.note(Invariant::ResourcesBack, resources);
    findings.connections(&transcripts);
    for _ in 0..positions {
        findings.round(0);
    }
    findings.runs(2);
    findings.finish();
}

/// Posts the message at the first gateway; answers what names its run.
async fn begin(user: &User, plan: &Plan, asking: &mut JoinSet<Transcript>) -> Transcript {
    let response = user.post(&user.gateways[0], plan).send().await.unwrap();
    let mut whole =
        Transcript { user: user.name.to_owned(), tag: plan.tag.clone(), ..Transcript::default() };
    User::note_run(&response, &mut whole);
    let named = whole.clone();
    let user = user.clone();
    asking.spawn(async move {
        if user.read(response, &mut whole).await {
            whole.end = whole.ending();
        }
        whole
    });
    named
}

/// A reader that has seen this many deltas.
fn behind(run: &Transcript, deltas: usize, answers: &crate::rig::model::Answers) -> Transcript {
    let said = answers.first(&run.tag).deltas;
    Transcript {
        after: BEFORE_TEXT + deltas as u64,
        skipped: said[..deltas].iter().map(|(_, delta)| delta.len()).sum(),
        ..run.clone()
    }
}
