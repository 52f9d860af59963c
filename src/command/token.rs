//! `chatkit-gateway token`.

use std::time::Duration;

use anyhow::anyhow;
use chatkit_gateway::{
    auth::{MAX_DETACHED_TTL, SessionKeys},
    config::Config,
    protocol::{Timestamp, UserId},
};
use clap::Args;

use super::{duration, read_file, var};

#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    /// Whose token: the subject of that user's logins
    #[arg(long)]
    user: String,
    /// How long it is good, such as 30m or 12h
    #[arg(long, default_value = "30m", value_parser = duration)]
    ttl: Duration,
}

/// Prints a session token, and nothing else.
#[expect(clippy::print_stdout, reason = "the token is what the command is for")]
pub(super) fn print(args: &TokenArgs) -> anyhow::Result<()> {
    let user = UserId::parse(&args.user)
        .map_err(|_| anyhow!("--user must have 1 to 255 bytes and no control characters"))?;
    if args.ttl > MAX_DETACHED_TTL {
        let longest = humantime::format_duration(MAX_DETACHED_TTL);
        return Err(anyhow!("--ttl must be at most {longest}"));
    }
    let keys = SessionKeys::new(&Config::auth(var, read_file)?.session);
    println!("{}", keys.issue_detached(&user, args.ttl, Timestamp::now()).token);
    Ok(())
}
