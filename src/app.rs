//! Builds the long-lived parts from the configuration and wires them: the only file that knows
//! all.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    agent::{
        Agent, ClientTool, ModelAgent, TitleMaker,
        model_agent::ModelAgentConfig,
        titles::{FirstWords, ModelTitles},
    },
    attachments::AttachmentStore,
    auth::{Auth, Clock, SESSION_KEPT_FOR},
    chat::{ChatService, messages::KEY_LIFE},
    config::{Config, ModelApi, ModelConfig, Titles},
    http::{
        AppState, RouterOptions, router,
        server::{self, ServerLimits, ServerShutdown},
    },
    protocol::{Timestamp, UserId},
    run::Runs,
    store::{self, OpenOptions, Store},
    tools::{ToolRegistry, tasks::task_tools},
    upstream::{
        Model,
        chat_completions::ChatCompletionsModel,
        client::{UpstreamClient, UpstreamConfig},
        responses::ResponsesModel,
    },
};

/// How long readers have to take the ends of their streams.
const CLOSE_GRACE: Duration = Duration::from_millis(500);
/// How often what has served its time is deleted.
const UPKEEP_EVERY: Duration = Duration::from_mins(10);

/// A gateway that is ready to serve.
pub struct Gateway {
    state: AppState,
    options: RouterOptions,
    drain: Duration,
    events_kept: Duration,
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
        let agent = model_agent(&config, model, tools.clone())?;
        let parts = Parts { store, tools, agent, titles, files: None };
        Self::with_parts(config, parts, metrics).await
    }

    /// The same with parts of one's own.
    pub async fn with_parts(
        config: Config,
        parts: Parts,
        metrics: PrometheusHandle,
    ) -> anyhow::Result<Self> {
        install_crypto();
        let Parts { store, tools, agent, titles, files } = parts;
        let auth = Auth::new(config.auth, store.clone(), Clock::system())?;
        auth.load_revocations().await.context("cannot read the revoked sessions")?;
        let runs = Runs::new(store.clone(), agent.clone(), titles, config.limits);
        let chat = ChatService::new(store.clone(), runs, agent, files);
        let state = AppState { chat, auth, store, tools, metrics };
        let options = RouterOptions {
            cors_origins: config.cors_origins,
            playground: config.playground,
            demo_users: Vec::new(),
        };
        let (drain, events_kept) = (config.drain, config.limits.events_kept);
        Ok(Self { state, options, drain, events_kept })
    }

    /// Lets these users in without a login, the first where none is named: for the demo, on
    /// loopback only.
    #[must_use]
    pub fn with_demo_users(mut self, users: Vec<UserId>) -> Self {
        self.options.demo_users = users;
        self
    }

    /// Serves until `shutdown` is cancelled, then lets live runs go on for the drain time, and
    /// answers when all is stored and closed. `hurry` cuts the drain time short.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
        hurry: CancellationToken,
    ) {
        let Self { state, options, drain, events_kept } = self;
        let ends = ServerShutdown { drain: shutdown.clone(), close: CancellationToken::new() };
        let tasks = TaskTracker::new();
        tasks.spawn(state.auth.clone().watch(shutdown.clone()));
        tasks.spawn(keep_up(state.store.clone(), events_kept, shutdown.clone()));
        let router = router(state.clone(), &options, ends.close.clone());
        tasks.spawn(server::serve(listener, router, ServerLimits::default(), ends.clone()));
        tasks.close();

        shutdown.cancelled().await;
        tracing::info!("shutting down: no new runs, live ones go on for the drain time");
        state.chat.runs().shut_down(drain, hurry).await;
        // The streams are at their ends now; whoever does not read the end is cut off.
        if tokio::time::timeout(CLOSE_GRACE, tasks.wait()).await.is_err() {
            ends.close.cancel();
            tasks.wait().await;
        }
        state.store.close().await;
        tracing::info!("everything is stored and closed");
    }
}

/// One provider of cryptography for the process: both the model's client and the key sets' use it.
fn install_crypto() {
    // Fails when it is installed already, by us or by the program that embeds us.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Deletes what has served its time, until the process ends.
async fn keep_up(store: Arc<dyn Store>, events_kept: Duration, shutdown: CancellationToken) {
    loop {
        let now = Timestamp::now();
        let deleted = store
            .delete_expired(
                now.minus(events_kept),
                now.minus(KEY_LIFE),
                now.minus(SESSION_KEPT_FOR),
            )
            .await;
        match deleted {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "deleted what had served its time"),
            Err(error) => tracing::warn!(error = %error, "cannot delete what has served its time"),
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(UPKEEP_EVERY) => {}
        }
    }
}

fn model_agent(
    config: &Config,
    model: Arc<dyn Model>,
    tools: ToolRegistry,
) -> anyhow::Result<Arc<dyn Agent>> {
    let agent = &config.file.agent;
    let client_tools = client_tools(config, &tools).context("gateway.toml")?;
    if !agent.hosted_tools.iter().all(|tool| tool["type"].is_string()) {
        anyhow::bail!("gateway.toml: a hosted tool has no type");
    }
    let settings = ModelAgentConfig {
        model: config.model.model.clone(),
        allowed_models: agent.models.clone(),
        instructions: agent.instructions.clone(),
        client_tools,
        hosted_tools: agent.hosted_tools.clone(),
        ..ModelAgentConfig::default()
    };
    Ok(Arc::new(ModelAgent::new(model, tools, settings)))
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
    let client = UpstreamClient::new(UpstreamConfig {
        base_url: config.base_url.clone(),
        api_key: config.api_key.clone(),
        first_byte_timeout: config.first_byte_timeout,
        idle_timeout: config.idle_timeout,
        ..UpstreamConfig::default()
    })?;
    Ok(match config.api {
        ModelApi::Responses => Arc::new(ResponsesModel::new(client)),
        ModelApi::ChatCompletions => Arc::new(ChatCompletionsModel::new(client)),
    })
}
