//! A key set behind real HTTP, which can fail and counts its visitors.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Ends with its value.
pub(crate) struct KeyServer {
    origin: String,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    /// A whole response.
    answer: Mutex<String>,
    fetches: AtomicUsize,
}

impl KeyServer {
    /// Serves a set of these keys.
    pub(crate) async fn start(keys: &[Value]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let mut tasks = JoinSet::new();
        let for_clients = Arc::clone(&shared);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(respond(stream, Arc::clone(&for_clients)));
            }
        });
        let server = Self { origin, shared, _tasks: tasks };
        server.publish(keys);
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/api/auth/jwks", self.origin)
    }

    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// How often the set was asked for.
    pub(crate) fn fetches(&self) -> usize {
        self.shared.fetches.load(Ordering::SeqCst)
    }

    pub(crate) fn publish(&self, keys: &[Value]) {
        self.answer("200 OK", "", &json!({ "keys": keys }).to_string());
    }

    pub(crate) fn answer(&self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        *self.shared.answer.lock().unwrap() = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
        );
    }
}

async fn respond(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await.unwrap() == 0 {
            return;
        }
    }
    shared.fetches.fetch_add(1, Ordering::SeqCst);
    let answer = shared.answer.lock().unwrap().clone();
    // The client hangs up early on a body that is too long.
    let _ = stream.write_all(answer.as_bytes()).await;
}
