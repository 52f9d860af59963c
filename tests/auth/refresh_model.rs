//! Refreshing, against a model: random sequences of logins, refreshes by one or two tabs on one
//! of two instances, replays of old tokens, and passing time.

use std::time::Duration;

use chatkit_gateway::auth::Auth;
use futures_util::future::join;
use proptest::{prelude::*, sample::Index};

use crate::{
    MemoryStore, Refusal, SESSION_SECRET, TestClock, claims_of, given, instance, login_token,
    outcome, shared_secret,
};

const WEEK: i64 = 7 * 24 * 3600;

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
    let seconds = vec![0, 1, 29, 30, 31, 900, 1799, 1800, 1801, 80_000, 86_400, 88_200, 250_000];
    prop_oneof![
        1 => Just(Step::Login),
        8 => refresh,
        1 => (any::<Index>(), 0..3usize).prop_map(|(session, age)| Step::Logout { session, age }),
        5 => prop::sample::select(seconds).prop_map(Step::Wait),
    ]
}

/// A session as it should be: a chain of tokens, the last one current.
struct Session {
    login_at: i64,
    tokens: Vec<(String, i64)>,
    rotated_at: i64,
    is_revoked: bool,
}

/// What a refresh should come to.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    NewToken,
    Token(String),
    Expired,
    Refused,
}

impl Session {
    fn index(&self, age: usize) -> usize {
        self.tokens.len().saturating_sub(age + 1)
    }

    fn refresh(&mut self, index: usize, now: i64) -> Expected {
        let end = self.login_at + WEEK;
        let newest = self.tokens.len() - 1;
        if self.is_revoked {
            Expected::Refused
        } else if now >= end.min(self.tokens[index].1 + 24 * 3600) {
            Expected::Expired
        } else if index == newest {
            self.rotated_at = now;
            Expected::NewToken
        } else if index + 1 == newest && now - self.rotated_at < 30 {
            Expected::Token(self.tokens[newest].0.clone())
        } else {
            self.is_revoked = true;
            Expected::Refused
        }
    }

    /// Compares, and takes a new token into the chain.
    fn check(&mut self, expected: &Expected, got: Result<String, Refusal>, now: i64) {
        match (expected, got) {
            (Expected::NewToken, Ok(token)) => {
                assert!(self.tokens.iter().all(|(known, _)| *known != token));
                let exp = claims_of(&token)["exp"].as_i64().unwrap();
                assert_eq!(exp, (now + 1800).min(self.login_at + WEEK));
                self.tokens.push((token, exp));
            }
            (Expected::Token(expected), Ok(token)) => assert_eq!(*expected, token),
            // Long after, a revocation may be forgotten: the tokens are too old by then.
            (Expected::Expired | Expected::Refused, Err(Refusal::Expired))
            | (Expected::Refused, Err(Refusal::Unauthorized)) => {}
            (expected, got) => panic!("expected {expected:?}, got {got:?}"),
        }
    }

    fn verify(&self, auth: &Auth, now: i64) {
        for (token, exp) in &self.tokens {
            let verified = outcome(auth.authenticate_session(token));
            match verified {
                Ok(_) => assert!(!self.is_revoked && now < *exp && now < self.login_at + WEEK),
                Err(Refusal::Expired) => assert!(now >= *exp),
                Err(Refusal::Unauthorized) => assert!(self.is_revoked),
                Err(other) => panic!("{other:?}"),
            }
        }
    }
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
                sessions.push(Session {
                    login_at: now,
                    tokens: vec![(token.token, token.expires_at)],
                    rotated_at: now,
                    is_revoked: false,
                });
            }
            Step::Logout { session, age } => {
                let session = session.get_mut(&mut sessions);
                let token = &session.tokens[session.index(age)].0;
                auths[0].revoke_session(token).await.unwrap();
                session.is_revoked |= now < session.login_at + WEEK;
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
        session.check(&expected, got, now);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_sequence_of_refreshes_goes_as_the_model_says(steps in prop::collection::vec(step(), 0..40)) {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(run(steps));
    }
}
