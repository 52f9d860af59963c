//! Stop at another instance than the run's, while the machine has more to do than it can.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use chatkit_gateway::protocol::Timestamp;
use reqwest::{Method, StatusCode};
use tokio::{task::JoinSet, time::sleep};

use crate::rig::{
    Database, Findings, GatewayProcess, Invariant, Plan, RecordingModel, Transcript, User, settings,
};

/// Runs that go on meanwhile.
const OTHERS: usize = 100;
/// How long the model may go on speaking. The short form is an unoptimised build among other tests,
/// and only sees that it stops.
fn stops_within() -> Duration {
    Duration::from_secs(if settings::is_long() { 1 } else { 10 })
}

/// Without Redis the run's instance finds it in the database.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn a_stop_at_another_instance_reaches_the_model_within_a_second() {
    let scenario = "Stop at the other of two, busy machine";
    let mut random = settings::random(scenario);
    let mut findings = Findings::new(scenario);
    let (database, model) = (Database::postgres().await, RecordingModel::start().await);
    let owner = GatewayProcess::start(&database.url, &model.base_url()).await;
    let other = GatewayProcess::start(&database.url, &model.base_url()).await;
    let users = User::all(&[&owner.base]);
    let _busy = Burners::start();
    let begun = Timestamp::now();

    let (rounds, mut longest) = (settings::rounds(5, 100), Duration::ZERO);
    let mut asking: JoinSet<Transcript> = JoinSet::new();
    for number in 0..OTHERS {
        let user = users[number % users.len()].clone();
        let plan = Plan::new(format!("{}/{number}", user.name), 100_000, 200);
        asking.spawn(user.ask(plan));
    }
    while model.calls() < OTHERS as u64 {
        sleep(Duration::from_millis(10)).await;
    }
    for round in 0..rounds {
        let user = &users[round % users.len()];
        let plan = Plan::new(format!("{}/stop.{round}", user.name), 1_000, 20);
        let response = user.post(&owner.base, &plan).send().await.unwrap();
        let mut transcript = Transcript::default();
        User::note_run(&response, &mut transcript);
        while model.answers.first(&plan.tag).deltas.is_empty() {
            sleep(Duration::from_millis(1)).await;
        }
        sleep(Duration::from_millis(random.u64(..1_000))).await;

        let (asked, closed) = (Instant::now(), model.running.model().counters().closed_by_client);
        let path = format!("/api/chatkit/runs/{}/cancel", transcript.run_id);
        let stop = user.request(&other.base, Method::POST, &path).send();
        let silent = async {
            model.running.model().wait_until(|now| now.closed_by_client > closed).await;
            asked.elapsed()
        };
        let (answer, took) = tokio::join!(stop, silent);

        assert_eq!(answer.unwrap().status(), StatusCode::ACCEPTED);
        findings.took("stop", took);
        longest = longest.max(took);
        findings.round(1);
    }
    let stored = database.look(begun).await;
    let stopped = stored.runs.iter().filter(|run| run.status == "cancelled").count();
    let lost = (stopped < rounds).then(|| format!("{stopped} of {rounds} are cancelled"));
    findings.note(Invariant::OneEnd, lost.into_iter().collect());
    findings.runs(OTHERS);
    findings.finish();
    assert!(longest <= stops_within(), "{longest:?}");
}

/// Threads that do nothing as fast as they can.
struct Burners(Arc<AtomicBool>);

impl Burners {
    /// As many as there are processors.
    fn start() -> Self {
        let goes_on = Arc::new(AtomicBool::new(true));
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            let goes_on = goes_on.clone();
            thread::spawn(move || while goes_on.load(Ordering::Relaxed) {});
        }
        Self(goes_on)
    }
}

impl Drop for Burners {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
