//! Tool servers that are child processes, and their ends.

use std::{io, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// Variables that a child process has from ours; all others, among them our secrets, it has not.
const KEPT_VARIABLES: [&str; 12] = [
    "HOME",
    "LANG",
    "LC_ALL",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
    // Certificates of the place, for servers that call others.
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
];
/// How long a process has to end by itself once its input is closed, and once more after SIGTERM.
const GRACE: Duration = Duration::from_millis(250);

/// A process in a group of its own, with whatever processes it starts. Dropping it kills them all.
pub(super) struct ServerProcess {
    child: Child,
    group: Option<Pid>,
}

/// The process's ends of its pipes.
pub(super) struct Pipes {
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

/// Starts a process.
pub(super) fn start(
    command: &str,
    args: &[String],
    env: &[(String, String)],
) -> io::Result<(ServerProcess, Pipes)> {
    let kept = KEPT_VARIABLES.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let mut child = Command::new(command)
        .args(args)
        .env_clear()
        .envs(kept)
        .envs(env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own: Ctrl-C at our terminal is not for it, and its own children end with it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let missing = || io::Error::other("a pipe of the process is missing");
    let pipes = Pipes {
        stdin: child.stdin.take().ok_or_else(missing)?,
        stdout: child.stdout.take().ok_or_else(missing)?,
        stderr: child.stderr.take().ok_or_else(missing)?,
    };
    let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    Ok((ServerProcess { child, group }, pipes))
}

impl ServerProcess {
    /// Ends it, whose input is closed: it may go by itself, is asked to, and is killed, each a
    /// quarter of a second after the other.
    pub(super) async fn end(mut self) {
        if timeout(GRACE, self.child.wait()).await.is_err() {
            self.signal(Signal::TERM);
            let _ = timeout(GRACE, self.child.wait()).await;
        }
        // What it has started may still be there when it has gone itself.
        self.signal(Signal::KILL);
        let _ = self.child.wait().await;
        self.group = None;
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // Fails when nobody is left in it.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
