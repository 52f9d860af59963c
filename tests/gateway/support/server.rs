//! A gateway for one test.

use std::{io::ErrorKind, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use chatkit_gateway::{
    agent::{Agent, ModelAgent, model_agent::ModelAgentConfig},
    app::{Gateway, Parts},
    auth::SessionKeys,
    config::Config,
    demo::scripted_model::Manner,
    protocol::{Timestamp, UserId},
    run::Unstored,
    store::{self, OpenOptions, Store},
    tools::{Tool, ToolRegistry},
    upstream::{
        client::{UpstreamClient, UpstreamConfig},
        responses::ResponsesModel,
    },
};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::{net::TcpListener, sync::oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Client, database::TestDatabase, files::Shelf, model::TestModel};

pub(crate) const LOGIN_SECRET: &str = "a-secret-of-the-login-for-tests-only";

/// A real server on a free port. [`stop`](Self::stop) it to see that it ends in order.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) model: TestModel,
    pub(crate) database: TestDatabase,
    keys: SessionKeys,
    shutdown: CancellationToken,
    hurry: CancellationToken,
    ended: oneshot::Receiver<Result<(), Unstored>>,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With these variables besides those that a server needs; `gateway.toml` is the text of that
    /// file.
    pub(crate) async fn start_with(vars: &[(&str, &str)]) -> Self {
        Self::start_on(new_database().await, vars).await
    }

    /// Whose tool servers are all connected.
    pub(crate) async fn start_with_tool_servers(vars: &[(&str, &str)]) -> Self {
        let model = TestModel::start().await;
        let (gateway, model, database, keys) = Self::build(new_database().await, model, vars).await;
        let mut up = gateway.tool_servers_up();
        up.wait_for(|up| up.iter().all(|is_up| *is_up)).await.unwrap();
        Self::serve(gateway, model, database, keys).await
    }

    /// Whose model speaks Chat Completions as this server does, and is taken for it.
    pub(crate) async fn start_with_model(manner: Manner, vars: &[(&str, &str)]) -> Self {
        let profile = match manner {
            Manner::Openai => "openai",
            Manner::Azure => "azure",
            Manner::Vllm => "vllm",
            Manner::LlamaCpp => "llama_cpp",
            Manner::Ollama => "ollama",
            Manner::Openrouter => "openrouter",
        };
        let own = [
            ("OPENAI_API", "chat_completions"),
            ("OPENAI_PROFILE", profile),
            ("OPENAI_API_KEY", "k"),
        ];
        // Those of the test come first, which is where they are found.
        let vars: Vec<_> = vars.iter().chain(&own).copied().collect();
        let model = TestModel::start_as(manner).await;
        let (gateway, model, database, keys) =
            Self::build(new_database().await, model, &vars).await;
        Self::serve(gateway, model, database, keys).await
    }

    /// On a database that is there already.
    pub(crate) async fn start_on(database: TestDatabase, vars: &[(&str, &str)]) -> Self {
        let model = TestModel::start().await;
        let (gateway, model, database, keys) = Self::build(database, model, vars).await;
        Self::serve(gateway, model, database, keys).await
    }

    async fn build(
        database: TestDatabase,
        model: TestModel,
        vars: &[(&str, &str)],
    ) -> (Gateway, TestModel, TestDatabase, SessionKeys) {
        let config = config(&database.url, &model.running.base_url(), vars);
        let keys = SessionKeys::new(&config.auth.session);
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let gateway = Gateway::build(config, metrics).await.unwrap();
        (gateway, model, database, keys)
    }

    /// Whose model has these tools and no others.
    pub(crate) async fn start_with_tools(tools: Vec<Arc<dyn Tool>>) -> Self {
        let model = TestModel::start().await;
        let tools = ToolRegistry::new(tools).unwrap();
        let base_url = model.running.base_url();
        let client = UpstreamClient::new(UpstreamConfig { base_url, ..UpstreamConfig::default() });
        let upstream = Arc::new(ResponsesModel::new(client.unwrap()));
        let settings = ModelAgentConfig { model: "test-model".to_owned(), ..Default::default() };
        let agent = ModelAgent::new(upstream, tools.clone(), settings);
        Self::start_with_parts(model, tools, agent).await.0
    }

    /// With an agent of the test's own and a place for files; answers the store as well.
    pub(crate) async fn start_with_agent(agent: impl Agent) -> (Self, Arc<dyn Store>) {
        Self::start_with_parts(TestModel::start().await, ToolRegistry::default(), agent).await
    }

    async fn start_with_parts(
        model: TestModel,
        tools: ToolRegistry,
        agent: impl Agent,
    ) -> (Self, Arc<dyn Store>) {
        let database = new_database().await;
        let config = config(&database.url, &model.running.base_url(), &[]);
        let keys = SessionKeys::new(&config.auth.session);
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let store = store::open(&database.url, OpenOptions::default()).await.unwrap();
        let parts = Parts {
            store: store.clone(),
            tools,
            agent: Arc::new(agent),
            titles: None,
            files: Some(Arc::new(Shelf)),
        };
        let gateway = Gateway::with_parts(config, parts, metrics).await.unwrap();
        (Self::serve(gateway, model, database, keys).await, store)
    }

    async fn serve(
        gateway: Gateway,
        model: TestModel,
        database: TestDatabase,
        keys: SessionKeys,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, hurry) = (CancellationToken::new(), CancellationToken::new());
        let (tell, ended) = oneshot::channel();
        let (stop, faster) = (shutdown.clone(), hurry.clone());
        TaskTracker::new().spawn(async move {
            let _ = tell.send(gateway.serve(listener, stop, faster).await);
        });
        Self { address, model, database, keys, shutdown, hurry, ended }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn alice(&self) -> Client {
        self.user("alice")
    }

    pub(crate) fn bob(&self) -> Client {
        self.user("bob")
    }

    /// A client with a session token of that user.
    pub(crate) fn user(&self, name: &str) -> Client {
        Client::new(&self.url(""), Some(self.token(name)))
    }

    /// A session token of that user.
    pub(crate) fn token(&self, name: &str) -> String {
        let user = UserId::parse(name).unwrap();
        self.keys.issue_detached(&user, Duration::from_mins(30), Timestamp::now()).token
    }

    /// A client without a token.
    pub(crate) fn nobody(&self) -> Client {
        Client::new(&self.url(""), None)
    }

    /// Tells it to end, as SIGTERM does.
    pub(crate) fn terminate(&self) {
        self.shutdown.cancel();
    }

    /// Tells it to end at once, as a second SIGTERM does.
    pub(crate) fn hurry(&self) {
        self.hurry.cancel();
    }

    /// Ends it and waits until all is stored; answers its database.
    pub(crate) async fn stop(self) -> TestDatabase {
        self.terminate();
        self.hurry();
        self.wait().await
    }

    /// Waits for its end.
    pub(crate) async fn wait(self) -> TestDatabase {
        let ended = self.ended.await.expect("the server ended without a panic");
        assert_eq!(ended, Ok(()), "all is stored");
        self.database
    }
}

