//! The login's key set, fetched and kept.
//!
//! | the set is | a look-up |
//! |---|---|
//! | absent, or 24 h old | waits for a fetch, one for all who wait; without success: unavailable |
//! | 10 min old | one caller fetches; the others, and it too when it fails, use the old set |
//! | younger | uses it; for an unknown `kid` it fetches, once in 30 s for all kids together |
//!
//! A `kid` that a fetch did not bring is remembered for 2 min, so that one bad client does not take
//! the fetch that a new key needs.
//!
//! A fetch runs in a task of its own: a client that leaves neither wastes nor repeats it.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use reqwest::{StatusCode, Url, redirect};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::{
    AuthError, Clock, ConfigProblem,
    jwks::{KeySet, Lookup},
    jws::VerifyingKey,
};
use crate::{protocol::Timestamp, store::BoxError};

const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BODY_BYTES: usize = 256 * 1024;
const FRESH_FOR: Duration = Duration::from_mins(10);
const USABLE_FOR: Duration = Duration::from_hours(24);
/// Between attempts to renew a set that is still usable.
const RENEWAL_PAUSE: Duration = Duration::from_secs(30);
/// Between attempts while there is no usable set: short, since nobody can log in.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Between fetches for unknown kids.
const SEARCH_PAUSE: Duration = Duration::from_secs(30);
/// How long a `kid` that was searched for in vain stays unknown. With [`SEARCH_PAUSE`] it bounds
/// how many are remembered: five.
const UNKNOWN_FOR: Duration = Duration::from_mins(2);

const UNKNOWN_KEY: AuthError = AuthError::unauthorized("the key set has no key of that kid");
const NO_KEY_SET: AuthError = AuthError::Unavailable { reason: "the key set cannot be fetched" };

/// The key set behind a URL.
pub(super) struct KeyCache {
    url: Url,
    client: reqwest::Client,
    clock: Clock,
    state: RwLock<State>,
    /// Held by the one fetch under way.
    flight: Arc<Mutex<()>>,
    tasks: TaskTracker,
}

#[derive(Default)]
struct State {
    keys: Arc<KeySet>,
    fetched_at: Option<Timestamp>,
    attempts: u64,
    attempted_at: Option<Timestamp>,
    last_failed: bool,
    searched_at: Option<Timestamp>,
    unknown: HashMap<String, Timestamp>,
}

impl State {
    /// The age of the set, if it is still usable.
    fn age(&self, now: Timestamp) -> Option<Duration> {
        self.fetched_at.map(|at| now.since(at)).filter(|age| *age < USABLE_FOR)
    }
}

fn elapsed(since: Option<Timestamp>, now: Timestamp, pause: Duration) -> bool {
    since.is_none_or(|since| now.since(since) >= pause)
}

