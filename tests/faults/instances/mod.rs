//! Two instances on PostgreSQL that share live events through a Redis of the scenario's own.

mod killed;
mod redis_breaks;

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use crate::{
    resume,
    rig::{
        Database, Findings, GatewayProcess, Invariant, Plan, RecordingModel, RedisProcess,
        Transcript, User,
        gateway_process::Resources,
        invariants::{self, Evidence},
        settings,
    },
    same_key,
};

/// Two gateways and what they share.
struct Pair {
    database: Database,
    redis: RedisProcess,
    model: RecordingModel,
    gateways: [GatewayProcess; 2],
    users: Vec<User>,
    before: [Resources; 2],
}

impl Pair {
    async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With these variables besides.
    async fn start_with(vars: &[(&str, &str)]) -> Self {
        let (database, model) = (Database::postgres().await, RecordingModel::start().await);
        let redis = RedisProcess::start().await;
        let redis_url = redis.url();
        let vars = [vars, &[("REDIS_URL", &redis_url)]].concat();
        let model_url = model.base_url();
        let start = || GatewayProcess::start_with(&database.url, &model_url, &vars);
        let gateways = [start().await, start().await];
        redis
            .until(&["PUBSUB", "NUMSUB", "chatkit:signals"], |(_, all): &(String, u64)| *all == 2)
            .await;
        let before =
            [gateways[0].resources_when_warm().await, gateways[1].resources_when_warm().await];
        let users = User::all(&[&gateways[0].base, &gateways[1].base]);
        Self { database, redis, model, gateways, users, before }
    }

    /// Notes what is lost of what no process died over.
    async fn all_is_there(&self, findings: &mut Findings, transcripts: &[Transcript]) {
        let cut = transcripts.iter().filter(|reader| {
            let whole = self.model.answers.first(&reader.tag).text();
            reader.done_text().as_deref() != Some(&whole)
        });
        let cut = cut.map(|reader| format!("{} was not read whole: {:?}", reader.tag, reader.end));
        findings.note(Invariant::DoneIsStored, cut.collect());
        let readable = invariants::what_is_done_is_readable(&self.users, transcripts).await;
        findings.note(Invariant::DoneIsStored, readable);
    }

    async fn resources_are_back(&self, findings: &mut Findings) {
        for (gateway, before) in self.gateways.iter().zip(self.before) {
            let back = invariants::resources_are_back(gateway, &self.model, before).await;
            findings.note(Invariant::ResourcesBack, back);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn a_reader_may_begin_anywhere_on_either_of_two_that_share_a_redis() {
    let pair = Pair::start().await;
    let [first, second] = &pair.gateways;
    resume::resume("resume, two with Redis", &pair.database, &pair.model, &[first, second]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn one_key_posted_at_once_at_two_that_share_a_redis_is_one_run() {
    let pair = Pair::start().await;
    let scenario = "one key, 20 posts at two with Redis";
    let [first, second] = &pair.gateways;
    same_key::post_at_once(scenario, &pair.database, &pair.model, [first, second]).await;
}

/// Redis holds still: what was to be told by it is not waited for.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn a_redis_that_stands_still_does_not_keep_a_process_from_its_end() {
    const RUNS: usize = 20;
    let mut findings = Findings::new("SIGTERM, Redis stopped");
    for round in 0..settings::rounds(1, 5) {
        let mut pair = Pair::start_with(&[("CHATKIT_DRAIN", "2s")]).await;
        let begun = chatkit_gateway::protocol::Timestamp::now();
        let mut asking = tokio::task::JoinSet::new();
        for number in 0..RUNS {
            let user = pair.users[number % pair.users.len()].clone();
            let plan = Plan::new(format!("{}/{round}.{number}", user.name), 1_000, 10);
            asking.spawn(user.ask(plan));
        }
        while pair.model.answers.said() < RUNS * 50 {
            sleep(Duration::from_millis(1)).await;
        }

        pair.redis.pause();
        sleep(Duration::from_millis(500)).await;
        let told = Instant::now();
        pair.gateways[0].signal(Signal::TERM);
        let status = pair.gateways[0].wait_for_exit().await;
        findings.took("exit", told.elapsed());
        let limit = Duration::from_secs(2 + 1);
        let in_time = invariants::ends_in_time(told.into_std(), limit, status, 0);
        findings.note(Invariant::EndsInTime, in_time);

        let transcripts = asking.join_all().await;
        Evidence {
            transcripts: &transcripts,
            answers: &pair.model.answers,
            stored: &pair.database.look(begun).await,
            crashes: &[],
        }
        .judge(&mut findings);
        let untold = transcripts.iter().filter(|reader| !reader.has_error());
        let untold = untold.map(|reader| format!("{} was not told of the end", reader.tag));
        findings.note(Invariant::OneEnd, untold.collect());
        findings.connections(&transcripts);
        findings.round(RUNS);
    }
    findings.finish();
}
