//! A PostgreSQL server of one test, to be stopped and started.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    os::unix::{
        fs::{MetadataExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::gateway_process::free_address;

/// The superuser's password.
const PASSWORD: &str = "for-tests-only";

/// A server with a cluster of its own. Dropped, it is stopped.
pub(crate) struct PostgresServer {
    folder: TempDir,
    programs: PathBuf,
    address: SocketAddr,
    postmaster: Child,
}

impl PostgresServer {
    /// Makes a cluster and starts a server on it.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let programs = programs();
        let password = folder.path().join("password");
        fs::write(&password, PASSWORD).unwrap();
        if let Some((user, group)) = owner() {
            for path in [folder.path(), &password] {
                chown(path, Some(user), Some(group)).unwrap();
            }
        }
        let made = as_owner(&programs.join("initdb"), folder.path())
            .args(["--pgdata=data", "--username=test", "--encoding=UTF8", "--locale=C"])
            .args(["--auth=password", "--pwfile=password", "--no-sync"])
            .status()
            .unwrap();
        assert!(made.success(), "initdb failed");
        let address = free_address();
        let postmaster = launch(&programs, folder.path(), address);
        let server = Self { folder, programs, address, postmaster };
        server.wait_until_up().await;
        server
    }

    /// The address of its first database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://test:{PASSWORD}@{}/postgres", self.address)
    }

    /// Stops it as an operator does, its clients' connections included, and starts it again.
    pub(crate) async fn restart(&mut self) {
        self.stop();
        self.start_again().await;
    }

    /// Stops it as an operator does; nobody listens any more.
    pub(crate) fn stop(&mut self) {
        kill_process(Pid::from_child(&self.postmaster), Signal::INT).unwrap();
        self.postmaster.wait().unwrap();
    }

    /// Starts it after it was stopped.
    pub(crate) async fn start_again(&mut self) {
        self.postmaster = launch(&self.programs, self.folder.path(), self.address);
        self.wait_until_up().await;
    }

    /// All of it holds still: connections stay open and nobody answers.
    pub(crate) fn freeze(&self) {
        // First the one that would make more of them.
        self.signal(Pid::from_child(&self.postmaster), Signal::STOP);
        for child in self.children() {
            self.signal(child, Signal::STOP);
        }
    }

    /// It goes on.
    pub(crate) fn thaw(&self) {
        for child in self.children() {
            self.signal(child, Signal::CONT);
        }
        self.signal(Pid::from_child(&self.postmaster), Signal::CONT);
    }

    #[expect(clippy::unused_self, reason = "only its own processes are signalled")]
    fn signal(&self, process: Pid, signal: Signal) {
        // A backend may have ended since it was looked up.
        let _ = kill_process(process, signal);
    }

    /// The processes that the postmaster has made.
    fn children(&self) -> Vec<Pid> {
        let parent = self.postmaster.id().to_string();
        let is_child = |stat: &str| {
            // pid (name) state parent …
            stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)) == Some(&parent)
        };
        let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let id = entry.unwrap().file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
            is_child(&stat).then(|| Pid::from_raw(id)).flatten()
        });
        processes.collect()
    }

    async fn wait_until_up(&self) {
        let ready = self.programs.join("pg_isready");
        loop {
            // Asked only when somebody listens: the program takes its time to give up.
            let is_ready = TcpStream::connect(self.address).is_ok()
                && Command::new(&ready)
                    .args(["-q", "-h", "127.0.0.1", "-p", &self.address.port().to_string()])
                    .status()
                    .unwrap()
                    .success();
            if is_ready {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.thaw();
        // Ends the backends, too, which a kill would not.
        let _ = kill_process(Pid::from_child(&self.postmaster), Signal::QUIT);
        let _ = self.postmaster.wait();
    }
}

/// Where the newest PostgreSQL's programs are, of Debian or of the `PATH`.
fn programs() -> PathBuf {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut versions: Vec<u32> =
        debian.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    versions.sort_unstable();
    let newest = versions.last().map(|version| format!("/usr/lib/postgresql/{version}/bin").into());
    newest.unwrap_or_else(|| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders = std::env::split_paths(&path);
        folders.find(|folder| folder.join("initdb").exists()).expect("PostgreSQL is installed")
    })
}

/// PostgreSQL refuses to run as root: then it runs as its own user, or as nobody.
fn owner() -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map_while(|field| field.parse().ok());
        Some((numbers.next()?, numbers.next()?))
    };
    find("postgres").or_else(|| find("nobody"))
}

fn as_owner(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some((user, group)) = owner() {
        command.uid(user).gid(group);
    }
    command
}

fn launch(programs: &Path, folder: &Path, address: SocketAddr) -> Child {
    as_owner(&programs.join("postgres"), folder)
        .args(["-D", "data", "-p", &address.port().to_string()])
        .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
        // A restart finds what the operating system has: nothing need reach the disk.
        .args(["-c", "fsync=off", "-c", "full_page_writes=off"])
        .spawn()
        .unwrap()
}