/// What clients see must not depend on the database: `GATEWAY_TEST_DATABASE` says which it is.
pub(crate) async fn new_database() -> TestDatabase {
    match std::env::var("GATEWAY_TEST_DATABASE").as_deref() {
        Ok("postgres") => TestDatabase::postgres().await,
        _ => TestDatabase::sqlite(),
    }
}

fn config(database: &str, model: &str, vars: &[(&str, &str)]) -> Config {
    let lookup = |name: &str| {
        let set = vars.iter().find(|(known, _)| *known == name);
        set.map(|(_, value)| (*value).to_owned()).or_else(|| match name {
            "DATABASE_URL" => Some(database.to_owned()),
            "OPENAI_BASE_URL" => Some(model.to_owned()),
            "OPENAI_MODEL" => Some("test-model".to_owned()),
            "BETTER_AUTH_SECRET" => Some(LOGIN_SECRET.to_owned()),
            "CHATKIT_TITLES" => Some("off".to_owned()),
            "CHATKIT_REQUESTS_PER_MINUTE" => Some("0".to_owned()),
            _ => None,
        })
    };
    let file = vars.iter().find(|(known, _)| *known == "gateway.toml");
    let read_file =
        |_: &Path| file.map_or(Err(ErrorKind::NotFound.into()), |(_, text)| Ok((*text).to_owned()));
    Config::from_vars(lookup, read_file).unwrap()
}
