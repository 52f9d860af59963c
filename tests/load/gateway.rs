//! A gateway with a database of its own.

use std::{net::SocketAddr, time::Duration};

use chatkit_gateway::{
    app::Gateway,
    auth::SessionKeys,
    config::Config,
    protocol::{Timestamp, UserId},
};
use metrics_exporter_prometheus::PrometheusBuilder;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// Dropped, it shuts down.
pub(crate) struct TestGateway {
    address: SocketAddr,
    pub(crate) token: String,
    _shutdown: DropGuard,
    _folder: TempDir,
}

impl TestGateway {
    pub(crate) async fn start(model: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite://{}/test.db", folder.path().display());
        let lookup = |name: &str| match name {
            "DATABASE_URL" => Some(database.clone()),
            "OPENAI_BASE_URL" => Some(model.to_owned()),
            "BETTER_AUTH_SECRET" => Some("a-secret-of-the-login-for-tests-only".to_owned()),
            "CHATKIT_TITLES" => Some("off".to_owned()),
            // All streams are one user's.
            "CHATKIT_MAX_RUNS_PER_USER" | "CHATKIT_REQUESTS_PER_MINUTE" => Some("0".to_owned()),
            _ => None,
        };
        let no_file = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
        let config = Config::from_vars(lookup, no_file).unwrap();
        let keys = SessionKeys::new(&config.auth.session);
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let gateway = Gateway::build(config, metrics).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        TaskTracker::new().spawn(gateway.serve(listener, shutdown.clone(), shutdown.clone()));
        let user = UserId::parse("load").unwrap();
        let token = keys.issue_detached(&user, Duration::from_mins(5), Timestamp::now()).token;
        Self { address, token, _shutdown: shutdown.drop_guard(), _folder: folder }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}
