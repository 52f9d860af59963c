//! A wire between a client and a server that can be cut.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::task::TaskTracker;

/// Forwards connections while it is whole; cut, it closes those that are open and takes no new one.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    is_whole: Arc<watch::Sender<bool>>,
}

impl Proxy {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let is_whole = Arc::new(watch::Sender::new(true));
        let wire = is_whole.clone();
        let tasks = TaskTracker::new();
        tasks.clone().spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tasks.spawn(forward(client, target, wire.subscribe()));
            }
        });
        Self { address, is_whole }
    }

    pub(crate) fn cut(&self) {
        self.is_whole.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.is_whole.send_replace(true);
    }
}

async fn forward(mut client: TcpStream, target: SocketAddr, mut wire: watch::Receiver<bool>) {
    if !*wire.borrow() {
        return;
    }
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = wire.wait_for(|is_whole| !is_whole) => {}
    }
}
