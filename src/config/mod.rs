//! What the operator sets: environment variables, and `gateway.toml` for what has structure.
//!
//! Everything is read through a look-up function, so that tests never touch the process's
//! environment, and all problems are reported at once, by the name of the variable and never with
//! its value.

mod choices;
mod file;
mod hosted_tools;
mod limits;
mod model_server;
mod sources;
mod tool_servers;
mod vars;

use std::{borrow::Cow, net::SocketAddr, path::PathBuf, time::Duration};

use crate::{
    agent::Choices,
    auth::AuthConfig,
    chat::MessageLimits,
    limits::RequestSettings,
    live::RedisUrl,
    run::{OnDisconnect, RunLimits},
    telemetry::LogFormat,
    tools::mcp_client::ServerSettings,
    upstream::{
        client::{ApiKey, UpstreamConfig},
        profile::Profile,
    },
};

pub use file::{
    AgentFile, AgentKind, ClientToolFile, ComposerToolFile, ConfigFile, Hidden, HostedTool,
    McpFile, McpServerFile, ModelFile, ModelServerFile, NamedModelFile, ToolsFile,
};
pub use limits::LimitsFile;
use sources::Sources;
use vars::Vars;

/// OpenAI's own API.
pub const OPENAI_BASE_URL: &str = UpstreamConfig::OPENAI;
/// The model of a turn unless the configuration or the request names another: a small one.
const DEFAULT_MODEL: &str = "gpt-5-mini";
/// A file in the directory that the process was started in.
const DEFAULT_DATABASE: &str = "sqlite://chatkit.db";
/// The shortest secret of a remote agent, in bytes.
const MIN_AGENT_SECRET: usize = 32;

/// Everything that `serve` needs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub bind_addr: SocketAddr,
    /// The database.
    pub database_url: DatabaseUrl,
    /// What several instances share live events through.
    pub redis_url: Option<RedisUrl>,
    /// The model's API.
    pub model: ModelConfig,
    /// Login.
    pub auth: AuthConfig,
    /// The structured part.
    pub file: ConfigFile,
    /// What users may choose in the composer.
    pub choices: Choices,
    /// Tools that the provider runs itself.
    pub hosted_tools: Vec<HostedTool>,
    /// Servers whose tools the model may call.
    pub tool_servers: Vec<ServerSettings>,
    /// What requests to a remote agent are signed with.
    pub agent_secret: Option<ApiKey>,
    /// Origins whose pages may call.
    pub cors_origins: Vec<String>,
    /// Whether the playground is served at `/`.
    pub playground: bool,
    /// Bounds of runs.
    pub limits: RunLimits,
    /// How many requests there may be.
    pub requests: RequestSettings,
    /// What messages may hold.
    pub messages: MessageLimits,
    /// How new threads get their titles.
    pub titles: Titles,
    /// How long live runs may go on after SIGTERM.
    pub drain: Duration,
}

/// What is logged, and how: of every command, read before anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// How log lines look.
    pub format: LogFormat,
    /// What `RUST_LOG` takes.
    pub filter: String,
    /// The collector of traces; without one there are none.
    pub otlp_endpoint: Option<String>,
}

impl LogConfig {
    /// Reads it through `lookup`.
    pub fn from_vars(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut vars = Vars::new(&lookup);
        let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        let config = Self {
            format: vars.choice("LOG_FORMAT", &formats),
            filter: vars.text("RUST_LOG", "info"),
            otlp_endpoint: vars.optional("OTEL_EXPORTER_OTLP_ENDPOINT"),
        };
        let is_address =
            |text: &String| ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme));
        if config.otlp_endpoint.as_ref().is_some_and(|endpoint| !is_address(endpoint)) {
            vars.problem("OTEL_EXPORTER_OTLP_ENDPOINT", "must begin with http:// or https://");
        }
        vars.finish(config)
    }
}

/// The model's API.
#[derive(Clone, Debug)]
pub struct ModelConfig {
    /// Where it is; ends in `/v1`.
    pub base_url: String,
    /// The key; some servers need none.
    pub api_key: Option<ApiKey>,
    /// Which of the two APIs.
    pub api: ModelApi,
    /// What the server takes.
    pub profile: Profile,
    /// The model of a turn unless the request names an allowed one.
    pub model: String,
    /// How long an answer may take to begin.
    pub first_byte_timeout: Duration,
    /// How long an answer may pause.
    pub idle_timeout: Duration,
    /// Whether answers go on at the provider while nobody reads them, so that they outlive this
    /// process. The Responses API only.
    pub background: bool,
}