impl KeyCache {
    /// A cache that has fetched nothing yet. Redirects are not followed: the address of the keys
    /// is the operator's word, not that of whoever answers there.
    pub(super) fn new(url: Url, clock: Clock) -> Result<Arc<Self>, ConfigProblem> {
        let client = reqwest::Client::builder()
            .timeout(FETCH_TIMEOUT)
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|_| ConfigProblem {
                variable: "BETTER_AUTH_JWKS_URL",
                problem: "cannot be fetched: the HTTP client does not start",
            })?;
        Ok(Arc::new(Self {
            url,
            client,
            clock,
            state: RwLock::default(),
            flight: Arc::default(),
            tasks: TaskTracker::new(),
        }))
    }

    /// The key for a token that names `kid`.
    pub(super) async fn find(
        self: &Arc<Self>,
        kid: Option<&str>,
    ) -> Result<VerifyingKey, AuthError> {
        let attempts = self.read(|state| state.attempts);
        let keys = self.current().await?;
        match (keys.find(kid), kid) {
            (Lookup::Found(key), _) => Ok(key),
            (Lookup::Refused(reason), _) => Err(AuthError::unauthorized(reason)),
            (Lookup::Unknown, None) => Err(UNKNOWN_KEY),
            (Lookup::Unknown, Some(kid)) => self.search(kid, attempts).await,
        }
    }

    /// Fetches the set if it is time to. For a task that keeps it fresh, so that callers do not
    /// wait for it.
    pub(super) async fn renew(self: &Arc<Self>) {
        // The failure is logged by the fetch, and whoever needs the set will meet it.
        let _ = self.current().await;
    }

    /// The set, fetched before if need be.
    async fn current(self: &Arc<Self>) -> Result<Arc<KeySet>, AuthError> {
        let now = self.clock.now();
        match self.read(|state| state.age(now)) {
            Some(age) if age < FRESH_FOR => {}
            Some(_) => {
                if let Ok(flight) = Arc::clone(&self.flight).try_lock_owned()
                    && self.read(|state| elapsed(state.attempted_at, now, RENEWAL_PAUSE))
                {
                    self.fetch(flight).await;
                }
            }
            None => {
                let flight = Arc::clone(&self.flight).lock_owned().await;
                // `now` is from before the wait: who waited for a fetch does not repeat it.
                if self.read(|state| elapsed(state.attempted_at, now, FIRST_PAUSE)) {
                    self.fetch(flight).await;
                }
            }
        }
        let now = self.clock.now();
        self.read(|state| state.age(now).map(|_| Arc::clone(&state.keys))).ok_or(NO_KEY_SET)
    }

    /// Looks for a key that the set did not have, by fetching the set unless that was done since
    /// `attempts`, or lately.
    async fn search(self: &Arc<Self>, kid: &str, attempts: u64) -> Result<VerifyingKey, AuthError> {
        let flight = Arc::clone(&self.flight).lock_owned().await;
        let now = self.clock.now();
        let is_settled = self.read(|state| {
            let is_known_unknown =
                state.unknown.get(kid).is_some_and(|at| now.since(*at) < UNKNOWN_FOR);
            state.attempts != attempts
                || is_known_unknown
                || !elapsed(state.searched_at, now, SEARCH_PAUSE)
        });
        if !is_settled {
            self.write(|state| state.searched_at = Some(now));
            self.fetch(flight).await;
        }
        let (keys, last_failed) = self.read(|state| (Arc::clone(&state.keys), state.last_failed));
        match keys.find(Some(kid)) {
            Lookup::Found(key) => Ok(key),
            Lookup::Refused(reason) => Err(AuthError::unauthorized(reason)),
            // It may be a new key that we could not see: no reason to log anyone out.
            Lookup::Unknown if last_failed => Err(NO_KEY_SET),
            Lookup::Unknown => {
                if !is_settled {
                    self.write(|state| {
                        state.unknown.retain(|_, at| now.since(*at) < UNKNOWN_FOR);
                        state.unknown.insert(kid.to_owned(), now);
                    });
                }
                Err(UNKNOWN_KEY)
            }
        }
    }

    /// Fetches the set and keeps what came of it.
    async fn fetch(self: &Arc<Self>, flight: OwnedMutexGuard<()>) {
        let this = Arc::clone(self);
        let fetch = self.tasks.spawn(async move {
            let _flight = flight;
            let fetched = this.download().await;
            this.record(fetched);
        });
        if fetch.await.is_err() {
            warn!("the fetch of the login's key set was cut short");
        }
    }

    async fn download(&self) -> Result<KeySet, BoxError> {
        let mut response = self.client.get(self.url.clone()).send().await?;
        if response.status() != StatusCode::OK {
            return Err(format!("answered with status {}", response.status().as_u16()).into());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err("longer than 256 KiB".into());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(KeySet::parse(&body)?)
    }

    fn record(&self, fetched: Result<KeySet, BoxError>) {
        let now = self.clock.now();
        match &fetched {
            Ok(keys) => {
                debug!("fetched the login's key set");
                keys.log_unusable();
            }
            Err(error) => warn!(%error, "the login's key set cannot be fetched"),
        }
        self.write(|state| {
            state.attempts += 1;
            state.attempted_at = Some(now);
            state.last_failed = fetched.is_err();
            if let Ok(keys) = fetched {
                state.keys = Arc::new(keys);
                state.fetched_at = Some(now);
            }
        });
    }

    // Every write leaves the state whole, so a poisoned lock is as good as another.
    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, write: impl FnOnce(&mut State) -> T) -> T {
        write(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }
}
