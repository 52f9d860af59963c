//! Who watches an answer counts wherever they watch: for a new message, and for what becomes of a
//! run that nobody watches.

use serde_json::{Value, json};

use super::{two_instances_with, two_without_redis};
use crate::support::{
    EventStream, TestServer, answer_text,
    events::done_text,
    model::Voice,
    redis::{Signals, shared_redis, tell},
};

/// An answer under way at one of two instances.
struct Play {
    owner: TestServer,
    elsewhere: TestServer,
    voice: Voice,
    run: String,
    thread: String,
}

impl Play {
    /// Answers the reader at the owner as well.
    async fn begin((owner, elsewhere): (TestServer, TestServer)) -> (Self, EventStream) {
        let (voice, stream) = ask(&owner).await;
        let (run, thread) = (stream.run_id.clone(), stream.thread_id.clone());
        (Self { owner, elsewhere, voice, run, thread }, stream)
    }

    async fn with_redis(vars: &[(&str, &str)]) -> (Self, EventStream) {
        Self::begin(two_instances_with(&shared_redis(), vars).await).await
    }

    fn next_message(&self) -> Value {
        let content = [json!({ "type": "input_text", "text": "rather this" })];
        let input = json!({ "content": content, "attachments": [], "inference_options": {} });
        json!({ "thread_id": self.thread, "input": input })
    }

    /// The next message, sent to this instance until it is taken, and what becomes of the answer to
    /// the one before.
    async fn gives_way_to_one_from(self, server: impl Fn(&Self) -> &TestServer) {
        let closed = self.closed_calls();
        let alice = server(&self).alice();
        let next = self.next_message();

        let mut second = alice.chatkit_stream_once_free("threads.add_user_message", &next).await;

        assert_eq!(answer_text(&second.rest().await), "Hello there.");
        self.owner.model.running.model().wait_until(|now| now.closed_by_client > closed).await;
        let messages = alice.thread(&self.thread).await["messages"].clone();
        assert_eq!(messages[1]["status"], "cancelled");
        assert_eq!(messages[1]["content"], "so far ");
        self.stop().await;
    }

    /// The next message, sent to this instance, is refused.
    async fn is_busy_at(&self, server: &TestServer) {
        let busy = server.alice().chatkit("threads.add_user_message", &self.next_message()).await;
        assert_eq!((busy.status.as_u16(), busy.code()), (409, "run_active"));
    }

    /// A reader at the other instance, of whom the owner knows.
    async fn watch_elsewhere(&self) -> EventStream {
        let mut signals = Signals::listen(&shared_redis()).await;
        let mut watcher = self.elsewhere.alice().events_after(&self.run, 0).await;
        watcher.until_text().await;
        let tells = |signal: &str| signal.starts_with("watching ") && signal.contains(&self.run);
        signals.until_one(tells).await;
        // Signals are heard in order: what is told now comes behind what was told before.
        let closed = self.closed_calls();
        let (_voice, mut other) = ask(&self.owner).await;
        tell(&shared_redis(), &format!("cancel {}", other.run_id)).await;
        other.rest().await;
        self.owner.model.running.model().wait_until(|now| now.closed_by_client > closed).await;
        watcher
    }

    /// Calls of the owner's model that the owner closed.
    fn closed_calls(&self) -> u64 {
        self.owner.model.running.model().counters().closed_by_client
    }

    async fn stop(self) {
        self.owner.stop().await;
        self.elsewhere.stop().await;
    }
}

/// An answer of which something was said.
async fn ask(server: &TestServer) -> (Voice, EventStream) {
    let voice = server.model.will_listen();
    let mut stream = server.alice().say("hi").await;
    voice.say("so far ");
    stream.until_text().await;
    (voice, stream)
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn a_message_on_another_instance_supersedes_an_answer_that_nobody_watches() {
    for servers in [two_without_redis().await, two_instances_with(&shared_redis(), &[]).await] {
        let (play, stream) = Play::begin(servers).await;

        drop(stream);

        play.gives_way_to_one_from(|play| &play.elsewhere).await;
    }
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn an_answer_that_is_watched_on_its_own_instance_is_not_superseded_from_another() {
    for servers in [two_without_redis().await, two_instances_with(&shared_redis(), &[]).await] {
        let (play, mut stream) = Play::begin(servers).await;

        play.is_busy_at(&play.elsewhere).await;

        play.voice.say("end");
        stream.until_said("end").await;
        drop(stream);
        play.stop().await;
    }
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn an_answer_that_is_watched_where_the_message_comes_is_not_superseded() {
    for servers in [two_without_redis().await, two_instances_with(&shared_redis(), &[]).await] {
        let (play, stream) = Play::begin(servers).await;
        let mut watcher = play.elsewhere.alice().events_after(&play.run, 0).await;
        watcher.until_text().await;
        drop(stream);

        play.is_busy_at(&play.elsewhere).await;

        drop(watcher);
        play.gives_way_to_one_from(|play| &play.elsewhere).await;
    }
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn an_answer_that_is_watched_elsewhere_is_superseded_when_that_reader_has_gone() {
    let (play, stream) = Play::with_redis(&[]).await;
    let watcher = play.watch_elsewhere().await;
    drop(stream);

    play.is_busy_at(&play.owner).await;

    drop(watcher);
    play.gives_way_to_one_from(|play| &play.owner).await;
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn with_cancel_a_run_goes_on_that_is_watched_elsewhere() {
    let (play, stream) = Play::with_redis(&[("CHATKIT_ON_DISCONNECT", "cancel")]).await;
    let mut watcher = play.watch_elsewhere().await;
    let closed = play.closed_calls();
    drop(stream);

    // Nobody watches this one, which is left later.
    let (_voice, unwatched) = ask(&play.owner).await;
    drop(unwatched);
    play.owner.model.running.model().wait_until(|now| now.closed_by_client == closed + 1).await;

    let Play { owner, elsewhere, voice, .. } = play;
    voice.say("end");
    voice.finish();
    assert_eq!(done_text(&watcher.rest().await).as_deref(), Some("so far end"));
    owner.stop().await;
    elsewhere.stop().await;
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn with_cancel_the_last_reader_elsewhere_stops_the_run() {
    let (play, stream) = Play::with_redis(&[("CHATKIT_ON_DISCONNECT", "cancel")]).await;
    let watcher = play.watch_elsewhere().await;
    let closed = play.closed_calls();
    drop(stream);

    drop(watcher);

    play.owner.model.running.model().wait_until(|now| now.closed_by_client == closed + 1).await;
    play.stop().await;
}
