//! Redis goes and comes back in the middle of many answers, each of which is read at both instances.

use std::time::{Duration, Instant};

use chatkit_gateway::protocol::Timestamp;
use tokio::{
    task::JoinSet,
    time::{sleep, sleep_until},
};

use super::Pair;
use crate::rig::{
    Findings, Plan, Transcript,
    invariants::Evidence,
    model::{Answer, Answers},
    settings,
    transcript::delta,
};

/// Runs that are live when it happens, by turns at the one instance and at the other.
const RUNS: usize = 20;
/// A delta every so many milliseconds.
const INTERVAL_MS: u64 = 20;
/// What comes by the database is as late as a checkpoint, at least.
const LIVE: Duration = Duration::from_millis(250);
/// So many live deltas one behind the other: it flows again.
const FLOWS: usize = 10;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn a_redis_that_is_restarted_loses_nothing() {
    play("Redis restarted", async |pair, outage| {
        pair.redis.kill();
        sleep(outage).await;
        pair.redis.launch().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn a_redis_that_is_emptied_loses_nothing() {
    play("Redis emptied", async |pair, _| {
        pair.redis.ask::<String>(&["FLUSHALL"]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn a_redis_that_is_full_loses_nothing() {
    play("Redis full", async |pair, outage| {
        pair.redis.ask::<String>(&["CONFIG", "SET", "maxmemory", "1"]).await;
        sleep(outage).await;
        pair.redis.ask::<String>(&["CONFIG", "SET", "maxmemory", "0"]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn a_redis_that_stands_still_loses_nothing() {
    play("Redis stopped", async |pair, outage| {
        pair.redis.pause();
        sleep(outage).await;
        pair.redis.resume();
    })
    .await;
}

/// Plays one outage after the other; `break_and_mend` answers when Redis is well again.
async fn play(scenario: &'static str, break_and_mend: impl AsyncFn(&mut Pair, Duration)) {
    let mut random = settings::random(scenario);
    let mut findings = Findings::new(scenario);
    let mut pair = Pair::start().await;
    for round in 0..settings::rounds(1, 10) {
        // Up to the length at which pauses between two attempts to connect have grown to their most.
        let most = if settings::is_long() { 20.0 } else { 2.0 };
        let outage = Duration::from_secs_f64(0.5 + most * random.f64());
        let before = Duration::from_secs(1);
        // As long as Redis needs to be found again, and some time in which it is used.
        let behind = Duration::from_secs(if settings::is_long() { 9 } else { 6 });
        let deltas = (before + outage + behind).as_millis() / u128::from(INTERVAL_MS);
        pair.model.answers.clear();
        let begun = Timestamp::now();
        let break_at = tokio::time::Instant::now() + before;
        let mut asking = JoinSet::new();
        for number in 0..RUNS {
            let user = pair.users[number % pair.users.len()].preferring(number);
            let tag = format!("{}/{round}.{number}", user.name);
            let plan = Plan::new(tag, usize::try_from(deltas).unwrap(), INTERVAL_MS);
            asking.spawn(user.ask_and_watch_elsewhere(plan));
        }
        sleep_until(break_at).await;
        break_and_mend(&mut pair, outage).await;
        let mended = Instant::now();

        let readers = asking.join_all().await;
        let elsewhere: Vec<Transcript> = readers.iter().map(|[_, other]| other.clone()).collect();
        let transcripts: Vec<Transcript> = readers.into_iter().flatten().collect();
        Evidence {
            transcripts: &transcripts,
            answers: &pair.model.answers,
            stored: &pair.database.look(begun).await,
            crashes: &[],
        }
        .judge(&mut findings);
        pair.all_is_there(&mut findings, &transcripts).await;
        pair.resources_are_back(&mut findings).await;
        match flows_again(&elsewhere, &pair.model.answers, mended) {
            Some(time) => findings.took("live again", time),
            // Among other tests everything may be late.
            None => assert!(!settings::is_long(), "some readers were never live again"),
        }
        findings.connections(&transcripts);
        findings.round(RUNS);
    }
    findings.finish();
}

/// When the last reader was live again; `None` when one never was.
fn flows_again(readers: &[Transcript], answers: &Answers, since: Instant) -> Option<Duration> {
    let live = readers.iter().map(|reader| {
        let live = live_from(reader, &answers.first(&reader.tag), since)?;
        Some(live - since)
    });
    live.collect::<Option<Vec<Duration>>>()?.into_iter().max()
}

/// The first moment from which deltas came as they were said.
fn live_from(reader: &Transcript, answer: &Answer, since: Instant) -> Option<Instant> {
    let mut said = answer.deltas.iter();
    let (mut from, mut flowing) = (None, 0);
    for seen in &reader.seen {
        let Some(text) = delta(&seen.event) else { continue };
        // The oldest of those that came together.
        let (said_at, first) = said.next()?;
        let mut length = first.len();
        while length < text.len() {
            length += said.next()?.1.len();
        }
        if seen.at < since {
            continue;
        }
        if seen.at - *said_at > LIVE {
            (from, flowing) = (None, 0);
            continue;
        }
        flowing += 1;
        from.get_or_insert(seen.at);
        if flowing == FLOWS {
            return from;
        }
    }
    None
}
