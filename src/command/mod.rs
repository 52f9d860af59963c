//! The command line: what is asked for, the environment it is asked in, and the exit code.

mod serve;
mod token;

use std::{path::Path, process::ExitCode, time::Duration};

use chatkit_gateway::{
    config::{Config, LogConfig},
    run::Unstored,
    store,
    telemetry::{self, Traces},
};
use clap::{Parser, Subcommand};

/// The status of a process that ended before the database had taken all: `EX_TEMPFAIL` of
/// `sysexits.h`. Nothing is to be mended here.
const UNSTORED: u8 = 75;

/// A finished, durable backend for OpenAI's ChatKit.
#[derive(Debug, Parser)]
#[command(name = "chatkit-gateway", version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway (the default)
    ///
    /// Configured by environment variables and .env: see .env.example.
    Serve,
    /// Run everything with nothing to set up, on a scripted model
    Demo(serve::DemoArgs),
    /// Apply the database migrations and exit
    Migrate,
    /// Print a session token, for scripts and load tests
    Token(token::TokenArgs),
}

/// Does what the command line says.
pub(crate) fn run(cli: Cli) -> ExitCode {
    // A file that is not there is no error; one that cannot be read is said.
    match dotenvy::dotenv() {
        Err(error) if !error.not_found() => {
            let reason = without_the_line(&error);
            return failed(&anyhow::anyhow!("the file .env cannot be read: {reason}"));
        }
        _ => {}
    }
    let traces = match start_logging() {
        Ok(traces) => traces,
        Err(error) => return failed(&error),
    };
    let result = match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::serve(),
        Command::Demo(args) => serve::demo(&args),
        Command::Migrate => migrate(),
        Command::Token(args) => token::print(&args),
    };
    if let Some(traces) = traces {
        traces.flush();
    }
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Unstored>() => {
            failed(&error);
            ExitCode::from(UNSTORED)
        }
        Err(error) => failed(&error),
    }
}

fn start_logging() -> anyhow::Result<Option<Traces>> {
    let LogConfig { format, filter, otlp_endpoint } = LogConfig::from_vars(var)?;
    let traces = otlp_endpoint.as_deref().map(Traces::to).transpose()?;
    telemetry::start_logging(format, &filter, traces.as_ref())?;
    Ok(traces)
}

/// What is wrong with `.env`. The library's own words quote the line, in which a secret may stand; the
/// name before its `=` is told if it can be nothing else.
fn without_the_line(error: &dotenvy::Error) -> String {
    let dotenvy::Error::LineParse(line, _) = error else { return error.to_string() };
    let name = line.split_once('=').map(|(name, _)| name.trim()).filter(|name| {
        let is_of_name = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
        name.len() <= 64 && name.bytes().all(is_of_name) && name.contains('_')
    });
    match name {
        Some(name) => format!("the line of {name} is malformed; a value with blanks needs quotes"),
        None => "a line of it is malformed".to_owned(),
    }
}

/// An error is for the person at the terminal, whatever the log's form and level.
#[expect(clippy::print_stderr, reason = "the command's own error message")]
fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("chatkit-gateway: {error:#}");
    ExitCode::FAILURE
}

/// A variable of the environment.
fn var(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn read_file(path: &Path) -> std::io::Result<String> {
    std::fs::read_to_string(path)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

fn migrate() -> anyhow::Result<()> {
    runtime()?.block_on(store::migrate(Config::database_url(var, read_file)?.as_str()))?;
    tracing::info!("the database is up to date");
    Ok(())
}

/// A duration such as `30m`.
fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_line_of_the_environments_file_is_told_by_its_name_alone() {
        for (line, told) in [
            ("OPENAI_API_KEY=sk-hidden behind a blank", "OPENAI_API_KEY"),
            ("MIIEhidden==", "a line of it"),
            ("HIDDEN=hidden=", "a line of it"),
            ("hidden", "a line of it"),
        ] {
            let said = without_the_line(&dotenvy::Error::LineParse(line.to_owned(), 3));

            assert!(said.contains(told) && !said.to_lowercase().contains("hidden"), "{said}");
        }
    }
}
