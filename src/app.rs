//! Builds the long-lived parts from the configuration and wires them: the only file that knows
//! all.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{
    net::TcpListener,
    sync::watch,
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    agent::{
        Agent, ClientTool, ModelAgent, RemoteAgent, TitleMaker,
        choices::hosted_names,
        model_agent::ModelAgentConfig,
        titles::{FirstWords, ModelTitles},
    },
    attachments::AttachmentStore,
    auth::{AnnouncedSessions, Auth, Clock, SESSION_KEPT_FOR},
    chat::{ChatService, messages::KEY_LIFE},
    config::{AgentKind, Config, HostedTool, LimitsFile, ModelApi, ModelConfig, Titles},
    http::{
        AppState, RouterOptions, router,
        server::{self, ServerLimits, ServerShutdown},
    },
    limits::{Connections, RequestLimits, RequestSettings},
    live::{Live, Signal},
    protocol::{Timestamp, UserId},
    run::{Runs, Unstored},
    store::{
        self, OpenOptions, Store,
        record::{Day, Expiry},
    },
    tools::{
        LiveTools, ToolRegistry, ask_user::ask_user, mcp_client::McpServers, tasks::task_tools,
    },
    upstream::{
        Model,
        agent_service::AgentService,
        chat_completions::ChatCompletionsModel,
        client::{UpstreamClient, UpstreamConfig},
        responses::ResponsesModel,
    },
};

/// How long readers have to take the ends of their streams.
const CLOSE_GRACE: Duration = Duration::from_millis(500);
/// The least of it, when the runs took long to end.
const LEAST_GRACE: Duration = Duration::from_millis(150);
/// Behind the drain time the process ends within a second, whatever does not answer: so long for the
/// runs and their readers, …
const RUNS_AND_READERS: Duration = Duration::from_millis(700);
/// … for what is cut off, …
const CUT_GRACE: Duration = Duration::from_millis(50);
/// … and so long for all of it, the database's connections included, …
const ALL: Duration = Duration::from_millis(900);
/// … of which these have at least this.
const STORE_GRACE: Duration = Duration::from_millis(150);
/// How long it is known how many tokens were used on a day: a year, and a month to look back.
const TOKEN_DAYS_KEPT_FOR: Duration = Duration::from_hours(400 * 24);
/// How often the values of histograms are folded: a thousand answers a second give some 50 KiB of them.
const FOLD_METRICS_EVERY: Duration = Duration::from_secs(5);
/// How often what has served its time is deleted.
const UPKEEP_EVERY: Duration = Duration::from_mins(10);

/// A gateway that is ready to serve.
pub struct Gateway {
    state: AppState,
    options: RouterOptions,
    server: ServerLimits,
    live: Live,
    drain: Duration,
    events_kept: Duration,
    tool_servers: Option<McpServers>,
}

/// What an embedder may bring of its own.
pub struct Parts {
    /// The database.
    pub store: Arc<dyn Store>,
    /// What `/mcp` serves.
    pub tools: ToolRegistry,
    /// Who answers.
    pub agent: Arc<dyn Agent>,
    /// How new threads get their titles, if they do.
    pub titles: Option<Arc<dyn TitleMaker>>,
    /// Where the files of attachments are; without it there are no attachments.
    pub files: Option<Arc<dyn AttachmentStore>>,
}

impl Parts {
    /// An agent and a database, and nothing that is not needed.
    pub fn new(store: Arc<dyn Store>, agent: Arc<dyn Agent>) -> Self {
        Self { store, tools: ToolRegistry::default(), agent, titles: None, files: None }
    }
}

impl Gateway {
    /// Opens the database, migrates it, and builds the parts.
    pub async fn build(config: Config, metrics: PrometheusHandle) -> anyhow::Result<Self> {
        install_crypto();
        let store = store::open(config.database_url.as_str(), OpenOptions::default()).await?;
        let tools = ToolRegistry::new(task_tools(store.clone()))?;
        let model = upstream(&config.model)?;
        let titles = titles(&config, &model);
        let (agent, tool_servers): (Arc<dyn Agent>, _) = match config.file.agent.kind {
            AgentKind::Model => {
                let own = own_tools(&config, &store)?;
                let client_tools = client_tools(&config, &own).context("gateway.toml")?;
                check_composer_tools(&config, &client_tools, &own).context("gateway.toml")?;
                let servers = tool_servers(&config, &client_tools, &own).await;
                let live = servers.tools();
                (model_agent(&config, model, client_tools, live), Some(servers))
            }
            AgentKind::Remote => {
                let agent = remote_agent(&config)?;
                let names = config.file.agent.tools.clone();
                if names.is_empty() {
                    (Arc::new(agent), None)
                } else {
                    let servers = tool_servers(&config, &[], &own_tools(&config, &store)?).await;
                    (Arc::new(agent.with_tools(servers.tools(), names)), Some(servers))
                }
            }
        };
        let parts = Parts { store, tools, agent, titles, files: None };
        let gateway = Self::with_parts(config, parts, metrics).await?;
        Ok(Self { tool_servers, ..gateway })
    }

