//! Counts that all instances share: what was spent of a limit, and how long it takes to be paid off.

use std::time::Duration;

use super::{LiveError, PREFIX, commands::Commands};

/// Something that was spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spending {
    /// Of which limit.
    pub key: String,
    /// How long it takes to be paid off.
    pub cost: Duration,
}

/// Adds each cost to when its key is paid off, which is never past the window, and answers how far
/// that lies ahead, in microseconds, by the clock of Redis: instances have none in common. The
/// arithmetic is that of `limits::rate`. A key lives until it is paid off.
const SPEND: &str = "\
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local window = tonumber(ARGV[1])
local owed = {}
for i, key in ipairs(KEYS) do
  local paid_at = tonumber(redis.call('GET', key) or now)
  paid_at = math.min(math.max(paid_at, now) + ARGV[i + 1], now + window)
  owed[i] = paid_at - now
  redis.call('SET', key, string.format('%.0f', paid_at), 'PX', math.ceil(owed[i] / 1000) + 1)
end
return owed";

pub(super) async fn spend(
    commands: &Commands,
    spendings: &[Spending],
    window: Duration,
) -> Result<Vec<Duration>, LiveError> {
    let mut command = redis::cmd("EVAL");
    command.arg(SPEND).arg(spendings.len());
    for spending in spendings {
        command.arg(format!("{PREFIX}limit:{}", spending.key));
    }
    command.arg(micros(window));
    for spending in spendings {
        command.arg(micros(spending.cost));
    }
    let owed: Vec<u64> = commands.run(&command).await?;
    Ok(owed.into_iter().map(Duration::from_micros).collect())
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
