//! A Redis of a test's own, which it can break. Also part of `tests/faults`.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use redis::{FromRedisValue, aio::MultiplexedConnection};
use tempfile::TempDir;

/// A Redis of this test's own. Dropped, it is killed.
pub(crate) struct RedisProcess {
    port: u16,
    folder: TempDir,
    child: Option<Child>,
}

impl RedisProcess {
    /// One that is away so far.
    pub(crate) fn to_be_started() -> Self {
        Self { port: free_port(), folder: tempfile::tempdir().unwrap(), child: None }
    }

    pub(crate) async fn start() -> Self {
        let mut redis = Self::to_be_started();
        redis.launch().await;
        redis
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Starts it, or starts it again, empty; answers when it is ready.
    pub(crate) async fn launch(&mut self) {
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--save", "", "--appendonly", "no"])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is in the PATH");
        self.child = Some(child);
        while self.connect().await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// SIGKILL: nobody is told, nothing is kept.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Lets it hang: connections stay, nothing is answered.
    pub(crate) fn pause(&self) {
        self.send_signal("-STOP");
    }

    pub(crate) fn resume(&self) {
        self.send_signal("-CONT");
    }

    fn send_signal(&self, signal: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Waits until something is so in Redis.
    pub(crate) async fn until<T: FromRedisValue>(
        &self,
        command: &[&str],
        is_it: impl Fn(&T) -> bool,
    ) -> T {
        loop {
            let answer = self.ask(command).await;
            if is_it(&answer) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &[&str]) -> T {
        ask(&self.url(), command).await.unwrap()
    }

    async fn connect(&self) -> redis::RedisResult<MultiplexedConnection> {
        connect(&self.url()).await
    }
}

async fn connect(url: &str) -> redis::RedisResult<MultiplexedConnection> {
    redis::Client::open(url)?.get_multiplexed_async_connection().await
}

/// A command of the test's own.
pub(crate) async fn ask<T: FromRedisValue>(url: &str, command: &[&str]) -> redis::RedisResult<T> {
    let mut ask = redis::cmd(command[0]);
    ask.arg(&command[1..]);
    ask.query_async(&mut connect(url).await?).await
}

/// Below the ports of outgoing connections, which would take it while the process is dead.
fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(15_000..30_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Drop for RedisProcess {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
