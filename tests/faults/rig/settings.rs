//! What the environment says of a run of the scenarios.
//!
//! | variable | default | means |
//! |---|---|---|
//! | `FAULT_ROUNDS` | its own | rounds of each scenario |
//! | `FAULT_LONG` | unset | more rounds, real leases and long stops |
//! | `FAULT_LANES` | 1 | how many rounds go on beside each other |
//! | `FAULT_STORM` | 150 | aborted requests a second |
//! | `FAULT_SEED` | random | what random choices are made from |
//! | `FAULT_REPORT` | unset | a directory for the rows of the report |
//! | `FAULT_LOG` | `off` | the `RUST_LOG` of the gateways |

use std::str::FromStr;

fn read<T: FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

/// Rounds of a scenario, in its short form and in its long one.
pub(crate) fn rounds(short: usize, long: usize) -> usize {
    read("FAULT_ROUNDS").unwrap_or(if is_long() { long } else { short })
}

/// Rounds that go on beside each other.
pub(crate) fn lanes() -> usize {
    read("FAULT_LANES").unwrap_or(1).max(1)
}

/// Aborted requests a second, and for how many seconds.
pub(crate) fn storm() -> (u32, u32) {
    (read("FAULT_STORM").unwrap_or(150), if is_long() { 30 } else { 2 })
}

/// Whether this is the long form.
pub(crate) fn is_long() -> bool {
    std::env::var_os("FAULT_LONG").is_some()
}

/// Where random choices come from. The seed is printed: with `FAULT_SEED` they are made again.
pub(crate) fn random(scenario: &str) -> fastrand::Rng {
    let seed = read("FAULT_SEED").unwrap_or_else(|| fastrand::u64(..));
    eprintln!("{scenario}: FAULT_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// What gateways log.
pub(crate) fn gateway_log() -> String {
    read("FAULT_LOG").unwrap_or_else(|| "off".to_owned())
}
