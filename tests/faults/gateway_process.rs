//! A gateway in a process of its own.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use chatkit_gateway::{
    auth::{AuthConfig, SessionKeys},
    protocol::{Timestamp, UserId},
};
use serde_json::Value;

const SECRET: &str = "a-secret-of-the-login-for-tests-only";

/// A running gateway. Dropped, it is killed.
pub(crate) struct GatewayProcess {
    child: Child,
    pub(crate) base: String,
    pub(crate) token: String,
    pub(crate) http: reqwest::Client,
}

impl GatewayProcess {
    /// Starts one on this database and waits until it is ready.
    pub(crate) async fn start(database_url: &str, model_url: &str) -> Self {
        // Of this test's own client; the gateway's process installs its own.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let address = free_address();
        let child = Command::new(env!("CARGO_BIN_EXE_chatkit-gateway"))
            .env_clear()
            .env("BIND_ADDR", &address)
            .env("DATABASE_URL", database_url)
            .env("OPENAI_BASE_URL", model_url)
            .env("BETTER_AUTH_SECRET", SECRET)
            .env("CHATKIT_TITLES", "off")
            .env("CHATKIT_MAX_RUNS_PER_USER", "0")
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let base = format!("http://{address}");
        let mut process = Self { child, base, token: token(), http };
        process.wait_until_ready().await;
        process
    }

    async fn wait_until_ready(&mut self) {
        loop {
            let ready = self.http.get(format!("{}/ready", self.base)).send().await;
            if ready.is_ok_and(|response| response.status().is_success()) {
                return;
            }
            assert!(self.child.try_wait().unwrap().is_none(), "the gateway did not start");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// SIGKILL: nothing is flushed, nobody is told.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let request = self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.token);
        request.send().await.unwrap().json().await.unwrap()
    }
}

impl Drop for GatewayProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn token() -> String {
    let lookup = |name: &str| (name == "BETTER_AUTH_SECRET").then(|| SECRET.to_owned());
    let keys = SessionKeys::new(&AuthConfig::from_vars(lookup).unwrap().session);
    let user = UserId::parse("alice").unwrap();
    keys.issue_detached(&user, Duration::from_hours(12), Timestamp::now()).token
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}
