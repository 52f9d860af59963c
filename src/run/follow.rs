//! Runs of other instances, mirrored here: once each, for any number of readers.
//!
//! A mirror begins with what is stored and goes on with what comes by Redis. Every event has its
//! number, so what comes twice is cut off, and where something is missing the database is asked
//! until it has it. Numbers that jump come from the database alone: the end of a run that another
//! process took over lies a million behind what was stored, since readers may have seen events that
//! never were.
//!
//! While nothing is heard the database is looked at, too: every 2 s as long as Redis seems to work,
//! since a dead owner says nothing, and four times a second when it does not, or when the database
//! knew something that was not heard.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    live::{Entry, Following, Heard, Live, Position},
    protocol::RunId,
    store::{Store, StoreError, record::RunRecord},
};

use super::{
    chunk, feeder,
    log::{LogReader, RunLog},
    relay::{self, POLL_EVERY},
    segment::Segment,
};

/// How often the database is looked at while nothing is heard.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How many times it is looked at more often, once it knew more than was heard.
const CLOSE_LOOKS: u32 = 8;
/// How many runs are mirrored at a time. Every read of Redis names them all, and each is in memory
/// as it is at its owner's; who comes later reads from the database alone.
const MIRRORS: usize = 1_000;

/// The runs of other instances that are read here.
pub(super) struct Follows {
    live: Live,
    store: Arc<dyn Store>,
    // A standard mutex: never held over an await.
    mirrors: Mutex<HashMap<RunId, Mirrored>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

struct Mirrored {
    log: Arc<RunLog>,
    interest: Weak<Interest>,
}

/// Shared by the readers of a mirror: the last one that leaves ends it.
#[derive(Debug)]
pub(super) struct Interest(#[expect(dead_code, reason = "what counts is its drop")] DropGuard);

impl Follows {
    pub(super) fn new(live: Live, store: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            live,
            store,
            mirrors: Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        })
    }

    fn mirrors(&self) -> MutexGuard<'_, HashMap<RunId, Mirrored>> {
        // Every write leaves the map whole, so a poisoned lock is as good as another.
        self.mirrors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reader of another instance's run; `None` where it is better read from the database.
    pub(super) fn read(
        self: &Arc<Self>,
        run: &RunRecord,
        after: u64,
    ) -> Option<(LogReader, Arc<Interest>)> {
        if run.status.is_terminal() {
            return None;
        }
        let mut mirrors = self.mirrors();
        if let Some(known) = mirrors.get(&run.id)
            && let Some(interest) = known.interest.upgrade()
        {
            return Some((LogReader::new(known.log.clone(), after), interest));
        }
        if mirrors.len() >= MIRRORS {
            return None;
        }
        let token = feeder::token_of(run.lease_token);
        let following = self.live.follow(run.id, Position { token, seq: 0 })?;
        let stop = self.stop.child_token();
        let log = Arc::new(RunLog::new());
        let interest = Arc::new(Interest(stop.clone().drop_guard()));
        let mirrored = Mirrored { log: log.clone(), interest: Arc::downgrade(&interest) };
        mirrors.insert(run.id, mirrored);
        drop(mirrors);
        let mirror = Mirror {
            follows: self.clone(),
            run: run.clone(),
            token,
            log: log.clone(),
            close_looks: 0,
        };
        self.tasks.spawn(mirror.keep(following, stop));
        Some((LogReader::new(log, after), interest))
    }

