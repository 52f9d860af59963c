//! Refreshing by many at once: random sequences in which, at each step, up to eight refreshes and
//! logouts of the same or of other sessions meet on two instances.
//!
//! | store | they meet by |
//! |---|---|
//! | in memory | calls that give way to others so many times as a random number says, on one thread |
//! | SQLite, PostgreSQL | threads, and the same |
//!
//! Whatever the order, two things hold. What came out is what would have come of doing them one after
//! the other in *some* order, as the model has it and as the row in the store says it ended; and the
//! promises of [`Promises`], which are looked at without the model.
//!
//! `PROPTEST_CASES=3000 cargo test --test auth refresh_at_once` tries that many sequences on each.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use chatkit_gateway::{
    auth::{Auth, SessionStore},
    protocol::{Timestamp, UserId},
    store::{OpenOptions, Result, Store, open, record::SessionRecord},
};
use proptest::{prelude::*, sample::Index, test_runner::TestRunner};
use tokio::{
    runtime::{Builder, Runtime},
    sync::Barrier,
    task::JoinSet,
};

use crate::{
    MemoryStore, Refusal, SESSION_SECRET, TestClock, claims_of,
    database::TestDatabase,
    given, instance, login_token, outcome,
    session_model::{SECONDS, Session, WEEK, property},
    shared_secret,
};

const DAY: i64 = 24 * 3600;

#[derive(Clone, Debug)]
enum Step {
    Login,
    /// All at the same time.
    AtOnce(Vec<Act>),
    Wait(u64),
}

/// Shows a token, of any session and age, to an instance.
#[derive(Clone, Debug)]
struct Act {
    session: Index,
    age: usize,
    instance: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Refresh,
    Logout,
    /// The instance reads besides what others revoked.
    Poll,
}

fn step() -> impl Strategy<Value = Step> {
    // Mostly the newest tokens, else every session would soon be revoked.
    let age = prop_oneof![8 => Just(0), 3 => Just(1), 1 => 2..5usize];
    let kind = prop_oneof![
        14 => Just(Kind::Refresh),
        1 => Just(Kind::Logout),
        1 => Just(Kind::Poll),
    ];
    let act = (any::<Index>(), age, 0..2usize, kind)
        .prop_map(|(session, age, instance, kind)| Act { session, age, instance, kind });
    prop_oneof![
        1 => Just(Step::Login),
        8 => prop::collection::vec(act, 2..8).prop_map(Step::AtOnce),
        4 => prop::sample::select(SECONDS).prop_map(Step::Wait),
    ]
}

/// A store whose calls give way to others before they act and behind it.
#[derive(Clone)]
struct GivesWay<S> {
    store: S,
    random: Arc<Mutex<fastrand::Rng>>,
}

