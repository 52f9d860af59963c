//! A gateway in a process of its own, with all that it writes.

use std::{
    io::{BufRead as _, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    thread::JoinHandle,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::{sync::oneshot, task::spawn_blocking};

/// A process that serves.
pub(super) struct GatewayProcess {
    child: Killed,
    output: [JoinHandle<Vec<u8>>; 2],
    pub(super) base: String,
}

/// How a process ended, and what it wrote to standard output and standard error.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) written: Vec<u8>,
}

impl GatewayProcess {
    /// Starts one with these variables and waits until it listens. Its log is in JSON.
    pub(super) async fn start(vars: &[(String, String)]) -> Self {
        let mut child = command(vars).env("LOG_FORMAT", "json").spawn().unwrap();
        let (tell, listens) = oneshot::channel();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (child, output) = (Killed(child), [read_all(out, None), read_all(err, Some(tell))]);
        let Ok(address) = listens.await else {
            let [_, log] = output;
            panic!("it did not start: {}", String::from_utf8_lossy(&log.join().unwrap()));
        };
        Self { child, output, base: format!("http://{address}") }
    }

    /// Waits for its end. It is told to end by SIGTERM.
    pub(super) async fn end(mut self) -> Ended {
        kill_process(Pid::from_child(&self.child.0), Signal::TERM).unwrap();
        spawn_blocking(move || {
            let status = self.child.0.wait().unwrap();
            let written = self.output.map(|output| output.join().unwrap());
            Ended { status, written: written.concat() }
        })
        .await
        .unwrap()
    }
}

/// Killed when it is dropped, unless it has ended.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One that ends by itself, since something is wrong with what it was given.
pub(super) fn refused(vars: &[(String, String)], folder: &std::path::Path) -> Ended {
    let output = command(vars).current_dir(folder).output().unwrap();
    Ended { status: output.status, written: [output.stdout, output.stderr].concat() }
}

fn command(vars: &[(String, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chatkit-gateway"));
    command
        .env_clear()
        .envs(vars.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Reads to the end; tells the address once a line of the log has it.
fn read_all(
    stream: impl Read + Send + 'static,
    mut tell: Option<oneshot::Sender<String>>,
) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut all = Vec::new();
        let mut begin = 0;
        while stream.read_until(b'\n', &mut all).unwrap() > 0 {
            let line = serde_json::from_slice::<Value>(&all[begin..]).unwrap_or_default();
            if line["message"] == "listening"
                && let Some(tell) = tell.take()
            {
                let _ = tell.send(line["address"].as_str().unwrap().to_owned());
            }
            begin = all.len();
        }
        all
    })
}
