//! Two instances, restarted one behind the other while users go on asking.

use std::time::{Duration, Instant};

use chatkit_gateway::protocol::Timestamp;
use rustix::process::Signal;
use tokio::{task::JoinSet, time::sleep};

use crate::rig::{
    Database, Findings, GatewayProcess, Invariant, Plan, RecordingModel, User,
    invariants::{self, Evidence},
    settings,
};

/// Users ask every so often.
const ASK_EVERY: Duration = Duration::from_millis(40);
/// How long an answer may take; the drain time is longer.
const LONGEST: u64 = 1_500;
const DRAIN: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn a_rolling_restart_loses_nothing() {
    let scenario = "rolling restart of two";
    let mut random = settings::random(scenario);
    let mut findings = Findings::new(scenario);
    let (database, model) = (Database::postgres().await, RecordingModel::start().await);
    let vars = [("CHATKIT_DRAIN", "4s")];
    let model_url = model.base_url();
    let start = || GatewayProcess::start_with(&database.url, &model_url, &vars);
    let mut gateways = [start().await, start().await];
    let users = User::all(&[&gateways[0].base, &gateways[1].base]);

    for round in 0..settings::rounds(1, 20) {
        model.answers.clear();
        let begun = Timestamp::now();
        let mut asking = JoinSet::new();
        let mut ask = async |asking: &mut JoinSet<_>, time: Duration| {
            let until = Instant::now() + time;
            while Instant::now() < until {
                let number = asking.len();
                let user = users[number % users.len()].preferring(number / users.len());
                let tag = format!("{}/{round}.{number}", user.name);
                let deltas = random.usize(5..100);
                asking.spawn(user.ask(Plan::new(tag, deltas, random.u64(1..LONGEST / 100))));
                sleep(ASK_EVERY).await;
            }
        };
        ask(&mut asking, Duration::from_millis(500)).await;
        for gateway in &mut gateways {
            let told = Instant::now();
            gateway.signal(Signal::TERM);
            // Both at once: users go on asking while it ends.
            let (status, ()) =
                tokio::join!(gateway.wait_for_exit(), ask(&mut asking, Duration::from_millis(500)));
            findings.took("exit", told.elapsed());
            let in_time = invariants::ends_in_time(told, DRAIN + Duration::from_secs(1), status, 0);
            findings.note(Invariant::EndsInTime, in_time);
            gateway.restart().await;
            ask(&mut asking, Duration::from_millis(300)).await;
        }
        let transcripts = asking.join_all().await;

        let stored = database.look(begun).await;
        let evidence = Evidence {
            transcripts: &transcripts,
            answers: &model.answers,
            stored: &stored,
            crashes: &[],
        };
        evidence.judge(&mut findings);
        let unanswered = transcripts.iter().filter(|reader| reader.done_text().is_none());
        let unanswered = unanswered.map(|reader| format!("not answered: {reader:?}"));
        findings.note(Invariant::DoneIsStored, unanswered.collect());
        let readable = invariants::what_is_done_is_readable(&users, &transcripts).await;
        findings.note(Invariant::DoneIsStored, readable);
        findings.connections(&transcripts);
        findings.round(transcripts.len());
    }
    findings.finish();
}
