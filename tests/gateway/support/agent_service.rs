//! An agent in another process, as the test plays it.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use tokio::{net::TcpListener, sync::Notify};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// What a request is answered.
#[derive(Clone)]
pub(crate) enum Play {
    /// These events, then an orderly end.
    Events(Vec<Value>),
    /// These events, then the connection breaks.
    Cut(Vec<Value>),
    /// These events, then silence until the gateway closes the connection.
    Hang(Vec<Value>),
    /// Bytes as they are.
    Raw(&'static str),
    /// A status without a body.
    Status(u16),
}

/// A request that came.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Default)]
struct Shared {
    plays: Mutex<VecDeque<Play>>,
    asked: Mutex<Vec<Asked>>,
    closed: Notify,
}

/// A running service. Dropped, it stops.
pub(crate) struct AgentService {
    pub(crate) url: String,
    shared: Arc<Shared>,
    _serving: AbortOnDropHandle<()>,
}

impl AgentService {
    /// One that answers the first request by the first play and so on.
    pub(crate) async fn start(plays: impl IntoIterator<Item = Play>) -> Self {
        let plays = Mutex::new(plays.into_iter().collect());
        let shared = Arc::new(Shared { plays, ..Shared::default() });
        let router = Router::new().route("/agent", post(answer)).with_state(shared.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/agent", listener.local_addr().unwrap());
        let serving = async move { axum::serve(listener, router).await.unwrap() };
        let serving = AbortOnDropHandle::new(TaskTracker::new().spawn(serving));
        Self { url, shared, _serving: serving }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// Waits until the gateway has closed a connection that hangs.
    pub(crate) async fn closed(&self) {
        self.shared.closed.notified().await;
    }
}

/// Tells of its end.
struct Hanging(Arc<Shared>);

impl Drop for Hanging {
    fn drop(&mut self) {
        self.0.closed.notify_one();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    shared.asked.lock().unwrap().push(Asked { headers, body });
    let play = shared.plays.lock().unwrap().pop_front();
    let frames = |events: Vec<Value>| {
        let frames = events.into_iter().map(|event| format!("data: {event}\n\n"));
        stream::iter(frames.map(Ok::<String, io::Error>))
    };
    let body = match play.unwrap_or(Play::Status(500)) {
        Play::Events(events) => Body::from_stream(frames(events)),
        Play::Cut(events) => {
            // hyper writes when a body is pending; a cut in the same poll would lose the rest.
            let cut = stream::once(async {
                tokio::task::yield_now().await;
                Err(io::Error::other("cut"))
            });
            Body::from_stream(frames(events).chain(cut))
        }
        Play::Hang(events) => {
            let hanging = Hanging(shared.clone());
            let silence = stream::once(async move {
                let _hanging = hanging;
                std::future::pending().await
            });
            Body::from_stream(frames(events).chain(silence))
        }
        Play::Raw(text) => Body::from(text),
        Play::Status(status) => return StatusCode::from_u16(status).unwrap().into_response(),
    };
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}
