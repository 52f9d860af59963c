//! The accept loop: nodelay on every connection, time-outs against slow senders, a bound on
//! connections, and an end in order.
//!
//! Our own, because `axum::serve` has neither a header time-out nor nodelay: without it the first
//! small write of an answer on a kept connection waits for the client's delayed acknowledgement.

use std::{io, sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long a request's headers may take to arrive.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// After this long without an acknowledgement a peer counts as gone.
const USER_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause after an accept that failed for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bounds of the server.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// Connections at a time; more wait to be accepted.
    pub max_connections: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self { max_connections: 20_000 }
    }
}

/// When the server is to end. The first token stops accepting and closes idle connections; the
/// second closes all.
#[derive(Clone, Debug, Default)]
pub struct ServerShutdown {
    /// No new connections; those under way go on.
    pub drain: CancellationToken,
    /// All connections end.
    pub close: CancellationToken,
}

/// Serves until it is told to end, then until the last connection is closed.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ServerLimits,
    shutdown: ServerShutdown,
) {
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(limits.max_connections));
    let builder = connection_builder();
    loop {
        let accepted = tokio::select! {
            () = shutdown.drain.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let (stream, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(error = %error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let connection =
            serve_connection(builder.clone(), stream, router.clone(), shutdown.clone());
        connections.spawn(async move {
            connection.await;
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
    let (stream, _) = listener.accept().await?;
    // A connection that is gone already fails here; serving it shows that soon enough.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(USER_TIMEOUT));
    Ok((stream, place))
}

fn connection_builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        // One small buffer a write: vectored writes cost more than copying such short frames.
        .writev(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .max_concurrent_streams(256);
    builder
}

async fn serve_connection(
    builder: auto::Builder<TokioExecutor>,
    stream: TcpStream,
    router: Router,
    shutdown: ServerShutdown,
) {
    let opened = Instant::now();
    let service = TowerToHyperService::new(router);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let mut is_draining = false;
    loop {
        tokio::select! {
            result = &mut connection => {
                if let Err(error) = result {
                    tracing::debug!(
                        error = %error,
                        seconds = opened.elapsed().as_secs(),
                        "connection ended",
                    );
                }
                return;
            }
            () = shutdown.drain.cancelled(), if !is_draining => {
                is_draining = true;
                connection.as_mut().graceful_shutdown();
            }
            () = shutdown.close.cancelled() => return,
        }
    }
}
