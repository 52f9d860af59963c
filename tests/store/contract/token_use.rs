//! Tokens used by day.

use chatkit_gateway::{
    protocol::Timestamp,
    store::{
        Store,
        record::{Day, Expiry, Lease, RunStatus, RunWrite, TokensUsed, WriteOutcome},
    },
};

use crate::harness::{alice, at, begin_new, begin_new_of, bob, ended, heartbeat, write};

/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;

fn day(number: i64) -> Day {
    Day::of(Timestamp::from_seconds(number * DAY))
}

pub(crate) async fn tokens_are_counted_with_the_users_day_and_with_that_of_all(store: &dyn Store) {
    let runs = [
        (begin_new(store).await, 0, 10),
        (begin_new(store).await, DAY - 1, 20),
        (begin_new(store).await, DAY, 40),
        (begin_new_of(store, &bob()).await, 0, 80),
    ];
    let writes = runs.map(|(run, seconds, tokens)| RunWrite {
        end: Some(ended(RunStatus::Completed)),
        tokens_used: Some(tokens),
        now: Timestamp::from_seconds(seconds),
        ..heartbeat(run)
    });

    let outcomes = store.write_runs(writes.into()).await.unwrap();

    assert_eq!(outcomes, [WriteOutcome::Written; 4]);
    for (user, number, by_user, by_all) in
        [(alice(), 0, 30, 110), (alice(), 1, 40, 40), (bob(), 0, 80, 110), (bob(), 1, 0, 40)]
    {
        let used = store.find_tokens_used(&user, day(number)).await.unwrap();
        assert_eq!(used, TokensUsed { by_user, by_all }, "{user}, day {number}");
    }
}

pub(crate) async fn tokens_of_a_run_are_counted_once(store: &dyn Store) {
    let run = begin_new(store).await;
    let end = RunWrite {
        end: Some(ended(RunStatus::Completed)),
        tokens_used: Some(10),
        now: at(0),
        ..heartbeat(run)
    };
    let of_another = Lease { token: end.lease.token + 1, ..end.lease.clone() };

    store.write_runs(vec![RunWrite { lease: of_another, ..end.clone() }]).await.unwrap();
    write(store, end.clone()).await;
    // It was answered by a broken connection, and is written again.
    write(store, end).await;

    let used = store.find_tokens_used(&alice(), Day::of(at(0))).await.unwrap();
    assert_eq!(used, TokensUsed { by_user: 10, by_all: 10 });
}

pub(crate) async fn days_that_lie_long_back_are_forgotten(store: &dyn Store) {
    for number in [1, 2] {
        let now = Timestamp::from_seconds(number * DAY);
        let end = Some(ended(RunStatus::Completed));
        let run = begin_new(store).await;
        write(store, RunWrite { end, tokens_used: Some(5), now, ..heartbeat(run) }).await;
    }

    let (events, keys, sessions) = (at(0), at(0), at(0));
    let expiry = Expiry { events, keys, sessions, token_days: day(2) };
    store.delete_expired(expiry).await.unwrap();

    for (number, tokens) in [(1, 0), (2, 5)] {
        let used = store.find_tokens_used(&alice(), day(number)).await.unwrap();
        assert_eq!(used, TokensUsed { by_user: tokens, by_all: tokens });
    }
}
