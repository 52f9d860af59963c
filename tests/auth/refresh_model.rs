//! Refreshing, against a model: random sequences of logins, refreshes by one or two tabs on one
//! of two instances, replays of old tokens, and passing time.

use std::time::Duration;

use chatkit_gateway::auth::Auth;
use futures_util::future::join;
use proptest::{prelude::*, sample::Index};

use crate::{
    MemoryStore, SESSION_SECRET, TestClock, given, instance, login_token, outcome,
    session_model::{SECONDS, Session, property},
    shared_secret,
};

#[derive(Clone, Debug)]
enum Step {
    Login,
    /// Presents a token, of any session and age, to an instance, or to both at once.
    Refresh {
        session: Index,
        age: usize,
        instances: (usize, Option<usize>),
    },
    Logout {
        session: Index,
        age: usize,
    },
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let second = prop::option::of(0..2usize);
    // Mostly the newest tokens, else every session would soon be revoked.
    let age = prop_oneof![6 => Just(0), 3 => Just(1), 1 => 2..5usize];
    let refresh =
        (any::<Index>(), age, 0..2usize, second).prop_map(|(session, age, first, second)| {
            Step::Refresh { session, age, instances: (first, second) }
        });
    prop_oneof![
        1 => Just(Step::Login),
        8 => refresh,
        1 => (any::<Index>(), 0..3usize).prop_map(|(session, age)| Step::Logout { session, age }),
        5 => prop::sample::select(SECONDS).prop_map(Step::Wait),
    ]
}

async fn run(steps: Vec<Step>) {
    let (clock, store) = (TestClock::new(), MemoryStore::default());
    let start = || instance(shared_secret(None, None), given(SESSION_SECRET, &[]), &store, &clock);
    let auths = [start(), start()];
    let mut sessions: Vec<Session> = Vec::new();
    for step in std::iter::once(Step::Login).chain(steps) {
        let now = clock.now();
        match step {
            Step::Wait(seconds) => clock.advance(Duration::from_secs(seconds)),
            Step::Login => {
                let token = auths[0].issue_session(&login_token("alice", now)).await.unwrap();
                sessions.push(Session::new(token, now));
            }
            Step::Logout { session, age } => {
                let session = session.get_mut(&mut sessions);
                let token = &session.tokens[session.index(age)].0;
                auths[0].revoke_session(token).await.unwrap();
                session.log_out(now);
            }
            Step::Refresh { session, age, instances } => {
                let session = session.get_mut(&mut sessions);
                refresh(session, session.index(age), &auths, instances, now).await;
            }
        }
        for auth in &auths {
            auth.load_revocations().await.unwrap();
            for session in &sessions {
                session.verify(auth, clock.now());
            }
        }
    }
}

/// Two tabs at once must come to what they would one after the other.
async fn refresh(
    session: &mut Session,
    index: usize,
    auths: &[Auth; 2],
    (first, second): (usize, Option<usize>),
    now: i64,
) {
    let token = session.tokens[index].0.clone();
    let one = |auth: usize| {
        let token = &token;
        async move { outcome(auths[auth].refresh_session(token).await).map(|issued| issued.token) }
    };
    let got = match second {
        None => vec![one(first).await],
        Some(second) => {
            let (first, second) = join(one(first), one(second)).await;
            vec![first, second]
        }
    };
    for got in got {
        let expected = session.refresh(index, now);
        assert!(session.takes(&expected, &got, now), "expected {expected:?}, got {got:?}");
    }
}

proptest! {
    #![proptest_config(property(500))]

    #[test]
    fn any_sequence_of_refreshes_goes_as_the_model_says(steps in prop::collection::vec(step(), 0..40)) {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(run(steps));
    }
}
