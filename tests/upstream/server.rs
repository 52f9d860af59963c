//! A server that plays scripts byte by byte, one for each request, and counts.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
    time::{sleep, timeout},
};

/// What to do next on a connection. At the end of its script the server closes it.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Writes and flushes.
    Write(Vec<u8>),
    /// Is silent.
    Pause(Duration),
    /// Waits until the client closes the connection, and notes it.
    AwaitClose,
}

pub(crate) struct Server {
    pub(crate) base_url: String,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    posts: AtomicUsize,
    requests: Mutex<Vec<String>>,
    closed: Notify,
}

impl Server {
    /// Answers the first request by the first script and so on; the last one stays.
    pub(crate) async fn start(scripts: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, scripts, Arc::clone(&shared)));
        Self { base_url, shared, _tasks: tasks }
    }

    /// How many requests came.
    pub(crate) fn posts(&self) -> usize {
        self.shared.posts.load(Ordering::SeqCst)
    }

    /// Head and body of the first request.
    pub(crate) fn first_request(&self) -> String {
        self.shared.requests.lock().unwrap()[0].clone()
    }

    /// Head and body of all requests, in the order in which they came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Waits until a client closed a connection in `AwaitClose`.
    pub(crate) async fn client_closed(&self) {
        let closed = timeout(Duration::from_secs(5), self.shared.closed.notified()).await;
        closed.expect("the client did not close the connection");
    }
}

async fn accept(listener: TcpListener, scripts: Vec<Vec<Step>>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        socket.set_nodelay(true).unwrap();
        connections.spawn(serve(socket, scripts.clone(), Arc::clone(&shared)));
    }
}

async fn serve(mut socket: TcpStream, scripts: Vec<Vec<Step>>, shared: Arc<Shared>) {
    let Some(request) = read_request(&mut socket).await else { return };
    let nth = shared.posts.fetch_add(1, Ordering::SeqCst);
    shared.requests.lock().unwrap().push(request);
    for step in scripts.get(nth).or(scripts.last()).unwrap() {
        match step {
            Step::Write(bytes) => {
                if socket.write_all(bytes).await.is_err() {
                    return;
                }
            }
            Step::Pause(time) => sleep(*time).await,
            Step::AwaitClose => {
                while socket.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
                shared.closed.notify_one();
            }
        }
    }
}

/// Reads a request with a `content-length`.
async fn read_request(socket: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text);
            }
        }
        let mut buffer = [0; 4096];
        match socket.read(&mut buffer).await {
            Ok(read) if read > 0 => bytes.extend_from_slice(&buffer[..read]),
            _ => return None,
        }
    }
}

/// Bytes as they are.
pub(crate) fn write(bytes: impl AsRef<[u8]>) -> Step {
    Step::Write(bytes.as_ref().to_vec())
}

/// An answer in one piece.
pub(crate) fn answer(status: &str, headers: &[&str], body: &str) -> Vec<Step> {
    let headers: String = headers.iter().flat_map(|header| [header, "\r\n"]).collect();
    let length = body.len();
    vec![write(format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}"))]
}

/// The head of an event stream in chunked coding.
pub(crate) fn head() -> Step {
    write(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
         transfer-encoding: chunked\r\n\r\n",
    )
}

/// One chunk of a body.
pub(crate) fn chunk(bytes: impl AsRef<[u8]>) -> Step {
    let bytes = bytes.as_ref();
    let mut coded = format!("{:x}\r\n", bytes.len()).into_bytes();
    coded.extend_from_slice(bytes);
    coded.extend_from_slice(b"\r\n");
    Step::Write(coded)
}

/// The end of a body.
pub(crate) fn end() -> Step {
    write("0\r\n\r\n")
}

/// A whole event stream.
pub(crate) fn events(body: impl AsRef<[u8]>) -> Vec<Step> {
    vec![head(), chunk(body), end()]
}