/// Which of the two model APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelApi {
    /// `POST /responses`.
    Responses,
    /// `POST /chat/completions`.
    ChatCompletions,
}

/// How a new thread gets its title.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Titles {
    /// By a short model call.
    Model,
    /// From the first words of its first message.
    FirstWords,
    /// Not at all.
    Off,
}

/// The database's address, which may hold a password and is therefore never printed.
#[derive(Clone)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = self.0.split(':').next().unwrap_or_default();
        write!(f, "{scheme}:…")
    }
}

/// A variable that is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The variable, or the file.
    pub name: String,
    /// What is wrong with it, and how to mend it.
    pub text: String,
}

/// Everything that keeps the program from starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub Vec<Problem>);

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the configuration is not complete:")?;
        for Problem { name, text } in &self.0 {
            write!(f, "\n  {name}: {text}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the configuration. `lookup` answers a variable's value, `read_file` a file's text.
    pub fn from_vars(
        lookup: impl Fn(&str) -> Option<String>,
        read_file: impl Fn(&std::path::Path) -> std::io::Result<String>,
    ) -> Result<Self, ConfigError> {
        Self::read(lookup, read_file, true)
    }

    /// The same for an application whose own agent answers: no key of a model is asked for.
    pub fn for_own_agent(
        lookup: impl Fn(&str) -> Option<String>,
        read_file: impl Fn(&std::path::Path) -> std::io::Result<String>,
    ) -> Result<Self, ConfigError> {
        Self::read(lookup, read_file, false)
    }

    fn read(
        lookup: impl Fn(&str) -> Option<String>,
        read_file: impl Fn(&std::path::Path) -> std::io::Result<String>,
        needs_model: bool,
    ) -> Result<Self, ConfigError> {
        let sources = Sources::new(&lookup, &read_file);
        let config = Self::read_vars(&|name| sources.get(name), &read_file, needs_model);
        sources.finish(config)
    }

    fn read_vars(
        lookup: &dyn Fn(&str) -> Option<String>,
        read_file: &dyn Fn(&std::path::Path) -> std::io::Result<String>,
        needs_model: bool,
    ) -> Result<Self, ConfigError> {
        let mut vars = Vars::new(lookup);
        let auth = AuthConfig::from_vars(lookup);
        if let Err(problems) = &auth {
            for problem in problems {
                vars.problem(problem.variable, problem.problem);
            }
        }
        let bind_addr: SocketAddr =
            vars.parsed("BIND_ADDR", "127.0.0.1:8000", "an address as 127.0.0.1:8000");
        let file = file(&mut vars, read_file);
        let is_needed = needs_model && file.agent.kind == AgentKind::Model;
        let model = model(&mut vars, is_needed, &file.model_server);
        if model.api == ModelApi::ChatCompletions && !file.agent.hosted_tools.is_empty() {
            vars.problem("gateway.toml", "agent.hosted_tools needs OPENAI_API=responses");
        }
        let claims = file.agent.claims.clone();
        if is_needed && !claims.is_empty() {
            vars.problem("gateway.toml", "agent.claims is for an agent: a model is not told any");
        }
        let config = Self {
            bind_addr,
            database_url: DatabaseUrl(vars.text("DATABASE_URL", DEFAULT_DATABASE)),
            redis_url: redis(&mut vars),
            titles: titles(&mut vars, &model),
            model,
            agent_secret: agent_secret(&mut vars, &file.agent),
            choices: choices::choices(&mut vars, &file),
            hosted_tools: hosted_tools::hosted_tools(&mut vars, &file.agent.hosted_tools),
            tool_servers: tool_servers::tool_servers(&mut vars, &file.mcp),
            requests: file.limits.requests(&mut vars),
            messages: file.limits.messages(),
            limits: limits(&mut vars, &file.limits),
            file,
            cors_origins: vars.origins("CHATKIT_CORS_ORIGINS"),
            playground: playground(&mut vars, bind_addr),
            drain: vars.duration("CHATKIT_DRAIN", "25s"),
            auth: match auth {
                Ok(auth) => AuthConfig { claims, ..auth },
                Err(_) => return Err(vars.into_error()),
            },
        };
        vars.finish(config)
    }

    /// The database alone, for `migrate`.
    pub fn database_url(
        lookup: impl Fn(&str) -> Option<String>,
        read_file: impl Fn(&std::path::Path) -> std::io::Result<String>,
    ) -> Result<DatabaseUrl, ConfigError> {
        let sources = Sources::new(&lookup, &read_file);
        let url = Vars::new(&|name| sources.get(name)).text("DATABASE_URL", DEFAULT_DATABASE);
        sources.finish(Ok(DatabaseUrl(url)))
    }

    /// Login alone, for `token`.
    pub fn auth(
        lookup: impl Fn(&str) -> Option<String>,
        read_file: impl Fn(&std::path::Path) -> std::io::Result<String>,
    ) -> Result<AuthConfig, ConfigError> {
        let sources = Sources::new(&lookup, &read_file);
        let auth = AuthConfig::from_vars(|name| sources.get(name)).map_err(|problems| {
            let problem = |problem: crate::auth::ConfigProblem| Problem {
                name: problem.variable.to_owned(),
                text: problem.problem.to_owned(),
            };
            ConfigError(problems.into_iter().map(problem).collect())
        });
        sources.finish(auth)
    }
}

/// A service that does not know who asks would answer anybody who finds it.
fn agent_secret(vars: &mut Vars<'_>, agent: &AgentFile) -> Option<ApiKey> {
    if agent.kind == AgentKind::Remote && !agent.url.as_deref().is_some_and(vars::is_http_url) {
        vars.problem("gateway.toml", "a remote agent needs an http(s) url");
    }
    if agent.kind == AgentKind::Model && !agent.tools.is_empty() {
        vars.problem(
            "gateway.toml",
            "agent.tools is for kind = \"remote\": a model has all of the tools",
        );
    }
    let name = agent.secret_env.as_deref()?;
    let secret = vars.optional(name);
    if secret.as_ref().is_none_or(|secret| secret.len() < MIN_AGENT_SECRET) {
        vars.problem(name, "is named by secret_env in gateway.toml and needs at least 32 bytes");
    }
    secret.map(ApiKey::new)
}

fn titles(vars: &mut Vars<'_>, model: &ModelConfig) -> Titles {
    let choices =
        [("model", Titles::Model), ("first_words", Titles::FirstWords), ("off", Titles::Off)];
    match vars.choice("CHATKIT_TITLES", &choices) {
        // Beside an agent of one's own there need not be a model.
        Titles::Model if model.api_key.is_none() && model.base_url == OPENAI_BASE_URL => {
            Titles::FirstWords
        }
        titles => titles,
    }
}

fn redis(vars: &mut Vars<'_>) -> Option<RedisUrl> {
    let url = vars.optional("REDIS_URL")?;
    if vars.text("DATABASE_URL", "sqlite:").starts_with("sqlite:") {
        vars.problem(
            "REDIS_URL",
            "is for several instances, which need PostgreSQL; with SQLite leave it unset",
        );
    }
    let parsed = RedisUrl::parse(&url);
    if parsed.is_none() {
        vars.problem("REDIS_URL", "must be redis://HOST:6379/0, or rediss:// with TLS");
    }
    parsed
}

fn model(vars: &mut Vars<'_>, is_needed: bool, server: &ModelServerFile) -> ModelConfig {
    let base_url = vars.url("OPENAI_BASE_URL", OPENAI_BASE_URL);
    let api_key = vars.optional("OPENAI_API_KEY").map(ApiKey::new);
    if is_needed && api_key.is_none() && base_url == OPENAI_BASE_URL {
        vars.problem("OPENAI_API_KEY", "is needed for OpenAI; other servers: set OPENAI_BASE_URL");
    }
    let api = vars.choice(
        "OPENAI_API",
        &[("responses", ModelApi::Responses), ("chat_completions", ModelApi::ChatCompletions)],
    );
    let background = vars.choice("OPENAI_BACKGROUND", &[("false", false), ("true", true)]);
    if background && api == ModelApi::ChatCompletions {
        vars.problem("OPENAI_BACKGROUND", "needs OPENAI_API=responses");
    }
    ModelConfig {
        profile: model_server::profile(vars, &base_url, api, server),
        base_url,
        api_key,
        api,
        model: vars.text("OPENAI_MODEL", DEFAULT_MODEL),
        first_byte_timeout: vars.duration("CHATKIT_FIRST_BYTE_TIMEOUT", "60s"),
        idle_timeout: vars.duration("CHATKIT_IDLE_TIMEOUT", "30s"),
        background,
    }
}

/// `local` by default: what listens on loopback is most likely tried out by the one who started it,
/// and what listens elsewhere has pages of its own, beside which a page that asks for a token is one
/// too many.
fn playground(vars: &mut Vars<'_>, bind_addr: SocketAddr) -> bool {
    let is_local = bind_addr.ip().is_loopback();
    vars.choice("CHATKIT_PLAYGROUND", &[("local", is_local), ("on", true), ("off", false)])
}

fn limits(vars: &mut Vars<'_>, file: &LimitsFile) -> RunLimits {
    RunLimits {
        run_timeout: vars.duration("CHATKIT_RUN_TIMEOUT", "15m"),
        max_runs: vars.parsed("CHATKIT_MAX_RUNS", "10000", "a number; 0 is no limit"),
        max_runs_per_user: vars.parsed("CHATKIT_MAX_RUNS_PER_USER", "3", "a number; 0 is no limit"),
        max_output_bytes: file.answer_bytes,
        tokens_a_day: file.tokens_a_day(),
        on_disconnect: on_disconnect(vars),
        events_kept: vars.duration("CHATKIT_EVENTS_KEPT", "15m"),
    }
}

fn on_disconnect(vars: &mut Vars<'_>) -> OnDisconnect {
    const NAME: &str = "CHATKIT_ON_DISCONNECT";
    let value = vars.text(NAME, "continue");
    let grace = value.strip_prefix("cancel_after:").map(humantime::parse_duration);
    match (value.as_str(), grace) {
        ("continue", _) => OnDisconnect::Continue,
        ("cancel", _) => OnDisconnect::CANCEL,
        (_, Some(Ok(grace))) => OnDisconnect::CancelAfter(grace),
        _ => {
            vars.problem(NAME, "must be continue, cancel, or cancel_after: with a duration as 30s");
            OnDisconnect::Continue
        }
    }
}

/// Why a file cannot be read, without the value that it quotes, as in `invalid type: string "…",
/// expected a map`: it may be a secret in a wrong place. Names of members stay.
fn without_value(reason: &str) -> Cow<'_, str> {
    let is_of_value = ["invalid ", "unknown variant"].iter().any(|kind| reason.starts_with(kind));
    let value = reason.find(['"', '`']).zip(reason.rfind(", expected"));
    match value.filter(|(from, to)| is_of_value && from < to) {
        Some((from, to)) => format!("{}…{}", &reason[..from], &reason[to..]).into(),
        None => reason.into(),
    }
}

/// `CHATKIT_CONFIG` must be there when it is set; `gateway.toml` is read when it is there.
fn file(
    vars: &mut Vars<'_>,
    read: &dyn Fn(&std::path::Path) -> std::io::Result<String>,
) -> ConfigFile {
    let named = vars.optional("CHATKIT_CONFIG");
    let path = PathBuf::from(named.as_deref().unwrap_or("gateway.toml"));
    let text = match read(&path) {
        Ok(text) => text,
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            return ConfigFile::default();
        }
        Err(error) => {
            vars.problem("CHATKIT_CONFIG", &format!("{} cannot be read: {error}", path.display()));
            return ConfigFile::default();
        }
    };
    toml::from_str(&text).unwrap_or_else(|error| {
        // Not the error's own text, which quotes the line: a secret may stand there.
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let (line, reason) = (before.matches('\n').count() + 1, without_value(error.message()));
        let problem = format!("{}, line {line}: {reason}", path.display());
        vars.problem("CHATKIT_CONFIG", &problem);
        ConfigFile::default()
    })
}

#[cfg(test)]
mod tests;
