//! The accept loop: nodelay on every connection, time-outs against slow senders and readers, bounds
//! on connections and on what their heads may hold, and an end in order.
//!
//! Our own, because `axum::serve` has neither a header time-out nor nodelay: without it the first
//! small write of an answer on a kept connection waits for the client's delayed acknowledgement.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, extract::Request, response::Response, routing::future::RouteFuture};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulConnection},
    service::TowerToHyperService,
};
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service;

use crate::limits::{ConnectionPlace, Connections, TrustedProxies};

use super::{limit::Peer, stall::Stalling};

/// How long a connection may be open before its first byte: browsers open some in advance.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_mins(1);
/// What an HTTP/2 connection begins with (RFC 9113, 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long a request's headers may take to arrive.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// After this long without an acknowledgement a peer counts as gone.
const USER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a reader may take none of what is there for it.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// The most headers of a request, and their size: a page's cookies for the whole domain fit.
const MAX_HEADERS: usize = 100;
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Of an HTTP/2 connection: requests at a time, …
const MAX_STREAMS: u32 = 100;
/// … those that it took back before they were looked at, before it counts as a flood, …
const MAX_PENDING_RESETS: usize = 20;
/// … and answers that wait for a reader who does not take them.
const MAX_SEND_BUFFER: usize = 64 * 1024;
/// How long a peer has to answer a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// What a connection too many is told, which is not worth a request's parsing.
const CONNECTION_REFUSED: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\n\
    Content-Type: application/json\r\nContent-Length: 104\r\nRetry-After: 5\r\n\
    Connection: close\r\n\r\n\
    {\"error\":{\"code\":\"rate_limited\",\"message\":\"too many connections from this address\",\
    \"request_id\":\"none\"}}";
/// The pause after an accept that failed for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bounds of the server.
#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// Connections at a time; more wait to be accepted.
    pub max_connections: usize,
    /// Those of one address; more are refused.
    pub by_address: Connections,
}

impl Default for ServerLimits {
    fn default() -> Self {
        let by_address = Connections::new(0, false, TrustedProxies::default());
        Self { max_connections: 20_000, by_address }
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
        let (stream, peer, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(error = %error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(of_address) = limits.by_address.enter(peer.ip()) else {
            refuse(&stream);
            continue;
        };
        let service = Connected { router: router.clone(), peer: Peer(peer) };
        let connection = serve_connection(builders.clone(), stream, service, shutdown.clone());
        let places: (OwnedSemaphorePermit, ConnectionPlace) = (place, of_address);
        connections.spawn(async move {
            connection.await;
            drop(places);
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// Tells a connection too many so, as far as that takes no waiting.
fn refuse(stream: &TcpStream) {
    metrics::counter!("gateway_connections_refused_total").increment(1);
    let _ = stream.try_write(CONNECTION_REFUSED);
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
    let (stream, peer) = listener.accept().await?;
    // A connection that is gone already fails here; serving it shows that soon enough.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(USER_TIMEOUT));
    Ok((stream, peer, place))
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
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD_BYTES)
            // One small buffer a write: vectored writes cost more than copying such short frames.
            .writev(false);
        let mut any = auto::Builder::new(TokioExecutor::new());
        any.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD_BYTES)
            .writev(false);
        let max_head_bytes = u32::try_from(MAX_HEAD_BYTES).expect("a few kilobytes");
        any.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(PING_TIMEOUT)
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(max_head_bytes)
            .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
            .max_local_error_reset_streams(MAX_PENDING_RESETS)
            .max_send_buf_size(MAX_SEND_BUFFER);
        Self { http1, any }
    }
}

async fn serve_connection(
    builders: Builders,
    stream: TcpStream,
    service: Connected,
    shutdown: ServerShutdown,
) {
    let first_bytes = timeout(FIRST_BYTE_TIMEOUT, may_be_http2(&stream));
    let may_be_http2 = tokio::select! {
        first_bytes = first_bytes => first_bytes,
        () = shutdown.drain.cancelled() => return,
    };
    let stream = TokioIo::new(Stalling::new(stream, STALL_TIMEOUT));
    let service = TowerToHyperService::new(service);
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

/// The router for the requests of one connection, each of which learns where it comes from.
#[derive(Clone)]
struct Connected {
    router: Router,
    peer: Peer,
}

impl Service<hyper::Request<Incoming>> for Connected {
    type Response = Response;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.router, cx)
    }

    fn call(&mut self, mut request: hyper::Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        self.router.call(request)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_connection_is_told_so_in_a_whole_answer() {
        let text = std::str::from_utf8(CONNECTION_REFUSED).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let length = head.split_once("Content-Length: ").unwrap().1;
        let length: usize = length.split_once("\r\n").unwrap().0.parse().unwrap();

        assert_eq!(body.len(), length);
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["error"]["code"], "rate_limited");
    }
}
