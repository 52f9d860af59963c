//! A gateway in a process of its own.

use std::{
    net::{SocketAddr, TcpListener},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use chatkit_gateway::{
    auth::{AuthConfig, SessionKeys},
    protocol::{Timestamp, UserId},
};
use futures_util::future::join_all;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::settings;

/// What the logins are signed with.
pub(crate) const SECRET: &str = "a-secret-of-the-login-for-tests-only";

/// When a process died.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crash {
    /// Before it did: what came later may have been kept, or not.
    pub(crate) at: Instant,
    pub(crate) time: Timestamp,
    /// When it was dead for certain.
    pub(crate) over: Instant,
    /// Whether what the model says comes to the gateway through an agent, which may be behind: then
    /// nobody but a reader knows what the gateway had.
    pub(crate) has_agent: bool,
}

impl Crash {
    pub(crate) fn now() -> Self {
        let at = Instant::now();
        Self { at, time: Timestamp::now(), over: at, has_agent: false }
    }
}

/// What a process has open at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resources {
    pub(crate) descriptors: usize,
    pub(crate) resident_kib: usize,
    pub(crate) live_runs: usize,
    pub(crate) readers: usize,
    pub(crate) tasks: usize,
}

/// A gateway: always at the same address, in one process after the other. Dropped, it is killed.
pub(crate) struct GatewayProcess {
    child: Child,
    address: SocketAddr,
    vars: Vec<(String, String)>,
    pub(crate) base: String,
    pub(crate) token: String,
    pub(crate) http: reqwest::Client,
}

impl GatewayProcess {
    /// Starts one on this database and waits until it is ready.
    pub(crate) async fn start(database_url: &str, model_url: &str) -> Self {
        Self::start_with(database_url, model_url, &[]).await
    }

    /// With these variables besides.
    pub(crate) async fn start_with(
        database_url: &str,
        model_url: &str,
        vars: &[(&str, &str)],
    ) -> Self {
        let address = free_address();
        let bind_addr = address.to_string();
        let own = [
            ("BIND_ADDR", bind_addr.as_str()),
            ("DATABASE_URL", database_url),
            ("OPENAI_BASE_URL", model_url),
            ("BETTER_AUTH_SECRET", SECRET),
            ("CHATKIT_TITLES", "off"),
            ("CHATKIT_MAX_RUNS_PER_USER", "0"),
            ("CHATKIT_REQUESTS_PER_MINUTE", "0"),
            ("RUST_LOG", &settings::gateway_log()),
        ];
        let all = own.iter().chain(vars).map(|(name, value)| ((*name).into(), (*value).into()));
        let vars: Vec<(String, String)> = all.collect();
        let mut process = Self {
            child: spawn(&vars),
            address,
            vars,
            base: format!("http://{address}"),
            token: token("alice"),
            http: http_client(),
        };
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
    pub(crate) fn kill(&mut self) -> Crash {
        // Taken before: what the model sends from now on cannot have been kept.
        let crash = Crash::now();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        Crash { over: Instant::now(), ..crash }
    }

    /// Starts it again at its address, after its process has ended, and waits until it is ready.
    pub(crate) async fn restart(&mut self) {
        assert!(self.child.try_wait().unwrap().is_some(), "the process has not ended");
        self.child = spawn(&self.vars);
        self.wait_until_ready().await;
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits until the process has ended by itself.
    pub(crate) async fn wait_for_exit(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has open when its pools are as large as they get.
    pub(crate) async fn resources_when_warm(&self) -> Resources {
        join_all((0..100).map(|_| self.get("/api/chatkit/threads"))).await;
        self.resources().await
    }

    /// What it has open now.
    pub(crate) async fn resources(&self) -> Resources {
        let response = self.http.get(format!("{}/metrics", self.base)).send().await.unwrap();
        let metrics = response.text().await.unwrap();
        let gauge = |name: &str| {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.map_or(0, |value| value.parse().unwrap())
        };
        let proc = format!("/proc/{}", self.child.id());
        let status = std::fs::read_to_string(format!("{proc}/status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        Resources {
            descriptors: std::fs::read_dir(format!("{proc}/fd")).unwrap().count(),
            resident_kib: resident.trim().trim_end_matches(" kB").parse().unwrap(),
            live_runs: gauge("gateway_live_runs"),
            readers: gauge("gateway_readers"),
            tasks: gauge("gateway_tasks"),
        }
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

fn spawn(vars: &[(String, String)]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_chatkit-gateway"))
        .env_clear()
        .envs(vars.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

/// A client that opens a connection for each request: those to a dead process are of no use.
pub(crate) fn http_client() -> reqwest::Client {
    // Of this test's own client; the gateway's process installs its own.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap()
}

/// A session token that every gateway of the tests takes.
pub(crate) fn token(user: &str) -> String {
    let lookup = |name: &str| (name == "BETTER_AUTH_SECRET").then(|| SECRET.to_owned());
    let keys = SessionKeys::new(&AuthConfig::from_vars(lookup).unwrap().session);
    let user = UserId::parse(user).unwrap();
    keys.issue_detached(&user, Duration::from_hours(12), Timestamp::now()).token
}

/// Below the ports of outgoing connections, which would take it while its process is dead.
pub(crate) fn free_address() -> SocketAddr {
    loop {
        let address = SocketAddr::from(([127, 0, 0, 1], fastrand::u16(15_000..30_000)));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
