//! What sessions should be, as a model: small enough to be seen through, and one thing at a time.

use chatkit_gateway::auth::{Auth, IssuedToken};
use proptest::test_runner::Config;

use crate::{Refusal, claims_of, outcome};

pub(crate) const WEEK: i64 = 7 * 24 * 3600;
const DAY: i64 = 24 * 3600;
/// For how long after its rotation a token gets its successor again.
const REPLAY_WINDOW: i64 = 30;

/// Stretches of time about the bounds that there are.
pub(crate) const SECONDS: &[u64] =
    &[0, 1, 29, 30, 31, 900, 1799, 1800, 1801, 80_000, 86_400, 88_200, 250_000];

/// Of a property that is tried so many times unless `PROPTEST_CASES` says how many.
pub(crate) fn property(cases: u32) -> Config {
    let config = Config { failure_persistence: None, ..Config::default() };
    let is_said = std::env::var_os("PROPTEST_CASES").is_some();
    if is_said { config } else { Config { cases, ..config } }
}

/// A session: a chain of tokens, the last one current.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) login_at: i64,
    /// Each with its end.
    pub(crate) tokens: Vec<(String, i64)>,
    pub(crate) rotated_at: i64,
    pub(crate) is_revoked: bool,
}

/// What a refresh should come to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    NewToken,
    Token(String),
    Expired,
    Refused,
}

impl Session {
    pub(crate) fn new(first: IssuedToken, now: i64) -> Self {
        Self {
            login_at: now,
            tokens: vec![(first.token, first.expires_at)],
            rotated_at: now,
            is_revoked: false,
        }
    }

    /// Which token it is, counted from the newest.
    pub(crate) fn index(&self, age: usize) -> usize {
        self.tokens.len().saturating_sub(age + 1)
    }

    pub(crate) fn refresh(&mut self, index: usize, now: i64) -> Expected {
        let end = self.login_at + WEEK;
        let newest = self.tokens.len() - 1;
        if self.is_revoked {
            Expected::Refused
        } else if now >= end.min(self.tokens[index].1 + DAY) {
            Expected::Expired
        } else if index == newest {
            self.rotated_at = now;
            Expected::NewToken
        } else if index + 1 == newest && now - self.rotated_at < REPLAY_WINDOW {
            Expected::Token(self.tokens[newest].0.clone())
        } else {
            self.is_revoked = true;
            Expected::Refused
        }
    }

    pub(crate) fn log_out(&mut self, now: i64) {
        self.is_revoked |= now < self.login_at + WEEK;
    }

    /// Whether it came to what was expected. Takes a new token into the chain.
    pub(crate) fn takes(
        &mut self,
        expected: &Expected,
        got: &Result<String, Refusal>,
        now: i64,
    ) -> bool {
        match (expected, got) {
            (Expected::NewToken, Ok(token)) => {
                let exp = claims_of(token)["exp"].as_i64().unwrap();
                let is_new = self.tokens.iter().all(|(known, _)| known != token);
                self.tokens.push((token.clone(), exp));
                is_new && exp == (now + 1800).min(self.login_at + WEEK)
            }
            (Expected::Token(expected), Ok(token)) => expected == token,
            // Long after, a revocation may be forgotten: the tokens are too old by then.
            (Expected::Expired | Expected::Refused, Err(Refusal::Expired))
            | (Expected::Refused, Err(Refusal::Unauthorized)) => true,
            _ => false,
        }
    }

    /// Each of its tokens is live for as long as it may be, on this instance.
    pub(crate) fn verify(&self, auth: &Auth, now: i64) {
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
