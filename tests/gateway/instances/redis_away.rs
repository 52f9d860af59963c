//! Redis goes and comes back in the middle of an answer: readers elsewhere see everything, once.

use super::{Unstored, two_instances};
use crate::support::{
    Client, EventStream, Received, TestServer, answer_text, events::assert_rising, model::Voice,
    redis::RedisProcess,
};

/// An answer in one instance, and who watches it elsewhere.
struct Play {
    owner: TestServer,
    elsewhere: TestServer,
    voice: Voice,
    stream: EventStream,
    watcher: EventStream,
    seen: Vec<Received>,
}

impl Play {
    async fn begin(redis: &RedisProcess) -> Self {
        let (owner, elsewhere) = two_instances(&redis.url()).await;
        let voice = owner.model.will_listen();
        let stream = owner.alice().say("hi").await;
        let watcher = elsewhere.alice().events_after(&stream.run_id, 0).await;
        Self { owner, elsewhere, voice, stream, watcher, seen: Vec::new() }
    }

    fn run(&self) -> &str {
        &self.stream.run_id
    }

    fn key(&self) -> String {
        format!("chatkit:run:{}", self.run())
    }

    fn alice_elsewhere(&self) -> Client {
        self.elsewhere.alice()
    }

    /// The model says something; it is seen elsewhere.
    async fn say(&mut self, text: &str) {
        self.voice.say(text);
        self.seen.extend(self.watcher.until_said(text).await);
    }

    /// The same while nothing can be stored, again and again until it is seen: it came by Redis.
    async fn say_through_redis(&mut self, redis: &RedisProcess) -> String {
        let key = self.key();
        // The owner has come back to it, so nothing more is owed to the stream.
        let mut said = String::new();
        loop {
            self.say("again ").await;
            said.push_str("again ");
            if redis.ask::<u64>(&["XLEN", &key]).await > 0 {
                break;
            }
        }
        let unstored = Unstored::from_now_on(&self.owner.database).await;
        self.say("live ").await;
        said.push_str("live ");
        unstored.no_more().await;
        said
    }

    /// Ends the answer: everybody has seen all of it, once.
    async fn end(mut self, text: &str) {
        let alice = self.alice_elsewhere();
        self.voice.say("end");
        self.voice.finish();
        self.seen.extend(self.watcher.rest().await);
        let text = format!("{text}end");
        assert_eq!(answer_text(&self.seen), text);
        assert_rising(&self.seen);
        let first_hand = self.stream.rest().await;
        assert_eq!(answer_text(&first_hand), text);
        assert_eq!(self.seen.last(), first_hand.last());
        let replayed = alice.events_after(&self.stream.run_id, 0).await.rest().await;
        assert_eq!(answer_text(&replayed), text);
        self.owner.stop().await;
        self.elsewhere.stop().await;
    }
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn redis_is_killed_and_started_again() {
    let mut redis = RedisProcess::start().await;
    let mut play = Play::begin(&redis).await;
    play.say("before ").await;

    redis.kill();
    play.say("without ").await;
    redis.launch().await;

    let after = play.say_through_redis(&redis).await;
    play.end(&format!("before without {after}")).await;
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn redis_is_emptied() {
    let redis = RedisProcess::start().await;
    let mut play = Play::begin(&redis).await;
    play.say("before ").await;

    redis.ask::<String>(&["FLUSHALL"]).await;

    play.say("after ").await;
    let after = play.say_through_redis(&redis).await;
    play.end(&format!("before after {after}")).await;
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn redis_is_full() {
    let redis = RedisProcess::start().await;
    let mut play = Play::begin(&redis).await;
    play.say("before ").await;

    redis.ask::<String>(&["CONFIG", "SET", "maxmemory", "1"]).await;
    play.say("without ").await;
    let mut late = play.alice_elsewhere().events_after(play.run(), 0).await;
    late.until_said("before without ").await;
    redis.ask::<String>(&["FLUSHALL"]).await;
    redis.ask::<String>(&["CONFIG", "SET", "maxmemory", "0"]).await;

    let after = play.say_through_redis(&redis).await;
    play.end(&format!("before without {after}")).await;
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn redis_hangs() {
    let redis = RedisProcess::start().await;
    let mut play = Play::begin(&redis).await;
    play.say("before ").await;

    redis.pause();
    play.say("without ").await;
    redis.resume();

    let after = play.say_through_redis(&redis).await;
    play.end(&format!("before without {after}")).await;
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn redis_is_away_at_the_start() {
    let mut redis = RedisProcess::to_be_started();
    let mut play = Play::begin(&redis).await;
    play.say("without ").await;

    redis.launch().await;

    let after = play.say_through_redis(&redis).await;
    play.end(&format!("without {after}")).await;
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn redis_is_away_all_the_time() {
    let redis = RedisProcess::to_be_started();
    let mut play = Play::begin(&redis).await;

    play.say("without ").await;

    play.end("without ").await;
}
