//! The official server, as a process of its own.

use std::process::Stdio;

use reqwest::RequestBuilder;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use super::{gateway::MODEL, model::TestModel, program, python};

/// A running server. Dropped, it is killed.
pub(crate) struct Official {
    port: u16,
    http: reqwest::Client,
    _process: Child,
}

impl Official {
    /// One that asks this model.
    pub(crate) async fn start(model: &TestModel) -> Self {
        let mut process = Command::new(python())
            .arg(program("server.py"))
            .args([&model.running.base_url(), MODEL])
            // Its end ends the server, should the test be killed.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
        let port = line.trim().parse().expect("the official server says its port");
        // A connection each: those that broke off, or idled too long, are closed at any time.
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
        let http = http.build().unwrap();
        Self { port, http, _process: process }
    }

    /// A request of that user.
    pub(crate) fn post(&self, user: &str, body: String) -> RequestBuilder {
        let url = format!("http://127.0.0.1:{}/chatkit", self.port);
        self.http.post(url).header("x-user", user).body(body)
    }
}
