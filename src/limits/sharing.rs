//! Counts together with other instances.

use std::{hash::Hash, time::Duration};

use tokio::time::{Instant, sleep};

use crate::live::{Live, Spending};

use super::rate::{Rates, WINDOW};

/// How often others are told what was admitted here.
const EVERY: Duration = Duration::from_millis(100);
/// Of how many keys at a time: their names are some 50 bytes each.
const BATCH: usize = 500;

/// Tells and learns, for ever. What could not be told is counted here alone.
pub(super) async fn share<K: Clone + Eq + Hash>(
    live: &Live,
    rates: &Rates<K>,
    name: impl Fn(&K) -> String,
) {
    let cost = rates.cost();
    loop {
        sleep(EVERY).await;
        let untold = rates.untold(BATCH);
        if untold.is_empty() {
            continue;
        }
        let spending = |(key, count): &(K, u32)| Spending { key: name(key), cost: cost * *count };
        let spendings: Vec<Spending> = untold.iter().map(spending).collect();
        let owed = match live.spend(&spendings, WINDOW).await {
            Ok(owed) => owed,
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "limits are not shared");
                continue;
            }
        };
        let now = Instant::now();
        for ((key, _), owed) in untold.iter().zip(owed) {
            rates.learn(key, owed, now);
        }
    }
}
