//! Tool servers: MCP servers of others, whose tools the model may call beside the gateway's own.
//!
//! Each server has one connection for the process, over Streamable HTTP or to a child process, and
//! one task that keeps it: connects, lists, lists again when the list has changed, and connects
//! anew, later each time, when the server is gone. **A server that is down, hangs or floods makes
//! its own tools fail and nothing else**: no request and no start of the gateway waits for it for
//! long, and everything that comes from it is bounded in size, count and time.
//!
//! **Both eras of the protocol** are spoken: 2026-07-28, where each request stands for itself, and
//! the versions that begin with `initialize`, with sessions and resumption (up to 2025-11-25). A
//! server is asked which it knows.
//!
//! **The caller's token never leaves the gateway.** A server gets what its configuration says: the
//! operator's own credentials and, where a header asks for it, the caller's name.
//!
//! | module | holds |
//! |---|---|
//! | [`settings`] | what a server is: its address or command, its bounds |
//! | `connection` | from settings to a connection |
//! | `failure` | why there is none, in a few words |
//! | `http`, `process`, `stderr` | the two kinds of it, with their bounds |
//! | `answer_lines` | a child process's messages, bounded in length |
//! | `supervision` | the task that keeps a connection |
//! | `listing` | a server's tools, bounded |
//! | `naming` | their names for the model |
//! | `catalog` | the tools of all servers beside the gateway's own |
//! | `tool` | a call |
//! | `progress` | what a server says meanwhile |
//! | `results` | what a call gives, as the model gets it |
//! | `shown` | what it shows to the user |

mod answer_lines;
mod catalog;
mod connection;
mod failure;
mod http;
mod listing;
mod naming;
mod process;
mod progress;
#[cfg(any(test, fuzzing))]
mod property;
mod results;
pub mod settings;
mod shown;
mod stderr;
mod supervision;
mod tool;

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{sync::watch, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{LiveTools, ToolRegistry};
use catalog::Catalog;
use supervision::Server;

#[cfg(any(test, fuzzing))]
pub(crate) use property::mcp_answer;
pub use settings::ServerSettings;

/// How long the start of the gateway waits for tool servers: most child processes are up by then,
/// so that the first message already finds their tools.
const START_WAIT: Duration = Duration::from_secs(3);
/// How long the end waits for them: child processes that do not end by themselves are killed in
/// this time. It is a part of the second within which the gateway ends.
const END_WAIT: Duration = Duration::from_millis(700);

/// The tool servers of the process. Dropping it ends their connections and kills their processes.
pub struct McpServers {
    catalog: Arc<Catalog>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl McpServers {
    /// Connects to all servers, and answers when each is up or has failed once, after
    /// 3 s at the latest; whoever is not up by then goes on in the background.
    ///
    /// Their tools come behind `own`. `reserved` are names of further functions that the model is
    /// offered: none of a server's tools has one of them.
    pub async fn start(
        settings: Vec<ServerSettings>,
        own: ToolRegistry,
        reserved: impl IntoIterator<Item = String>,
    ) -> Self {
        let catalog = Arc::new(Catalog::new(own, reserved, settings.len()));
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let mut tried = Vec::new();
        for (place, settings) in settings.into_iter().enumerate() {
            let server = Arc::new(Server::new(settings, tasks.clone()));
            let first_try = CancellationToken::new();
            tried.push(first_try.clone().cancelled_owned());
            let (catalog, stop) = (catalog.clone(), stop.clone());
            tasks.spawn(supervision::keep(server, place, catalog, first_try, stop));
        }
        // Whoever is late is waited for no longer, and named in the log when its turn comes.
        let _ = timeout(START_WAIT, join_all(tried)).await;
        Self { catalog, tasks, stop }
    }

    /// The gateway's own tools and those of the servers, as they come and go.
    pub fn tools(&self) -> LiveTools {
        self.catalog.tools()
    }

    /// Which servers are connected, in the order of their settings.
    pub fn up(&self) -> watch::Receiver<Vec<bool>> {
        self.catalog.up()
    }

    /// Ends the connections and the processes, within 0.7 s.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        if timeout(END_WAIT, self.tasks.wait()).await.is_err() {
            tracing::warn!("tool servers do not end in time and are left");
        }
    }
}

impl Drop for McpServers {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
