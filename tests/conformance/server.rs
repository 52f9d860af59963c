//! A gateway with the scripted agent: a real server on a free port, a database of its own.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use chatkit_gateway::{
    app::{Gateway, Parts},
    attachments::AttachmentStore,
    auth::SessionKeys,
    config::Config,
    protocol::{Timestamp, UserId},
    store::{self, OpenOptions, Store},
    tools::ToolRegistry,
};
use metrics_exporter_prometheus::PrometheusBuilder;
use reqwest::RequestBuilder;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{agent::ScriptedAgent, files::ScriptedFiles};

/// A gateway for one test.
pub(crate) struct TestServer {
    pub(crate) store: Arc<dyn Store>,
    address: SocketAddr,
    keys: SessionKeys,
    http: reqwest::Client,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    _folder: Option<TempDir>,
}

impl TestServer {
    pub(crate) async fn start(agent: ScriptedAgent) -> Self {
        Self::start_with(agent, None).await
    }

    /// With a place for files.
    pub(crate) async fn start_with(agent: ScriptedAgent, files: Option<ScriptedFiles>) -> Self {
        Self::start_of(|store| Parts {
            store,
            tools: ToolRegistry::default(),
            agent: Arc::new(agent),
            titles: None,
            files: files.map(|files| Arc::new(files) as Arc<dyn AttachmentStore>),
        })
        .await
    }

    /// Of parts made for its database.
    pub(crate) async fn start_of(parts: impl FnOnce(Arc<dyn Store>) -> Parts) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/test.db", folder.path().display());
        Self { _folder: Some(folder), ..Self::start_on(&url, parts).await }
    }

    /// On a database that is there already.
    pub(crate) async fn start_on(url: &str, parts: impl FnOnce(Arc<dyn Store>) -> Parts) -> Self {
        let config = config(url);
        let keys = SessionKeys::new(&config.auth.session);
        let store = store::open(url, OpenOptions::default()).await.unwrap();
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let gateway = Gateway::with_parts(config, parts(store.clone()), metrics).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(gateway.serve(listener, shutdown.clone(), shutdown.clone()));
        tasks.close();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { store, address, keys, http, shutdown, tasks, _folder: None }
    }

    /// A request of that user.
    pub(crate) fn post(&self, user: &UserId, path: &str, body: String) -> RequestBuilder {
        self.authorized(user, self.http.post(self.url(path)))
            .header("content-type", "application/json")
            .body(body)
    }

    /// A request of that user.
    pub(crate) fn get(&self, user: &UserId, path: &str) -> RequestBuilder {
        self.authorized(user, self.http.get(self.url(path)))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn authorized(&self, user: &UserId, request: RequestBuilder) -> RequestBuilder {
        let token = self.keys.issue_detached(user, Duration::from_mins(30), Timestamp::now());
        request.bearer_auth(token.token)
    }

    /// Ends it and waits until all is stored.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.tasks.wait().await;
    }
}

fn config(database: &str) -> Config {
    let lookup = |name: &str| match name {
        "DATABASE_URL" => Some(database.to_owned()),
        // Never called: an agent that has a model brings it.
        "OPENAI_BASE_URL" => Some("http://127.0.0.1:9/v1".to_owned()),
        "BETTER_AUTH_SECRET" => Some("a-secret-of-the-login-for-tests-only".to_owned()),
        "CHATKIT_TITLES" => Some("off".to_owned()),
        "CHATKIT_MAX_RUNS_PER_USER" | "CHATKIT_REQUESTS_PER_MINUTE" => Some("0".to_owned()),
        _ => None,
    };
    Config::from_vars(lookup, |_| Err(std::io::ErrorKind::NotFound.into())).unwrap()
}
