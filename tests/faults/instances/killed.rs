//! One of two instances is killed, and the other ends what it left.

use std::time::Duration;

use chatkit_gateway::protocol::Timestamp;
use tokio::{task::JoinSet, time::sleep};

use super::Pair;
use crate::rig::{Findings, Invariant, Plan, invariants::Evidence, settings, transcript::End};

/// Runs that are live when it dies, half of them its own.
fn live_runs() -> usize {
    if settings::is_long() { 50 } else { 10 }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn readers_of_a_killed_instance_go_on_at_the_other() {
    let scenario = "one of two with Redis killed";
    let live = live_runs();
    let mut random = settings::random(scenario);
    let mut findings = Findings::new(scenario);
    let mut pair = Pair::start().await;
    for round in 0..settings::rounds(1, 20) {
        pair.model.answers.clear();
        let begun = Timestamp::now();
        let mut asking = JoinSet::new();
        for number in 0..live {
            // By turns at the one and at the other, each watched at both.
            let user = pair.users[number % pair.users.len()].preferring(number);
            let plan = Plan::new(format!("{}/{round}.{number}", user.name), 100, 40);
            asking.spawn(user.ask_and_watch_elsewhere(plan));
        }
        // All of them have begun, and none has ended.
        while pair.model.calls() < ((round + 1) * live) as u64 {
            sleep(Duration::from_millis(1)).await;
        }
        sleep(Duration::from_secs(2).mul_f64(random.f64())).await;

        let victim = round % 2;
        let crash = pair.gateways[victim].kill();
        if !settings::is_long() {
            pair.database.expire_leases().await;
        }
        let transcripts: Vec<_> = asking.join_all().await.into_iter().flatten().collect();

        let stored = pair.database.look(begun).await;
        Evidence {
            transcripts: &transcripts,
            answers: &pair.model.answers,
            stored: &stored,
            crashes: &[crash],
        }
        .judge(&mut findings);
        let waiting = transcripts.iter().filter(|reader| reader.end == End::None);
        let waiting = waiting.map(|reader| format!("{} never came to an end", reader.tag));
        findings.note(Invariant::OneEnd, waiting.collect());
        let ended = |status: &str| stored.runs.iter().filter(|run| run.status == status).count();
        let (left, whole) = (ended("interrupted"), ended("completed"));
        let more = left > live / 2 || whole < live / 2;
        let more = more.then(|| format!("{left} interrupted and {whole} completed"));
        findings.note(Invariant::DoneIsStored, more.into_iter().collect());
        pair.gateways[victim].restart().await;
        findings.connections(&transcripts);
        findings.round(live);
    }
    findings.finish();
}
