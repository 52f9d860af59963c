//! A wire between a client and a server that can be cut, and made a bad one.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    time::sleep,
};
use tokio_util::task::TaskTracker;

/// What a wire does to what it carries.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wire {
    /// Connections are closed, and none is taken.
    pub(crate) is_cut: bool,
    /// Connections stay open, and nothing gets through.
    pub(crate) is_stalled: bool,
    /// Each piece takes this long, in both directions.
    pub(crate) latency: Duration,
    /// Every byte is a piece of its own, sent as such.
    pub(crate) byte_by_byte: bool,
}

/// Forwards connections as its wire says, which may change at any time.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    wire: Arc<watch::Sender<Wire>>,
}

impl Proxy {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let wire = Arc::new(watch::Sender::new(Wire::default()));
        let changes = wire.clone();
        let tasks = TaskTracker::new();
        tasks.clone().spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tasks.spawn(forward(client, target, changes.subscribe()));
            }
        });
        Self { address, wire }
    }

    pub(crate) fn cut(&self) {
        self.becomes(Wire { is_cut: true, ..Wire::default() });
    }

    /// As good as new.
    pub(crate) fn mend(&self) {
        self.becomes(Wire::default());
    }

    pub(crate) fn becomes(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }
}

async fn forward(client: TcpStream, target: SocketAddr, mut wire: watch::Receiver<Wire>) {
    if wire.borrow().is_cut {
        return;
    }
    let Ok(server) = TcpStream::connect(target).await else { return };
    for stream in [&client, &server] {
        let _ = stream.set_nodelay(true);
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (up, down) = (wire.clone(), wire.clone());
    tokio::select! {
        () = async { tokio::join!(pump(from_client, to_server, up), pump(from_server, to_client, down)); } => {}
        _ = wire.wait_for(|wire| wire.is_cut) => {}
    }
}

/// One direction.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut wire: watch::Receiver<Wire>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let Ok(now) = wire.wait_for(|wire| !wire.is_stalled).await.map(|wire| *wire) else {
            return;
        };
        if !now.latency.is_zero() {
            sleep(now.latency).await;
        }
        let size = if now.byte_by_byte { 1 } else { length };
        for piece in buffer[..length].chunks(size) {
            if to.write_all(piece).await.is_err() {
                return;
            }
        }
    }
    let _ = to.shutdown().await;
}