    /// Ends all mirrors, but not the streams of their readers: those runs go on elsewhere.
    pub(super) async fn shut_down(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// One run of another instance.
struct Mirror {
    follows: Arc<Follows>,
    run: RunRecord,
    /// The highest token known: who writes with a lower one has lost the run.
    token: u64,
    log: Arc<RunLog>,
    close_looks: u32,
}

/// What a look into the database told.
#[derive(PartialEq, Eq)]
enum Looked {
    Nothing,
    News,
    /// The run has ended, and all of it is here.
    Ended,
}

impl Mirror {
    async fn keep(mut self, following: Following, stop: CancellationToken) {
        if stop.run_until_cancelled(self.follow(following)).await.is_some() {
            self.log.end();
        }
        let mut mirrors = self.follows.mirrors();
        // A new one may have taken its place.
        if mirrors.get(&self.run.id).is_some_and(|known| Arc::ptr_eq(&known.log, &self.log)) {
            mirrors.remove(&self.run.id);
        }
    }

    /// Until the run has ended.
    async fn follow(&mut self, mut following: Following) {
        if self.look().await == Looked::Ended {
            return;
        }
        following.skip_to(Position { token: self.token, seq: self.log.last_seq() });
        let mut informed_at = Instant::now();
        loop {
            let look_at = informed_at + self.pause(&following);
            let looked = tokio::select! {
                heard = following.next() => match heard {
                    Heard::Entries(entries) => self.take(entries).await,
                    Heard::Link => continue,
                },
                () = sleep_until(look_at) => {
                    let looked = self.look().await;
                    self.close_looks = match looked {
                        Looked::News => CLOSE_LOOKS,
                        _ => self.close_looks.saturating_sub(1),
                    };
                    looked
                }
            };
            if looked == Looked::Ended {
                return;
            }
            informed_at = Instant::now();
        }
    }

    fn pause(&self, following: &Following) -> Duration {
        if self.close_looks > 0 || !following.is_linked() { POLL_EVERY } else { LOOK_EVERY }
    }

    async fn take(&mut self, entries: Vec<Entry>) -> Looked {
        for entry in entries {
            if entry.position.token < self.token {
                continue;
            }
            self.token = entry.position.token;
            let looked = match entry.events {
                Some((first_seq, payload)) => {
                    self.take_events(entry.position, first_seq, &payload).await
                }
                None => self.look().await,
            };
            if looked == Looked::Ended {
                return looked;
            }
        }
        Looked::News
    }

    async fn take_events(&mut self, place: Position, first_seq: u64, payload: &str) -> Looked {
        if place.seq <= self.log.last_seq() {
            return Looked::Nothing;
        }
        while self.log.last_seq() + 1 < first_seq {
            if self.look().await == Looked::Ended {
                return Looked::Ended;
            }
            if self.log.last_seq() + 1 < first_seq {
                sleep(POLL_EVERY).await;
            }
        }
        if place.token < self.token {
            // Another process took the run over in the meantime.
            return Looked::Nothing;
        }
        match chunk::decode(payload) {
            Ok(segments) => {
                self.close_looks = 0;
                self.log.mirror(segments);
                Looked::News
            }
            // Of another version, perhaps: it is missing, and the next look finds it.
            Err(error) => {
                tracing::warn!(run.id = %self.run.id, error = &error as &dyn std::error::Error, "an entry is unreadable");
                Looked::Nothing
            }
        }
    }

    async fn look(&mut self) -> Looked {
        match self.look_once().await {
            Ok(looked) => looked,
            Err(error) => {
                tracing::warn!(run.id = %self.run.id, error = %error, "cannot follow a run");
                Looked::Nothing
            }
        }
    }

    async fn look_once(&mut self) -> Result<Looked, StoreError> {
        let store = &*self.follows.store;
        // The status first: the end is stored with the last events, so nothing comes behind it.
        let now = store.find_run(&self.run.user_id, self.run.id).await?;
        let Some(now) = now else { return Ok(Looked::Ended) };
        self.token = self.token.max(feeder::token_of(now.lease_token));
        let before = self.log.last_seq();
        loop {
            let segments = relay::read_chunks(store, self.run.id, self.log.last_seq()).await?;
            if segments.last().is_none_or(|last: &Segment| last.last_seq() <= self.log.last_seq()) {
                break;
            }
            self.log.mirror(segments);
        }
        Ok(if now.status.is_terminal() {
            Looked::Ended
        } else if self.log.last_seq() > before {
            Looked::News
        } else {
            Looked::Nothing
        })
    }
}
