//! Redis works: what one instance knows, the others know at once.

use std::time::{Duration, Instant};

use chatkit_gateway::{demo::scripted_model::Step, protocol::ThreadEvent};
use futures_util::future::join_all;
use serde_json::Value;

use super::{Unstored, two_instances};
use crate::support::{
    answer_text,
    dead_process::DeadProcess,
    events::assert_rising,
    redis::{RedisProcess, Signals, ask, shared_redis, tell},
};

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn a_reader_on_another_instance_sees_deltas_before_they_are_stored() {
    let (owner, elsewhere) = two_instances(&shared_redis()).await;
    let voice = owner.model.will_listen();
    let mut stream = owner.alice().say("hi").await;
    let unstored = Unstored::from_now_on(&owner.database).await;
    let mut watcher = elsewhere.alice().events_after(&stream.run_id, 0).await;

    voice.say("one ");
    watcher.until_said("one ").await;
    voice.say("two ");
    watcher.until_said("two ").await;

    unstored.no_more().await;
    voice.say("three");
    voice.finish();
    assert_eq!(answer_text(&watcher.rest().await), "three");
    assert_eq!(answer_text(&stream.rest().await), "one two three");
    owner.stop().await;
    elsewhere.stop().await;
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn a_run_reads_the_same_elsewhere_from_every_position_while_it_lives_and_after() {
    let (owner, elsewhere) = two_instances(&shared_redis()).await;
    let alice = elsewhere.alice();
    let voice = owner.model.will_listen();
    let mut stream = owner.alice().say("count").await;
    let run = stream.run_id.clone();
    let mut so_far = Vec::new();
    for number in 0..20 {
        voice.say(&format!("{number} "));
        so_far.extend(stream.until_text().await);
    }
    let last = so_far.last().unwrap().seq();

    // One behind the other: all at once they would open all connections to the database at once.
    let mut live = Vec::new();
    for after in 0..=last {
        live.push(alice.events_after(&run, after).await);
    }
    for number in 20..40 {
        voice.say(&format!("{number} "));
    }
    voice.finish();
    let live =
        join_all(live.into_iter().map(|mut reader| async move { reader.rest().await })).await;

    so_far.extend(stream.rest().await);
    let end = so_far.last().unwrap();
    let text_behind = |after: u64| {
        let behind: Vec<_> = so_far.iter().filter(|event| event.seq() > after).cloned().collect();
        answer_text(&behind)
    };
    for (after, seen) in (0..).zip(&live) {
        assert_rising(seen);
        assert!(seen[0].seq() > after);
        assert_eq!(seen.last().unwrap(), end);
        // Up to `last` the owner's reader took each delta by itself.
        assert_eq!(answer_text(seen), text_behind(after), "after {after}");
        let replayed = alice.events_after(&run, after).await.rest().await;
        assert_eq!(answer_text(&replayed), answer_text(seen), "after {after}");
    }
    owner.stop().await;
    elsewhere.stop().await;
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn a_run_that_is_followed_from_now_on_is_heard_at_once() {
    let (owner, elsewhere) = two_instances(&shared_redis()).await;
    let mut voices = Vec::new();
    let mut waited = Duration::ZERO;

    for _ in 0..8 {
        let voice = owner.model.will_listen();
        let stream = owner.alice().say("hi").await;
        let mut watcher = elsewhere.alice().events_after(&stream.run_id, 0).await;
        let said_at = Instant::now();
        voice.say("one");
        watcher.until_text().await;
        waited += said_at.elapsed();
        voices.push(voice);
    }

    // A read that is not woken comes back after 2 s: 8 of them would take about 16 s.
    assert!(waited < Duration::from_secs(8), "{waited:?}");
    owner.stop().await;
    elsewhere.stop().await;
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn fifty_readers_of_an_instance_share_its_connections() {
    let redis = RedisProcess::start().await;
    let (owner, elsewhere) = two_instances(&redis.url()).await;
    let voices = [(); 5].map(|()| owner.model.will_listen());
    let mut streams = Vec::new();
    for _ in &voices {
        streams.push(owner.alice().say("hi").await);
    }
    let alice = elsewhere.alice();
    let mut readers = Vec::new();
    for number in 0..50 {
        readers.push(alice.events_after(&streams[number % 5].run_id, 0).await);
    }

    for voice in &voices {
        voice.say("one ");
    }
    for reader in &mut readers {
        reader.until_text().await;
    }

    let clients: String = redis.ask(&["CLIENT", "LIST"]).await;
    let count = |what: &str| clients.lines().filter(|client| client.contains(what)).count();
    assert_eq!(count("cmd=xread"), 2, "one for each instance:\n{clients}");
    assert_eq!(clients.lines().count(), 2 * 3 + 1, "with this test's own:\n{clients}");
    drop(voices);
    for mut reader in readers {
        reader.rest().await;
    }
    owner.stop().await;
    elsewhere.stop().await;
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn a_stop_on_another_instance_is_told_and_reaches_the_model() {
    let (owner, elsewhere) = two_instances(&shared_redis()).await;
    let mut signals = Signals::listen(&shared_redis()).await;
    owner.model.will_play([Step::text("so far"), Step::Hang]);
    let mut stream = owner.alice().say("hi").await;
    stream.until_text().await;

    let answer = elsewhere.alice().cancel(&stream.run_id).await;

    assert_eq!(answer.status.as_u16(), 202);
    assert_eq!(answer.body["status"], "cancelled");
    signals.until(&format!("cancel {}", stream.run_id)).await;
    owner.model.running.model().wait_until(|counters| counters.closed_by_client == 1).await;
    stream.rest().await;
    owner.stop().await;
    elsewhere.stop().await;
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn a_stop_that_is_told_is_obeyed_without_a_look_into_the_database() {
    let redis = RedisProcess::start().await;
    let (owner, elsewhere) = two_instances(&redis.url()).await;
    redis
        .until(&["PUBSUB", "NUMSUB", "chatkit:signals"], |(_, count): &(String, u64)| *count == 2)
        .await;
    owner.model.will_play([Step::text("so far"), Step::Hang]);
    let mut stream = owner.alice().say("hi").await;
    stream.until_text().await;

    // Nothing of it is stored: only by this can the owner know.
    tell(&redis.url(), &format!("cancel {}", stream.run_id)).await;

    stream.rest().await;
    assert_eq!(elsewhere.alice().run(&stream.run_id).await["status"], "cancelled");
    owner.stop().await;
    elsewhere.stop().await;
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn a_logout_is_told_and_refused_on_the_other_instance_before_it_asks_the_database() {
    let redis = RedisProcess::start().await;
    let (one, other) = two_instances(&redis.url()).await;
    redis
        .until(&["PUBSUB", "NUMSUB", "chatkit:signals"], |(_, count): &(String, u64)| *count == 2)
        .await;
    let mut signals = Signals::listen(&redis.url()).await;
    let (first, second) = (one.alice(), one.alice());

    // One logs out, and of the other one it is only told: of that the database knows nothing.
    first.post("/api/chatkit/logout", &Value::Null).await;
    signals.until(&format!("revoked {}", session_of(first.token.as_ref().unwrap()))).await;
    tell(&redis.url(), &format!("revoked {}", session_of(second.token.as_ref().unwrap()))).await;

    for token in [first.token, second.token] {
        let client = other.nobody().with_token(&token.unwrap());
        while client.get("/api/chatkit/threads").await.status.as_u16() != 401 {}
    }
    assert_eq!(other.alice().get("/api/chatkit/threads").await.status.as_u16(), 200);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn who_follows_a_run_is_told_of_the_end_of_a_dead_owner_and_hears_it_no_more() {
    let redis = shared_redis();
    let (one, other) = two_instances(&redis).await;
    let dead = DeadProcess::that_answered(&one.database, "hi", &["half ", "an "]).await;
    let stream = format!("chatkit:run:{}", dead.run);
    let mut watcher = other.alice().events_after(&dead.run, 0).await;
    let stored = watcher.until_said("half an ").await;
    let item = stored.iter().find_map(|received| match &received.event {
        ThreadEvent::ItemUpdated { item_id, .. } => Some(*item_id),
        _ => None,
    });
    let unstored = |seq: u64| {
        let item = item.unwrap();
        format!(
            r#"{{"seq":{seq},"item_id":"{item}","content_index":0,"ends":[6],"text":"answer"}}"#
        )
    };

    // It told something that it did not come to store …
    let add = |id: &'static str, seq: &'static str, events: String| {
        let (redis, stream) = (redis.clone(), stream.clone());
        async move {
            ask::<String>(&redis, &["XADD", &stream, id, "first_seq", seq, "events", &events]).await
        }
    };
    let _ = add("1-4", "4", unstored(4)).await;
    let mut seen = watcher.until_text().await;
    seen.extend(watcher.rest().await);

    assert_eq!(answer_text(&seen), "answer");
    assert_rising(&seen);
    let end = seen.last().unwrap();
    assert!(matches!(end.event, ThreadEvent::Error(_)), "{end:?}");
    assert!(end.seq() > 1_000_000);
    // … and if it lives, nobody listens to it.
    assert!(add("1-5", "5", unstored(5)).await.is_err());
    one.stop().await;
    other.stop().await;
}

/// The session that a token is of.
fn session_of(token: &str) -> String {
    use base64::Engine as _;
    let claims = token.split('.').nth(1).unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    claims["sid"].as_str().unwrap().to_owned()
}
