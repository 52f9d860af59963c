//! A process that stands still for longer than its leases, and then goes on.

use std::time::Duration;

use chatkit_gateway::protocol::Timestamp;
use rustix::process::Signal;
use tokio::{task::JoinSet, time::sleep};

use crate::rig::{
    Database, Findings, GatewayProcess, Invariant, Plan, RecordingModel, Transcript, User,
    gateway_process::Crash,
    invariants::{self, Evidence},
    settings,
};

/// At least: a process that stands still for less cannot know that its leases have run out, unless
/// by a write. They last 15 s and are renewed every 5 s.
const STANDS_STILL: Duration = Duration::from_secs(11);
/// Runs that are live when it stops.
const RUNS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn a_zombie_writes_and_sends_nothing() {
    let mut findings = Findings::new("a process stopped for longer than its leases");
    for round in 0..settings::rounds(1, 3) {
        stop_and_go_on(round, &mut findings).await;
    }
    findings.finish();
}

async fn stop_and_go_on(round: usize, findings: &mut Findings) {
    let (database, model) = (Database::postgres().await, RecordingModel::start().await);
    let zombie = GatewayProcess::start(&database.url, &model.base_url()).await;
    let other = GatewayProcess::start(&database.url, &model.base_url()).await;
    let users = User::all(&[&zombie.base, &other.base]);
    let begun = Timestamp::now();

    // Each is watched from both; the one at the zombie stays there whatever happens.
    let (mut asking, mut staying) = (JoinSet::new(), JoinSet::new());
    for number in 0..RUNS {
        let user = users[number % users.len()].clone();
        let plan = Plan::new(format!("{}/{round}.{number}", user.name), 1_500, 40);
        let response = user.post(&zombie.base, &plan).send().await.unwrap();
        let mut at_zombie = Transcript {
            user: user.name.to_owned(),
            tag: plan.tag.clone(),
            ..Transcript::default()
        };
        User::note_run(&response, &mut at_zombie);
        let named = at_zombie.clone();
        let mut stays = user.clone();
        // Its silence is what is looked at.
        stays.silence = Duration::from_mins(5);
        staying.spawn(async move {
            if stays.read(response, &mut at_zombie).await {
                at_zombie.end = at_zombie.ending();
            }
            at_zombie
        });
        let mut leaves = user.preferring(1);
        leaves.gateways = [other.base.clone()].into();
        asking.spawn(leaves.resume(plan, named));
    }
    sleep(Duration::from_millis(1_500)).await;

    let stopped = Crash::now();
    zombie.signal(Signal::STOP);
    if !settings::is_long() {
        database.expire_leases().await;
    }
    // They end when the other has taken the runs over.
    let transcripts = asking.join_all().await;
    let taken_over = database.look(begun).await;
    sleep(STANDS_STILL.saturating_sub(stopped.at.elapsed())).await;
    zombie.signal(Signal::CONT);
    let at_zombie = staying.join_all().await;
    model.running.model().wait_until(|counters| counters.open_calls == 0).await;
    let after = database.look(begun).await;

    let evidence = Evidence {
        transcripts: &transcripts,
        answers: &model.answers,
        stored: &after,
        crashes: &[stopped],
    };
    evidence.judge(findings);
    let written = (format!("{taken_over:?}") != format!("{after:?}")).then(|| {
        format!("the database changed after the take-over: {taken_over:?}, then {after:?}")
    });
    findings.note(Invariant::OneEnd, written.into_iter().collect());
    let lively = at_zombie.iter().filter(|reader| {
        // What had been said before was on its way; nothing of it may be called done.
        reader.done_text().is_some()
    });
    let lively = lively.map(|reader| format!("{}: a zombie said that it is done", reader.tag));
    findings.note(Invariant::DoneIsStored, lively.collect());
    let said = at_zombie.iter().filter(|reader| reader.seen.len() > reader.seen_by(stopped.at) + 1);
    let said = said.map(|reader| {
        let more = reader.seen.len() - reader.seen_by(stopped.at);
        format!("{}: a zombie sent {more} events more", reader.tag)
    });
    findings.note(Invariant::Positions, said.collect());
    let busy = users[0].clone().ask(Plan::new(format!("ada/{round}.after"), 3, 1)).await;
    findings.note(
        Invariant::NotBusy,
        busy.done_text().is_none().then(|| format!("{busy:?}")).into_iter().collect(),
    );
    let back = invariants::resources_are_back(&zombie, &model, other.resources().await).await;
    findings.note(Invariant::ResourcesBack, back);
    findings.connections(&transcripts);
    findings.round(RUNS);
}
