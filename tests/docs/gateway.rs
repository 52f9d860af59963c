//! A gateway for one page, as `serve` would build it, with the demo's model behind it.

use std::{
    net::SocketAddr,
    sync::{Arc, LazyLock},
    time::Duration,
};

use chatkit_gateway::{
    app::Gateway,
    auth::SessionKeys,
    config::Config,
    demo::{
        assistant::DemoAssistant,
        scripted_model::{ModelCall, RunningModel, Script, ScriptedModel, Steps},
    },
    protocol::{Timestamp, UserId},
    telemetry,
};
use jsonwebtoken::{EncodingKey, Header};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The user whose token the lines use.
pub(crate) const ME: &str = "demo";
pub(crate) const SECRET: &str = "a-secret-for-the-documentation-only";

/// A live gateway.
pub(crate) struct TestGateway {
    address: SocketAddr,
    keys: SessionKeys,
    shutdown: CancellationToken,
    hurry: CancellationToken,
    tasks: TaskTracker,
    _model: RunningModel,
}

impl TestGateway {
    pub(crate) async fn start(database: &str) -> Self {
        let model = ScriptedModel::new(Assistant).start().await.unwrap();
        let config = Config::from_vars(
            |name| match name {
                "DATABASE_URL" => Some(database.to_owned()),
                "OPENAI_BASE_URL" => Some(model.base_url()),
                "BETTER_AUTH_SECRET" => Some(SECRET.to_owned()),
                "CHATKIT_TITLES" => Some("off".to_owned()),
                _ => None,
            },
            |_| Err(std::io::ErrorKind::NotFound.into()),
        )
        .unwrap();
        let keys = SessionKeys::new(&config.auth.session);
        let gateway = Gateway::build(config, metrics()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, hurry) = (CancellationToken::new(), CancellationToken::new());
        let tasks = TaskTracker::new();
        tasks.spawn(gateway.serve(listener, shutdown.clone(), hurry.clone()));
        tasks.close();
        Self { address, keys, shutdown, hurry, tasks, _model: model }
    }

    /// Where it listens.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the lines find in their environment.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let user = UserId::parse(ME).unwrap();
        let token = self.keys.issue_detached(&user, Duration::from_mins(30), Timestamp::now());
        vec![
            ("BASE", self.base()),
            ("ME", ME.to_owned()),
            ("TOKEN", token.token),
            ("LOGIN_JWT", login(ME)),
            // For `chatkit-gateway token`.
            ("BETTER_AUTH_SECRET", SECRET.to_owned()),
        ]
    }

    /// Ends it, its runs too, and waits until all is stored.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.hurry.cancel();
        self.tasks.wait().await;
    }
}

/// The process has one recorder, which the gateways of all tests share.
fn metrics() -> PrometheusHandle {
    static METRICS: LazyLock<PrometheusHandle> =
        LazyLock::new(|| telemetry::start_metrics().unwrap());
    METRICS.clone()
}

/// A login as Better Auth makes it, signed with the shared secret.
fn login(user: &str) -> String {
    let now = Timestamp::now().as_seconds();
    let claims = json!({ "sub": user, "iat": now, "exp": now + 900 });
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap()
}

/// The demo's model without its pauses, save in the long answer, which the pages use as one that
/// goes on for a while.
struct Assistant;

impl Script for Assistant {
    fn answer(&self, call: Arc<ModelCall>) -> Steps {
        let is_long = call.last_user_text().contains("long answer");
        let assistant = if is_long { DemoAssistant::new() } else { DemoAssistant::unpaced() };
        assistant.answer(call)
    }
}
