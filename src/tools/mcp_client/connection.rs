//! From a server's settings to a connection.

use std::{
    error::Error,
    sync::{Arc, atomic::Ordering},
};

use rmcp::{
    ClientHandler, Peer, RoleClient,
    model::{
        ClientCapabilities, ClientConfig, Implementation, ProgressNotificationParam,
        ProtocolVersion,
    },
    service::{
        ClientCacheConfig, ClientInitializeError, ClientLifecycleMode, ClientServiceExt as _,
        NotificationContext, RunningService,
    },
    transport::async_rw::AsyncRwTransport,
};
use tokio::sync::Notify;

use super::{
    answer_lines::AnswerLines,
    failure, http,
    process::{self, Pipes, ServerProcess},
    progress::Progress,
    settings::TransportSettings,
    stderr,
    supervision::Server,
};

/// The longest message of a server, in bytes, over HTTP and from a child process alike: a list of
/// some thousand tools, or an image, has room in it.
pub(super) const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// Why there is no connection.
pub(super) type ConnectError = Box<dyn Error + Send + Sync>;

/// A connection: what calls need of it.
pub(super) struct Connection {
    pub(super) peer: Peer<RoleClient>,
    pub(super) progress: Arc<Progress>,
}

/// A connection that has just been made: what its keeper needs of it.
pub(super) struct Opened {
    pub(super) connection: Arc<Connection>,
    pub(super) service: RunningService<RoleClient, Handler>,
    /// Told when the server says that its list of tools has changed.
    pub(super) changed: Arc<Notify>,
    pub(super) process: Option<ServerProcess>,
}

/// Connects: finds out which era of the protocol the server speaks, and begins to speak it.
///
/// A server is asked, and answers, or says that it does not know the question. Some of the older
/// era do neither: they break, since they expect `initialize` and nothing else. They are tried again
/// with that, and known from then on.
pub(super) async fn open(server: &Server) -> Result<Opened, ConnectError> {
    let expects_initialize = &server.expects_initialize;
    if expects_initialize.load(Ordering::Relaxed) {
        let opened = begin(server, ClientLifecycleMode::Initialize).await;
        // It may be another version that does not answer now.
        expects_initialize.store(opened.is_ok(), Ordering::Relaxed);
        return opened;
    }
    match begin(server, either_era()).await {
        Err(error) if broke_at_the_question(error.as_ref()) => {
            let opened = begin(server, ClientLifecycleMode::Initialize).await.map_err(|_| error)?;
            expects_initialize.store(true, Ordering::Relaxed);
            Ok(opened)
        }
        opened => opened,
    }
}

async fn begin(server: &Server, mode: ClientLifecycleMode) -> Result<Opened, ConnectError> {
    let settings = &server.settings;
    let handler = Handler::default();
    let (progress, changed) = (handler.progress.clone(), handler.changed.clone());
    let (service, process) = match &settings.transport {
        TransportSettings::Http { url, headers } => {
            let transport = http::transport(url, headers)?;
            (handler.serve_with_lifecycle(transport, mode).await?, None)
        }
        TransportSettings::Process { command, args, env } => {
            let (process, pipes) = process::start(command, args, env)?;
            let Pipes { stdin, stdout, stderr } = pipes;
            let name = settings.name.clone();
            server.tasks.spawn(async move { stderr::log(&name, stderr).await });
            let stdout = AnswerLines::new(stdout, MAX_MESSAGE_BYTES);
            let transport = AsyncRwTransport::new_client(stdout, stdin)
                // The bound is ours; rmcp's, which would drop the line, comes just behind it.
                .with_max_line_length(MAX_MESSAGE_BYTES + 1);
            (handler.serve_with_lifecycle(transport, mode).await?, Some(process))
        }
    };
    let peer = service.peer().clone();
    // A list that is asked for again is wanted new.
    peer.set_response_cache_config(ClientCacheConfig::disabled()).await;
    Ok(Opened { connection: Arc::new(Connection { peer, progress }), service, changed, process })
}

fn either_era() -> ClientLifecycleMode {
    ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        legacy_version: None,
    }
}

/// Whether there was somebody who was asked, and did not answer in any way that the protocol knows.
fn broke_at_the_question(error: &(dyn Error + 'static)) -> bool {
    let Some(error) = error.downcast_ref::<ClientInitializeError>() else { return false };
    let is_answer = matches!(
        error,
        ClientInitializeError::NoCompatibleProtocolVersion { .. }
            | ClientInitializeError::LegacyFallbackFailed { .. }
    );
    !is_answer && !failure::is_unreachable(error) && !error.is_authorization_required()
}

/// What we do with what a server sends by itself. We offer it nothing: no sampling, no questions
/// to the user, no roots.
#[derive(Default)]
pub(super) struct Handler {
    progress: Arc<Progress>,
    changed: Arc<Notify>,
}

impl ClientHandler for Handler {
    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.progress.tell(&params);
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.changed.notify_one();
    }

    fn get_info(&self) -> ClientConfig {
        let name = Implementation::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        ClientConfig::new(ClientCapabilities::default(), name)
    }
}
