//! The task that keeps a server's connection.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use futures_util::FutureExt as _;
use rmcp::{Peer, RoleClient, ServiceError, model::SubscriptionFilter};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    catalog::Catalog,
    connection::{self, ConnectError, Connection, Opened},
    failure, listing,
    settings::ServerSettings,
};

/// How long connecting may take: rmcp waits 10 s for the answer of a server that may be of the
/// older era before it says hello in the older way.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a list may take, all its pages together. It is also how a server shows that it is
/// there.
const LIST_TIMEOUT: Duration = Duration::from_secs(15);
/// How often the list is asked for where nothing is said: not all servers tell of changes, and one
/// that has gone silently is found.
const REFRESH_EVERY: Duration = Duration::from_mins(5);
/// The least pause between two lists, however often a server says that its list has changed.
const LEAST_BETWEEN: Duration = Duration::from_millis(250);
/// The pause before a stream of changes is opened again.
const LISTEN_AGAIN: Duration = Duration::from_secs(30);
/// The first pause before a further try, …
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// … which doubles up to this …
const MAX_PAUSE: Duration = Duration::from_mins(1);
/// … and begins anew for a connection that held so long.
const STABLE_AFTER: Duration = Duration::from_secs(30);
/// How long a connection's end is waited for.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(400);

/// A server, as its tools see it.
pub(super) struct Server {
    pub(super) settings: ServerSettings,
    /// Told when a call makes doubt whether the server is there.
    pub(super) check: Notify,
    pub(super) tasks: TaskTracker,
    /// Whether it is known to break when it is asked for its era.
    pub(super) expects_initialize: AtomicBool,
    connection: Mutex<Option<Arc<Connection>>>,
}

impl Server {
    pub(super) fn new(settings: ServerSettings, tasks: TaskTracker) -> Self {
        Self {
            settings,
            check: Notify::new(),
            tasks,
            expects_initialize: AtomicBool::new(false),
            connection: Mutex::new(None),
        }
    }

    /// The connection, while there is one.
    pub(super) fn connection(&self) -> Option<Arc<Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_connection(&self, connection: Option<Arc<Connection>>) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = connection;
    }
}

/// Keeps a server connected until `stop`. `first_try` is cancelled when it is up or has failed for
/// the first time.
pub(super) async fn keep(
    server: Arc<Server>,
    place: usize,
    catalog: Arc<Catalog>,
    first_try: CancellationToken,
    stop: CancellationToken,
) {
    let name = server.settings.name.clone();
    let keeper = Keeper { server, place, catalog, first_try, stop };
    keeper.set_up(false);
    let mut pause = FIRST_PAUSE;
    loop {
        let begun = Instant::now();
        let Err(error) = keeper.connect_and_attend().await else { return };
        keeper.set_up(false);
        keeper.first_try.cancel();
        if begun.elapsed() >= STABLE_AFTER {
            pause = FIRST_PAUSE;
        }
        // Servers that went down together do not all come back at once to one that is starting.
        let this_pause = pause.mul_f64(0.75 + fastrand::f64() / 2.0);
        let error = failure::reason(error.as_ref());
        tracing::warn!(mcp.server = name, error, again_in = ?this_pause, "a tool server is away");
        if keeper.stop.run_until_cancelled(sleep(this_pause)).await.is_none() {
            return;
        }
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

struct Keeper {
    server: Arc<Server>,
    place: usize,
    catalog: Arc<Catalog>,
    first_try: CancellationToken,
    stop: CancellationToken,
}

impl Keeper {
    fn set_up(&self, is_up: bool) {
        let labels = [("server", self.server.settings.name.clone())];
        metrics::gauge!("gateway_mcp_server_up", &labels).set(f64::from(u8::from(is_up)));
        self.catalog.set_up(self.place, is_up);
    }

    /// One connection from its beginning to its end; `Ok` when it was we who ended it for good.
    async fn connect_and_attend(&self) -> Result<(), ConnectError> {
        let opening = timeout(CONNECT_TIMEOUT, connection::open(&self.server));
        let Some(opened) = self.stop.run_until_cancelled(opening).await else { return Ok(()) };
        let Opened { connection, service, changed, process } =
            opened.map_err(|_elapsed| "it does not answer in time")??;
        let close = service.cancellation_token();
        // Asked twice, and the second time perhaps behind its end.
        let closed = service.waiting().map(drop).shared();
        let ended = tokio::select! {
            () = self.stop.cancelled() => Ok(()),
            () = closed.clone() => Err("it has closed the connection".into()),
            error = self.attend(&connection, &changed) => Err(error),
            () = listen(&connection.peer, &changed) => unreachable!("it never ends"),
        };
        self.server.set_connection(None);
        close.cancel();
        let closing = async { drop(timeout(CLOSE_TIMEOUT, closed).await) };
        match process {
            // Its input closes with the connection.
            Some(process) => drop(tokio::join!(closing, process.end())),
            None => closing.await,
        }
        ended
    }

    /// Keeps the list up to date, until the server does not give it any more.
    async fn attend(&self, connection: &Arc<Connection>, changed: &Notify) -> ConnectError {
        loop {
            let list = listing::list(&self.server, &connection.peer);
            match timeout(LIST_TIMEOUT, list).await {
                Ok(Ok(tools)) => self.catalog.put(self.place, tools),
                Ok(Err(error)) => return error.into(),
                Err(_elapsed) => return "it does not list its tools in time".into(),
            }
            self.server.set_connection(Some(connection.clone()));
            self.set_up(true);
            self.first_try.cancel();
            sleep(LEAST_BETWEEN).await;
            tokio::select! {
                () = changed.notified() => {}
                () = self.server.check.notified() => {}
                () = sleep(REFRESH_EVERY) => {}
            }
        }
    }
}

/// Hears of changes of the list, for ever: servers of the newer era tell of them on a stream that
/// is asked for.
async fn listen(peer: &Peer<RoleClient>, changed: &Notify) {
    let info = peer.peer_info();
    let tells = info.is_some_and(|info| {
        let tools = info.capabilities.tools.as_ref();
        !info.protocol_version.has_initialize()
            && tools.is_some_and(|tools| tools.list_changed == Some(true))
    });
    if !tells {
        return std::future::pending().await;
    }
    let filter = SubscriptionFilter::builder().tools_list_changed().build();
    loop {
        match peer.listen(filter.clone()).await {
            Ok(mut told) => {
                // What changed before the stream was open was not told.
                changed.notify_one();
                while let Ok(Some(_)) = told.next().await {
                    changed.notify_one();
                }
            }
            Err(ServiceError::McpError(error)) => {
                tracing::debug!(code = error.code.0, "a tool server does not tell of changes");
                return std::future::pending().await;
            }
            Err(_) => {}
        }
        sleep(LISTEN_AGAIN).await;
    }
}
