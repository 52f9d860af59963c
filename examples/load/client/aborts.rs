//! Clients that leave: each asks and is gone within a moment, by a reset or by an ordinary close.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    answer::Answer,
    clock::now,
    desk::{Desk, Request},
    http::Connection,
    tally::Tally,
    target::Target,
};

/// The longest that one of them stays.
const STAY_MS: u64 = 50;

/// What became of them.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(crate) struct Aborts {
    attempts: u64,
    /// No connection was to be had.
    not_connected: u64,
    /// Left before their answer had ended, as they were to.
    left: u64,
    /// The answer had ended before, well or not.
    ended: u64,
}

#[derive(Clone, Copy)]
enum Outcome {
    NotConnected,
    Left,
    Ended,
}

/// Begins so many a second until it is stopped, and waits for the last of them.
pub(crate) async fn run_aborts(
    per_second: f64,
    target: Arc<Target>,
    stop: CancellationToken,
) -> Aborts {
    let desk = Arc::new(Desk::new());
    let mut ticks = interval(Duration::from_secs_f64(1.0 / per_second));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut aborts, mut tasks) = (Aborts::default(), JoinSet::new());
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                tasks.spawn(abort(aborts.attempts, Arc::clone(&target), Arc::clone(&desk)));
                aborts.attempts += 1;
            }
            Some(Ok(outcome)) = tasks.join_next() => aborts.count(outcome),
            () = stop.cancelled() => break,
        }
    }
    while let Some(Ok(outcome)) = tasks.join_next().await {
        aborts.count(outcome);
    }
    aborts
}

impl Aborts {
    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::NotConnected => self.not_connected += 1,
            Outcome::Left => self.left += 1,
            Outcome::Ended => self.ended += 1,
        }
    }
}

async fn abort(number: u64, target: Arc<Target>, desk: Arc<Desk>) -> Outcome {
    let request = target.ask(&target.user(format_args!("abort-{number}")), None);
    let Ok(mut connection) = Connection::open(target.endpoint.address).await else {
        return Outcome::NotConnected;
    };
    let mut answer = Answer::default();
    let request = Request { bytes: &request, since: now(), first_byte: Tally::first_byte };
    let stay = Duration::from_millis(fastrand::u64(0..=STAY_MS));
    let exchange = desk.exchange(&mut connection, request, &mut answer, |_, _| {});
    let outcome = match timeout(stay, exchange).await {
        Ok(_) => Outcome::Ended,
        Err(_) => Outcome::Left,
    };
    if number.is_multiple_of(2) {
        // A reset, as of a process that was killed.
        let socket = socket2::SockRef::from(&connection.stream);
        let _ = socket.set_linger(Some(Duration::ZERO));
    }
    outcome
}
