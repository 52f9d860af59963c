//! A remote agent in a process of its own, that hands on what the model says.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::Instant,
};

use super::gateway_process::{Crash, free_address};

/// What the gateway's requests are signed with.
const SECRET: &str = "a-secret-of-the-remote-agent-for-tests";

/// An agent: always at the same address, in one process after the other. Dropped, it is killed.
pub(crate) struct AgentProcess {
    /// The interpreter, and its program.
    command: [String; 2],
    model_url: String,
    address: SocketAddr,
    child: Child,
    /// `gateway.toml`, which names it.
    config: tempfile::NamedTempFile,
}

impl AgentProcess {
    /// Starts a program of this repository, which says its port when it listens.
    pub(crate) fn start(interpreter: String, program: &str, model_url: &str) -> Self {
        let address = free_address();
        let command = [interpreter, format!("{}/{program}", env!("CARGO_MANIFEST_DIR"))];
        let config = tempfile::NamedTempFile::new().unwrap();
        let settings = format!(
            "[agent]\nkind = \"remote\"\nurl = \"http://{address}/\"\nsecret_env = \"AGENT_SECRET\"\n"
        );
        std::fs::write(config.path(), settings).unwrap();
        let child = spawn(&command, address, model_url);
        Self { command, model_url: model_url.to_owned(), address, child, config }
    }

    /// What a gateway needs to know of it.
    pub(crate) fn vars(&self) -> [(&str, &str); 2] {
        [("CHATKIT_CONFIG", self.config.path().to_str().unwrap()), ("AGENT_SECRET", SECRET)]
    }

    /// SIGKILL, and another process in its place.
    pub(crate) fn die(&mut self) -> Crash {
        let crash = Crash::now();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let over = Instant::now();
        self.child = spawn(&self.command, self.address, &self.model_url);
        Crash { over, ..crash }
    }
}

impl Drop for AgentProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn([interpreter, program]: &[String; 2], address: SocketAddr, model_url: &str) -> Child {
    let mut child = Command::new(interpreter)
        .arg(program)
        .arg(address.port().to_string())
        .env("AGENT_SECRET", SECRET)
        .env("OPENAI_API_KEY", "none")
        .env("OPENAI_BASE_URL", model_url)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), address.port().to_string(), "the agent did not start");
    child
}