    /// The same with parts of one's own.
    pub async fn with_parts(
        config: Config,
        parts: Parts,
        metrics: PrometheusHandle,
    ) -> anyhow::Result<Self> {
        install_crypto();
        let Parts { store, tools, agent, titles, files } = parts;
        let live = config.redis_url.as_ref().map_or_else(Live::alone, Live::shared);
        let sessions = AnnouncedSessions::new(store.clone(), live.clone());
        let auth = Auth::new(config.auth, sessions, Clock::system())?;
        auth.load_revocations().await.context("cannot read the revoked sessions")?;
        let runs = Runs::new(store.clone(), agent.clone(), titles, config.limits, live.clone());
        let chat = ChatService::new(store.clone(), runs, agent, files, config.messages);
        let server = server_limits(&config.file.limits, &config.requests);
        let limits = RequestLimits::new(config.requests);
        let state = AppState { chat, auth, store, tools, limits, metrics };
        let options = RouterOptions {
            cors_origins: config.cors_origins,
            playground: config.playground,
            demo_users: Vec::new(),
        };
        let (drain, events_kept) = (config.drain, config.limits.events_kept);
        Ok(Self { state, options, server, live, drain, events_kept, tool_servers: None })
    }

    /// Which tool servers are connected, in the order of the configuration: a gateway is ready
    /// without them.
    pub fn tool_servers_up(&self) -> watch::Receiver<Vec<bool>> {
        let up = self.tool_servers.as_ref().map(McpServers::up);
        up.unwrap_or_else(|| watch::Sender::default().subscribe())
    }

    /// Lets these users in without a login, the first where none is named: for the demo, on
    /// loopback only.
    #[must_use]
    pub fn with_demo_users(mut self, users: Vec<UserId>) -> Self {
        self.options.demo_users = users;
        self
    }

    /// Serves until `shutdown` is cancelled, then lets live runs go on for the drain time, and
    /// answers when all is stored and closed. `hurry` cuts the drain time short. When the database
    /// does not answer it ends within a second all the same, and the error says what is not stored:
    /// nothing that was acknowledged, but the ends of runs.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
        hurry: CancellationToken,
    ) -> Result<(), Unstored> {
        let Self { state, options, server, live, drain, events_kept, tool_servers } = self;
        let ends = ServerShutdown { drain: shutdown.clone(), close: CancellationToken::new() };
        let sharing = share(live, state.clone());
        let tasks = TaskTracker::new();
        tasks.spawn(state.auth.clone().watch(shutdown.clone()));
        tasks.spawn(keep_up(state.store.clone(), events_kept, shutdown.clone()));
        tasks.spawn(fold_metrics(state.metrics.clone(), shutdown.clone()));
        let router = router(state.clone(), &options, ends.close.clone());
        tasks.spawn(server::serve(listener, router, server, ends.clone()));
        tasks.close();

        shutdown.cancelled().await;
        tracing::info!("shutting down: no new runs, live ones go on for the drain time");
        state.chat.runs().drain(drain, hurry).await;
        let drained = Instant::now();
        let tool_servers = async {
            if let Some(servers) = tool_servers {
                servers.stop().await;
            }
        };
        let (ended, ()) = tokio::join!(state.chat.runs().end(), tool_servers);
        sharing.stop().await;
        // The streams are at their ends now; whoever does not read the end is cut off.
        let grace = RUNS_AND_READERS.saturating_sub(drained.elapsed());
        if timeout(grace.clamp(LEAST_GRACE, CLOSE_GRACE), tasks.wait()).await.is_err() {
            ends.close.cancel();
            let _ = timeout(CUT_GRACE, tasks.wait()).await;
        }
        let rest = ALL.saturating_sub(drained.elapsed()).max(STORE_GRACE);
        // One that did not take the ends of runs will hardly take its leave.
        let grace = if ended.is_ok() { rest } else { STORE_GRACE };
        if timeout(grace, state.store.close()).await.is_err() {
            tracing::warn!("the database's connections are left to it: it does not answer");
        }
        match ended {
            Ok(()) => tracing::info!("everything is stored and closed"),
            Err(unstored) => tracing::error!(error = %unstored, "closed"),
        }
        ended
    }
}

