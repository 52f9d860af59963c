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
    /// Waits for the next request on the same connection, which has a script of its own.
    KeepOpen,
    /// Waits until some of the next request has come, and resets the connection.
    ResetAtNextRequest,
}

pub(crate) struct Server {
    pub(crate) base_url: String,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    connections: AtomicUsize,
    posts: AtomicUsize,
    requests: Mutex<Vec<String>>,
    /// By a client, in `AwaitClose`.
    closed: Notify,
    /// By the server, at the end of a script.
    has_closed: Notify,
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

    /// Answers by this as soon as there is a connection, and reads nothing of the request.
    pub(crate) async fn start_deaf(script: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let mut tasks = JoinSet::new();
        let counted = Arc::clone(&shared);
        tasks.spawn(async move {
            // Kept: a socket that is closed with bytes unread takes back what it wrote.
            let mut sockets = Vec::new();
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                counted.connections.fetch_add(1, Ordering::SeqCst);
                play(&mut socket, &script, &counted).await;
                sockets.push(socket);
            }
        });
        Self { base_url, shared, _tasks: tasks }
    }

    /// How many requests came.
    pub(crate) fn posts(&self) -> usize {
        self.shared.posts.load(Ordering::SeqCst)
    }

    /// How many connections came.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Head and body of the first request.
    pub(crate) fn first_request(&self) -> String {
        self.shared.requests.lock().unwrap()[0].clone()
    }

    /// Waits until this server has closed a connection at the end of its script.
    pub(crate) async fn has_closed(&self) {
        self.shared.has_closed.notified().await;
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
        shared.connections.fetch_add(1, Ordering::SeqCst);
        connections.spawn(serve(socket, scripts.clone(), Arc::clone(&shared)));
    }
}

async fn serve(mut socket: TcpStream, scripts: Vec<Vec<Step>>, shared: Arc<Shared>) {
    let mut is_open = true;
    while is_open && let Some(request) = read_request(&mut socket).await {
        let nth = shared.posts.fetch_add(1, Ordering::SeqCst);
        shared.requests.lock().unwrap().push(request);
        let script = scripts.get(nth).or(scripts.last()).unwrap();
        is_open = matches!(script.last(), Some(Step::KeepOpen));
        play(&mut socket, script, &shared).await;
    }
    drop(socket);
    shared.has_closed.notify_one();
}

async fn play(socket: &mut TcpStream, script: &[Step], shared: &Shared) {
    for step in script {
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
            Step::KeepOpen => {}
            Step::ResetAtNextRequest => {
                socket.readable().await.unwrap();
                // Closed with bytes unread, it is reset.
                return;
            }
        }
    }
}

/// Reads a request with a `content-length`; `None` when the connection ends before it does.
async fn read_request(socket: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    let rest = (head_end + length).saturating_sub(bytes.len());
    let read = socket.take(rest as u64).read_to_end(&mut bytes).await.ok()?;
    (read == rest).then(|| String::from_utf8_lossy(&bytes).into_owned())
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
