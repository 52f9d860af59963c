//! The server: its accept loop, and the handle on it.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, http::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use super::{
    Counters, Manner, RecordedCall, Script,
    background::Kept,
    observe::{ConnectionGuard, Observer},
    routes::{self, CloseUnanswered, Shared},
};

/// After a failed accept: out of file descriptors, most likely, which others give back.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// A model that follows a script. Clones are handles on the same model.
#[derive(Clone)]
pub struct ScriptedModel {
    shared: Arc<Shared>,
}

impl ScriptedModel {
    /// A model that follows this script.
    pub fn new(script: impl Script) -> Self {
        Self::in_manner_of(Manner::default(), script)
    }

    /// The same, which speaks Chat Completions as another server does.
    pub fn in_manner_of(manner: Manner, script: impl Script) -> Self {
        let observer = Arc::new(Observer::default());
        let kept = Kept::default();
        Self { shared: Arc::new(Shared { script: Box::new(script), manner, observer, kept }) }
    }

    /// Serves until `shutdown` is ready, then closes all connections at once: a script may go on
    /// for ever.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()> + Send) {
        let router = routes::router(Arc::clone(&self.shared));
        // Dropped on return, which ends its tasks.
        let mut connections = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let guard = self.shared.observer.connection();
                        connections.spawn(serve_connection(stream, router.clone(), guard));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the scripted model cannot accept connections");
                        tokio::time::sleep(ACCEPT_RETRY).await;
                    }
                },
                Some(_) = connections.join_next() => {}
                () = &mut shutdown => return,
            }
        }
    }

    /// Serves on a free port of the loopback interface until the answer is stopped or dropped.
    pub async fn start(&self) -> io::Result<RunningModel> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (model, stopped) = (self.clone(), stop.clone());
        tasks.spawn(async move { model.serve(listener, stopped.cancelled_owned()).await });
        tasks.close();
        Ok(RunningModel { model: self.clone(), address, stop, tasks })
    }

    /// How many calls and connections there are, and were.
    pub fn counters(&self) -> Counters {
        self.shared.observer.counters()
    }

    /// Waits until the counters are so.
    pub async fn wait_until(&self, condition: impl FnMut(&Counters) -> bool + Send) -> Counters {
        let mut counters = self.shared.observer.subscribe();
        let reached = counters.wait_for(condition).await.map(|counters| *counters);
        reached.unwrap_or_else(|_| self.counters())
    }

    /// The calls that came, oldest first; of many the newest 256.
    pub fn calls(&self) -> Vec<RecordedCall> {
        self.shared.observer.calls()
    }

    /// Waits for a call by its number, which counts from 1; `None` when it came so long ago that it
    /// is no longer kept.
    pub async fn call(&self, number: u64) -> Option<RecordedCall> {
        self.wait_until(|counters| counters.calls >= number).await;
        self.shared.observer.call(number)
    }
}

/// A model that serves. Dropped, it stops.
pub struct RunningModel {
    model: ScriptedModel,
    address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl RunningModel {
    /// What `OPENAI_BASE_URL` takes: it ends in `/v1`, or as the server's does whose manner it has.
    pub fn base_url(&self) -> String {
        let (path, query) = self.model.shared.manner.base();
        format!("http://{}{path}{query}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The handle.
    pub fn model(&self) -> &ScriptedModel {
        &self.model
    }

    /// Closes all connections and waits until they are.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for RunningModel {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn serve_connection(stream: TcpStream, router: Router, _open: ConnectionGuard) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "the connection is gone already");
        return;
    }
    let service = service_fn(|request| respond(router.clone(), request));
    // Copying small frames into one buffer is cheaper than gathering them.
    let served =
        http1::Builder::new().writev(false).serve_connection(TokioIo::new(stream), service).await;
    if let Err(error) = served {
        // The client left, or the script cut: both are part of the play.
        tracing::debug!(%error, "a connection of the scripted model broke off");
    }
}

/// The router's answer, or an error: hyper then closes the connection without one.
async fn respond(router: Router, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let answered: Result<_, Infallible> = router.oneshot(request).await;
    let response = answered.unwrap_or_else(|never| match never {});
    match response.extensions().get::<CloseUnanswered>() {
        Some(_) => Err(io::Error::other("closed unanswered by the script")),
        None => Ok(response),
    }
}