impl<S: SessionStore> GivesWay<S> {
    fn new(store: S, seed: u64) -> Self {
        Self { store, random: Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))) }
    }

    async fn around<T: Send>(&self, call: impl Future<Output = T> + Send) -> T {
        self.give_way().await;
        let result = call.await;
        self.give_way().await;
        result
    }

    async fn give_way(&self) {
        let times = self.random.lock().unwrap().u8(..8);
        for _ in 0..times {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl<S: SessionStore> SessionStore for GivesWay<S> {
    async fn insert_session(&self, session: SessionRecord) -> Result<()> {
        self.around(self.store.insert_session(session)).await
    }

    async fn find_session(&self, sid: &str) -> Result<Option<SessionRecord>> {
        self.around(self.store.find_session(sid)).await
    }

    async fn rotate_session(
        &self,
        sid: &str,
        expected: &str,
        next: &str,
        now: Timestamp,
    ) -> Result<bool> {
        self.around(self.store.rotate_session(sid, expected, next, now)).await
    }

    async fn revoke_session(&self, sid: &str, user: &UserId, now: Timestamp) -> Result<()> {
        self.around(self.store.revoke_session(sid, user, now)).await
    }

    async fn list_revoked_sessions(&self, since: Timestamp) -> Result<Vec<String>> {
        self.around(self.store.list_revoked_sessions(since)).await
    }
}

/// What was done with a token of a session, and what came of it.
#[derive(Debug)]
struct Done {
    session: usize,
    /// Which token of the session, from its first.
    token: usize,
    instance: usize,
    /// `None` for a logout.
    refreshed: Option<std::result::Result<String, Refusal>>,
}

/// What holds whatever the order, by what was seen alone.
#[derive(Default)]
struct Promises {
    /// Of each token that was refreshed, and the other way round.
    successors: HashMap<String, String>,
    predecessors: HashMap<String, String>,
    /// Sessions in which a token came back that had been replaced before the one that is current.
    copied: HashSet<usize>,
}

impl Promises {
    /// Looks at a step's outcomes. `sessions` is as it was before.
    fn hold(&mut self, sessions: &[Session], done: &[Done], now: i64) {
        for Done { session: number, token, refreshed, .. } in done {
            let session = &sessions[*number];
            let (shown, exp) = &session.tokens[*token];
            let end = session.login_at + WEEK;
            // Two rotations ago, or one that is too long ago: whoever shows it has a copy.
            let age = session.tokens.len() - 1 - token;
            let is_copy = age > 1 || age == 1 && now - session.rotated_at >= 30;
            let is_late = now >= end.min(exp + DAY);
            let Some(refreshed) = refreshed else { continue };
            match refreshed {
                Ok(next) => {
                    assert!(!is_copy && !is_late && !session.is_revoked, "{session:?}");
                    let live_until = claims_of(next)["exp"].as_i64().unwrap();
                    assert!(live_until <= end, "no token lives past the end of its session");
                    assert!(now < live_until && live_until <= now + 1800);
                    let known = self.successors.insert(shown.clone(), next.clone());
                    assert!(known.is_none_or(|known| known == *next), "all get the same successor");
                    let known = self.predecessors.insert(next.clone(), shown.clone());
                    assert!(known.is_none_or(|known| known == *shown), "there is one branch");
                }
                Err(Refusal::Unauthorized) if is_copy && !is_late => {
                    self.copied.insert(*number);
                }
                Err(Refusal::Unauthorized | Refusal::Expired) => {}
                Err(other) => panic!("nobody has to ask again: {other:?}"),
            }
        }
    }
}

/// One after the other in some order that has these outcomes and ends as the row has it; what the
/// session is then.
fn in_some_order(
    before: &Session,
    done: &[&Done],
    row: &SessionRecord,
    now: i64,
) -> Option<Session> {
    if done.is_empty() {
        return is_as_stored(before, row).then(|| before.clone());
    }
    (0..done.len()).find_map(|first| {
        let mut session = before.clone();
        match &done[first].refreshed {
            None => session.log_out(now),
            Some(got) => {
                let expected = session.refresh(done[first].token, now);
                if !session.takes(&expected, got, now) {
                    return None;
                }
            }
        }
        let rest = [&done[..first], &done[first + 1..]].concat();
        in_some_order(&session, &rest, row, now)
    })
}

fn is_as_stored(session: &Session, row: &SessionRecord) -> bool {
    let mut newest_first = session.tokens.iter().rev().map(|(token, _)| jti(token));
    newest_first.next().as_ref() == Some(&row.current_jti)
        && newest_first.next() == row.previous_jti
        && session.is_revoked == row.revoked_at.is_some()
}

fn jti(token: &str) -> String {
    claims_of(token)["jti"].as_str().unwrap().to_owned()
}

/// Two instances on one store, and what should be in it.
struct Scene<S> {
    clock: TestClock,
    store: S,
    auths: [Auth; 2],
    sessions: Vec<Session>,
    promises: Promises,
}

impl<S: SessionStore + Clone> Scene<S> {
    fn new(store: S, clock: &TestClock) -> Self {
        let start =
            || instance(shared_secret(None, None), given(SESSION_SECRET, &[]), &store, clock);
        let auths = [start(), start()];
        let (sessions, promises) = (Vec::new(), Promises::default());
        Self { clock: clock.clone(), store, auths, sessions, promises }
    }

    async fn play(mut self, steps: Vec<Step>) {
        for step in [Step::Login, Step::Login].into_iter().chain(steps) {
            match step {
                Step::Wait(seconds) => self.clock.advance(Duration::from_secs(seconds)),
                Step::Login => self.log_in().await,
                Step::AtOnce(acts) => self.at_once(acts).await,
            }
            self.verify_everywhere().await;
        }
    }

    async fn log_in(&mut self) {
        let now = self.clock.now();
        let token = self.auths[0].issue_session(&login_token("alice", now)).await.unwrap();
        self.sessions.push(Session::new(token, now));
    }

    async fn at_once(&mut self, acts: Vec<Act>) {
        let now = self.clock.now();
        let done = self.all_at_once(acts).await;
        self.promises.hold(&self.sessions, &done, now);
        for number in 0..self.sessions.len() {
            let of_session: Vec<&Done> = done.iter().filter(|it| it.session == number).collect();
            let session = &self.sessions[number];
            let sid = claims_of(&session.tokens[0].0)["sid"].as_str().unwrap().to_owned();
            let row = self.store.find_session(&sid).await.unwrap().unwrap();
            let after = in_some_order(session, &of_session, &row, now);
            let Some(after) = after else {
                panic!("{of_session:#?} of {session:#?} at {now}, which ended as {row:#?}");
            };
            // Where it was ended it is at an end at once.
            let is_logout = |it: &&&Done| it.refreshed.is_none() && now < session.login_at + WEEK;
            for ended in of_session.iter().filter(is_logout) {
                let auth = &self.auths[ended.instance];
                let verified = outcome(auth.authenticate_session(&session.tokens[ended.token].0));
                assert_eq!(verified, Err(Refusal::Unauthorized));
            }
            assert!(after.is_revoked || !self.promises.copied.contains(&number), "{after:?}");
            self.sessions[number] = after;
        }
    }

    async fn all_at_once(&self, acts: Vec<Act>) -> Vec<Done> {
        let start = Arc::new(Barrier::new(acts.len()));
        let mut tasks = JoinSet::new();
        for act in acts {
            let number = act.session.index(self.sessions.len());
            let session = &self.sessions[number];
            let index = session.index(act.age);
            let token = session.tokens[index].0.clone();
            let (auth, start) = (self.auths[act.instance].clone(), start.clone());
            tasks.spawn(async move {
                start.wait().await;
                let refreshed = match act.kind {
                    Kind::Refresh => Some(outcome(auth.refresh_session(&token).await)),
                    Kind::Logout => {
                        auth.revoke_session(&token).await.unwrap();
                        None
                    }
                    Kind::Poll => {
                        auth.load_revocations().await.unwrap();
                        return None;
                    }
                };
                let refreshed = refreshed.map(|result| result.map(|issued| issued.token));
                Some(Done { session: number, token: index, instance: act.instance, refreshed })
            });
        }
        tasks.join_all().await.into_iter().flatten().collect()
    }

    async fn verify_everywhere(&self) {
        for auth in &self.auths {
            auth.load_revocations().await.unwrap();
            for session in &self.sessions {
                session.verify(auth, self.clock.now());
            }
        }
    }
}

fn cases(longest: usize) -> impl Strategy<Value = (Vec<Step>, u64)> {
    (prop::collection::vec(step(), 0..longest), any::<u64>())
}

#[test]
fn refreshes_that_interleave_come_to_what_some_order_of_them_would() {
    let mut runner = TestRunner::new(property(300));
    eprintln!("{} sequences", runner.config().cases);
    let result = runner.run(&cases(16), |(steps, seed)| {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let scene = Scene::new(GivesWay::new(MemoryStore::default(), seed), &TestClock::new());
        runtime.block_on(scene.play(steps));
        Ok(())
    });

    result.unwrap();
}

#[test]
fn refreshes_at_once_on_sqlite_come_to_what_some_order_of_them_would() {
    on_threads_and(|_| TestDatabase::sqlite());
}

#[test]
#[ignore = "needs TEST_POSTGRES_URL"]
fn refreshes_at_once_on_postgres_come_to_what_some_order_of_them_would() {
    on_threads_and(|runtime| runtime.block_on(TestDatabase::postgres()));
}

/// One database for all cases: each has sessions of its own, and days of its own, so that it reads
/// nothing of what the others revoked.
fn on_threads_and(database: impl FnOnce(&Runtime) -> TestDatabase) {
    let runtime = Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let database = database(&runtime);
    let store: Arc<dyn Store> =
        runtime.block_on(open(&database.url, OpenOptions::default())).unwrap();
    let clock = TestClock::new();
    let mut runner = TestRunner::new(property(100));
    eprintln!("{} sequences", runner.config().cases);
    let result = runner.run(&cases(12), |(steps, seed)| {
        clock.advance(Duration::from_hours(30 * 24));
        runtime.block_on(Scene::new(GivesWay::new(store.clone(), seed), &clock).play(steps));
        Ok(())
    });
    runtime.block_on(store.close());

    result.unwrap();
}