/// The task that speaks with other instances, to the end of the last run.
struct Sharing {
    task: TaskTracker,
    stop: CancellationToken,
}

impl Sharing {
    async fn stop(self) {
        self.stop.cancel();
        self.task.wait().await;
    }
}

/// Begins to speak with other instances, and does what they tell.
fn share(live: Live, state: AppState) -> Sharing {
    let sharing = Sharing { task: TaskTracker::new(), stop: CancellationToken::new() };
    let stop = sharing.stop.clone();
    sharing.task.spawn(async move {
        let runs = state.chat.runs();
        let hear = |signal| match signal {
            Signal::Revoked(sid) => state.auth.learn_revocation(&sid),
            of_run => runs.hear(&of_run),
        };
        let sharing = async {
            tokio::join!(live.keep(hear), runs.tell_presence(), state.limits.share(&live));
        };
        Box::pin(stop.run_until_cancelled(sharing)).await;
    });
    sharing.task.close();
    sharing
}

/// One provider of cryptography for the process: both the model's client and the key sets' use it.
fn install_crypto() {
    // Fails when it is installed already, by us or by the program that embeds us.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Deletes what has served its time, until the process ends.
async fn keep_up(store: Arc<dyn Store>, events_kept: Duration, shutdown: CancellationToken) {
    let upkeep = async {
        loop {
            let now = Timestamp::now();
            let deleted = store
                .delete_expired(Expiry {
                    events: now.minus(events_kept),
                    keys: now.minus(KEY_LIFE),
                    sessions: now.minus(SESSION_KEPT_FOR),
                    token_days: Day::of(now.minus(TOKEN_DAYS_KEPT_FOR)),
                })
                .await;
            match deleted {
                Ok(0) => {}
                Ok(rows) => tracing::info!(rows, "deleted what had served its time"),
                Err(error) => {
                    tracing::warn!(error = %error, "cannot delete what has served its time");
                }
            }
            tokio::time::sleep(UPKEEP_EVERY).await;
        }
    };
    shutdown.run_until_cancelled(upkeep).await;
}

/// Folds what histograms were given into their buckets, until the process ends. Reading `/metrics`
/// does that, too; where nobody reads them each single value would be kept for ever.
async fn fold_metrics(metrics: PrometheusHandle, shutdown: CancellationToken) {
    let folding = async {
        loop {
            tokio::time::sleep(FOLD_METRICS_EVERY).await;
            metrics.run_upkeep();
        }
    };
    shutdown.run_until_cancelled(folding).await;
}

fn server_limits(file: &LimitsFile, requests: &RequestSettings) -> ServerLimits {
    let by_address = Connections::new(
        file.connections_per_address,
        requests.private_addresses,
        requests.proxies.clone(),
    );
    ServerLimits { max_connections: file.connections, by_address }
}

fn model_agent(
    config: &Config,
    model: Arc<dyn Model>,
    client_tools: Vec<ClientTool>,
    tools: LiveTools,
) -> Arc<dyn Agent> {
    let agent = &config.file.agent;
    let defaults = ModelAgentConfig::default();
    let settings = ModelAgentConfig {
        history_tokens: agent.history_tokens.unwrap_or(defaults.history_tokens),
        model: config.model.model.clone(),
        choices: config.choices.clone(),
        instructions: agent.instructions.clone(),
        client_tools,
        max_turns: config.file.limits.model_turns,
        hosted_tools: config.hosted_tools.iter().map(|HostedTool(tool)| tool.clone()).collect(),
        ..defaults
    };
    Arc::new(ModelAgent::with_live_tools(model, tools, settings))
}

/// The gateway's own tools for its agent. Who asks the user needs a thread to ask in, which `/mcp`
/// has not.
fn own_tools(config: &Config, store: &Arc<dyn Store>) -> anyhow::Result<ToolRegistry> {
    let mut tools = task_tools(store.clone());
    if config.file.tools.ask_user {
        tools.push(ask_user());
    }
    Ok(ToolRegistry::new(tools)?)
}

/// Connects to the tool servers: their tools stand behind ours, and beside those of the page.
async fn tool_servers(
    config: &Config,
    client_tools: &[ClientTool],
    own: &ToolRegistry,
) -> McpServers {
    let names = client_tools.iter().map(|tool| tool.name.clone());
    McpServers::start(config.tool_servers.clone(), own.clone(), names).await
}

fn remote_agent(config: &Config) -> anyhow::Result<RemoteAgent> {
    let (file, model) = (&config.file.agent, &config.model);
    if !config.file.client_tools.is_empty()
        || !config.hosted_tools.is_empty()
        || file.instructions.is_some()
    {
        tracing::warn!(
            "a remote agent has its own instructions, client tools and hosted tools: those of \
             gateway.toml are not used"
        );
    }
    if !config.tool_servers.is_empty() && file.tools.is_empty() {
        tracing::warn!(
            "the remote agent may use no tool of [[mcp.servers]]: name some in agent.tools"
        );
    }
    if file.secret_env.is_none() {
        tracing::warn!(
            "requests to the remote agent are not signed: set secret_env in gateway.toml"
        );
    }
    let service = UpstreamConfig {
        base_url: file.url.clone().unwrap_or_default(),
        first_byte_timeout: model.first_byte_timeout,
        idle_timeout: model.idle_timeout,
        ..UpstreamConfig::default()
    };
    let secret = config.agent_secret.as_ref().map(|secret| secret.expose().as_bytes());
    let service = AgentService::new(service, secret)?;
    let agent = RemoteAgent::new(service, config.limits.run_timeout);
    Ok(if config.choices.is_empty() { agent } else { agent.with_choices(config.choices.clone()) })
}

fn client_tools(config: &Config, tools: &ToolRegistry) -> anyhow::Result<Vec<ClientTool>> {
    let given = config.file.client_tools.iter().map(|tool| ClientTool {
        name: tool.name.clone(),
        description: tool.description.clone(),
        parameters: tool.parameters.clone(),
    });
    let client_tools: Vec<ClientTool> = given.collect();
    ClientTool::check(&client_tools, tools.iter().map(|tool| tool.spec().name.as_str()))?;
    Ok(client_tools)
}

/// A misspelt name would silently offer nothing. Tools of MCP servers are not known yet, and may
/// never be.
fn check_composer_tools(
    config: &Config,
    client_tools: &[ClientTool],
    own: &ToolRegistry,
) -> anyhow::Result<()> {
    let own = own.iter().map(|tool| tool.spec().name.clone());
    let client = client_tools.iter().map(|tool| tool.name.clone());
    let hosted = config.hosted_tools.iter().flat_map(|HostedTool(tool)| hosted_names(tool));
    let known: Vec<String> = own.chain(client).chain(hosted).collect();
    let servers = config.tool_servers.iter().map(|server| format!("{}__", server.name));
    match config.choices.misspelt(&known, &servers.collect::<Vec<_>>()) {
        Some(name) => anyhow::bail!("composer_tools: there is no tool {name:?}"),
        None => Ok(()),
    }
}

fn titles(config: &Config, model: &Arc<dyn Model>) -> Option<Arc<dyn TitleMaker>> {
    match config.titles {
        Titles::Model => {
            Some(Arc::new(ModelTitles::new(model.clone(), config.model.model.clone())))
        }
        Titles::FirstWords => Some(Arc::new(FirstWords)),
        Titles::Off => None,
    }
}

fn upstream(config: &ModelConfig) -> anyhow::Result<Arc<dyn Model>> {
    tracing::info!(profile = ?config.profile.server, api = ?config.api, "the model's server");
    let client = UpstreamClient::new(UpstreamConfig {
        base_url: config.base_url.clone(),
        api_key: config.api_key.clone(),
        first_byte_timeout: config.first_byte_timeout,
        idle_timeout: config.idle_timeout,
        profile: Some(config.profile.clone()),
        ..UpstreamConfig::default()
    })?;
    Ok(match config.api {
        ModelApi::Responses if config.background => {
            Arc::new(ResponsesModel::new(client).in_background())
        }
        ModelApi::Responses => Arc::new(ResponsesModel::new(client)),
        ModelApi::ChatCompletions => Arc::new(ChatCompletionsModel::new(client)),
    })
}
