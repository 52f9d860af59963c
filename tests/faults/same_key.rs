//! One message, posted many times at once with one key.

use chatkit_gateway::protocol::Timestamp;
use futures_util::future::join_all;
use tokio::task::JoinSet;

use crate::rig::{
    Database, Findings, GatewayProcess, Invariant, Plan, RecordingModel, Transcript, User,
    invariants::Evidence, settings,
};

/// How often each message is posted.
const POSTS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn one_key_posted_at_two_instances_at_once_is_one_run() {
    let (database, model) = (Database::postgres().await, RecordingModel::start().await);
    let first = GatewayProcess::start(&database.url, &model.base_url()).await;
    let second = GatewayProcess::start(&database.url, &model.base_url()).await;
    post_at_once("one key, 20 posts at two instances", &database, &model, [&first, &second]).await;
}

pub(crate) async fn post_at_once(
    scenario: &'static str,
    database: &Database,
    model: &RecordingModel,
    [first, second]: [&GatewayProcess; 2],
) {
    let mut findings = Findings::new(scenario);
    let users = User::all(&[&first.base, &second.base]);
    // Connections to the database are not what is raced for.
    join_all([first.resources_when_warm(), second.resources_when_warm()]).await;

    for round in 0..settings::rounds(5, 100) {
        let user = &users[round % users.len()];
        let begun = Timestamp::now();
        let calls = model.calls();
        let plan = Plan::new(format!("{}/{round}", user.name), 20, 5);
        let mut asking = JoinSet::new();
        for post in 0..POSTS {
            asking.spawn(user.preferring(post).ask(plan.clone()));
        }
        let transcripts: Vec<Transcript> = asking.join_all().await;

        let stored = database.look(begun).await;
        let evidence = Evidence {
            transcripts: &transcripts,
            answers: &model.answers,
            stored: &stored,
            crashes: &[],
        };
        evidence.judge(&mut findings);
        let whole = model.answers.first(&plan.tag).text();
        let others =
            transcripts.iter().filter(|reader| reader.done_text().as_deref() != Some(&whole));
        let others = others.map(|reader| format!("a post was answered otherwise: {reader:?}"));
        findings.note(Invariant::DoneIsStored, others.collect());
        let (runs, calls) = (stored.runs.len(), model.calls() - calls);
        let more = (runs != 1 || calls != 1).then(|| format!("{runs} runs, {calls} calls"));
        findings.note(Invariant::OneCall, more.into_iter().collect());
        findings.connections(&transcripts);
        findings.round(runs);
    }
    findings.finish();
}
