//! Logs, metrics and traces of the process.
//!
//! | file | does |
//! |---|---|
//! | `traces` | spans to a collector, and the trace that a request brings along |
//! | `delivery` | the HTTP client that they are sent with |
//! | `audit` | who logged in, refreshed, logged out or deleted something |
//! | `metrics` | every metric, with what it means |
//!
//! Spans that are for a collector bear the target [`SPANS`] and are no part of the log. Without a
//! collector they are disabled where they stand, which costs the load of an integer.

pub(crate) mod audit;
mod delivery;
mod metrics;
mod traces;

use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterFn, LevelFilter, ParseError},
    fmt::{self, MakeWriter},
    prelude::*,
};

pub(crate) use self::traces::{Incoming, continue_trace, outlive_current};
pub use self::{
    audit::TARGET as AUDIT,
    metrics::{Kind, METRICS, Metric, start_metrics},
    traces::{TraceError, Traces},
};

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// The target of spans for a collector, and of the events in them.
pub const SPANS: &str = "otel";
/// The target of the span that gives the log lines of a request its id.
pub const REQUEST: &str = "request";

/// The target of the lines that tell what a model's provider said of a call that failed, in its own
/// words: they may quote the conversation.
pub const PROVIDER: &str = "provider";

/// What holds unless the filter names these targets itself: the MCP library logs what tool servers
/// send, whole and however much it is, and what operators need of it, we log ourselves; a provider's
/// words are for whoever asks for them; the audit log is written at any level, with the ids of its
/// requests; spans are no log.
const UNLESS_NAMED: [(&str, &str); 5] =
    [("rmcp", "off"), (PROVIDER, "off"), (AUDIT, "info"), (REQUEST, "info"), (SPANS, "off")];

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What `RUST_LOG` says is no filter.
    #[error("RUST_LOG cannot be read")]
    Filter(#[from] ParseError),
    /// There is a subscriber of another's already.
    #[error("logging was started already")]
    Started(#[from] tracing_subscriber::util::TryInitError),
}

/// Starts logging to standard error, and sending `traces`, if they are wanted. `filter` is what
/// `RUST_LOG` takes.
///
/// Standard output stays free for what commands print.
pub fn start_logging(
    format: LogFormat,
    filter: &str,
    traces: Option<&Traces>,
) -> Result<(), StartError> {
    start_logging_to(std::io::stderr, format, filter, traces)
}

/// The same to any writer.
pub fn start_logging_to<W>(
    writer: W,
    format: LogFormat,
    filter: &str,
    traces: Option<&Traces>,
) -> Result<(), StartError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = log_filter(filter)?;
    let log = fmt::layer().with_writer(writer);
    let log: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Text => log.boxed(),
        LogFormat::Json => log.json().flatten_event(true).boxed(),
    };
    match traces {
        // One filter for all is decided where a line stands; one for each layer, at every line.
        None => tracing_subscriber::registry().with(log).with(filter).try_init()?,
        Some(traces) => {
            let is_for_collector = FilterFn::new(|metadata| metadata.target() == SPANS)
                .with_max_level_hint(LevelFilter::INFO);
            let log = log.with_filter(filter);
            let spans = traces.layer().with_filter(is_for_collector);
            tracing_subscriber::registry().with(log).with(spans).try_init()?;
        }
    }
    Ok(())
}

fn log_filter(text: &str) -> Result<EnvFilter, ParseError> {
    let mut filter = EnvFilter::try_new(text)?;
    for (target, level) in UNLESS_NAMED {
        let is_named = text.split(',').any(|directive| {
            let name = directive.trim().split(['=', '[', ':']).next();
            name == Some(target)
        });
        if !is_named {
            filter = filter.add_directive(format!("{target}={level}").parse()?);
        }
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_filter_names_itself_is_as_it_says() {
        let directives = |text: &str| log_filter(text).unwrap().to_string();

        let all = directives("warn");
        for directive in
            ["rmcp=off", "provider=off", "audit=info", "request=info", "otel=off", "warn"]
        {
            assert!(all.contains(directive), "{all}");
        }
        let named = directives("warn,audit=off,rmcp=debug,requests=debug");
        assert!(named.contains("audit=off") && !named.contains("audit=info"), "{named}");
        assert!(named.contains("rmcp=debug") && !named.contains("rmcp=off"), "{named}");
        assert!(named.contains("request=info"), "{named}");
        assert!(log_filter("a=b=c").is_err());
    }
}
