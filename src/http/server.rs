//! The accept loop: nodelay on every connection, time-outs against slow senders, a bound on
//! connections, and an end in order.
//!
//! Our own, because `axum::serve` has neither a header time-out nor nodelay: without it the first
//! small write of an answer on a kept connection waits for the client's delayed acknowledgement.

use std::{io, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulConnection},
    service::TowerToHyperService,
};
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long a connection may be open before its first byte: browsers open some in advance.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_mins(1);
/// What an HTTP/2 connection begins with (RFC 9113, 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
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
    let builders = Builders::new();
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
            serve_connection(builders.clone(), stream, router.clone(), shutdown.clone());
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

/// How connections are served.
#[derive(Clone)]
struct Builders {
    http1: http1::Builder,
    /// For those that begin as HTTP/2 does.
    any: auto::Builder<TokioExecutor>,
}

impl Builders {
    fn new() -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            // One small buffer a write: vectored writes cost more than copying such short frames.
            .writev(false);
        let mut any = auto::Builder::new(TokioExecutor::new());
        any.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).writev(false);
        any.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(Duration::from_secs(30))
            .max_concurrent_streams(256);
        Self { http1, any }
    }
}

async fn serve_connection(
    builders: Builders,
    stream: TcpStream,
    router: Router,
    shutdown: ServerShutdown,
) {
    let first_bytes = timeout(FIRST_BYTE_TIMEOUT, may_be_http2(&stream));
    let may_be_http2 = tokio::select! {
        first_bytes = first_bytes => first_bytes,
        () = shutdown.drain.cancelled() => return,
    };
    let (stream, service) = (TokioIo::new(stream), TowerToHyperService::new(router));
    match may_be_http2 {
        // Not one byte: nobody is there to be answered.
        Err(_) | Ok(Err(_)) => {}
        Ok(Ok(false)) => drive(builders.http1.serve_connection(stream, service), shutdown).await,
        Ok(Ok(true)) => {
            // Large, and rare.
            Box::pin(drive(builders.any.serve_connection(stream, service), shutdown)).await;
        }
    }
}

/// Whether a connection begins as HTTP/2 does, as far as it has come. Looks without reading: the
/// builder that finds out by reading leaves every connection a buffer of twice the size.
async fn may_be_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0; HTTP2_PREFACE.len()];
    let length = stream.peek(&mut first).await?;
    Ok(HTTP2_PREFACE.starts_with(&first[..length]))
}

/// Serves a connection to its end.
async fn drive<C>(connection: C, shutdown: ServerShutdown)
where
    C: GracefulConnection,
    C::Error: std::fmt::Display,
{
    let opened = Instant::now();
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
