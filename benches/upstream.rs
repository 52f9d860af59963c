//! What an answer of the model costs until it is typed events: parsing the event stream, reading
//! the JSON of deltas, and the whole way from the socket, against the event-source crate.
//!
//! ```text
//! cargo bench --bench upstream
//! cargo bench --bench upstream -- answer     # the whole way alone
//! ```
//!
//! Measured is CPU time of the thread, the kernel's work for it included, so that what else goes
//! on (the server is in another thread) hardly matters. Throughputs are bytes, or deltas.

use std::{
    hint::black_box,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use chatkit_gateway::upstream::{
    InputItem, Model, ModelEvent, ModelRequest, chat_completions,
    client::{HttpClient, UpstreamClient, UpstreamConfig},
    responses::{self, ResponsesModel},
    sse::Parser,
};
use criterion::{
    BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
    measurement::{Measurement, ValueFormatter, WallTime},
};
use eventsource_stream::Eventsource;
use futures_util::{StreamExt, future::join_all, stream};
use reqwest_eventsource::{Event, EventSource, retry};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Runtime};

const DELTA: &str = concat!(
    r#"{"type":"response.output_text.delta","sequence_number":17,"item_id":"msg_0123456789","#,
    r#""output_index":0,"content_index":0,"delta":" streaming","logprobs":[],"#,
    r#""obfuscation":"b3Pxw9s"}"#
);
const CHUNK: &str = concat!(
    r#"{"id":"chatcmpl-0123456789","object":"chat.completion.chunk","created":1790000000,"#,
    r#""model":"m","choices":[{"index":0,"delta":{"content":" streaming"},"logprobs":null,"#,
    r#""finish_reason":null}],"usage":null}"#
);
const REASONING: &str = concat!(
    r#"{"type":"response.reasoning_summary_text.delta","sequence_number":17,"item_id":"rs_01","#,
    r#""output_index":0,"summary_index":0,"delta":" streaming"}"#
);
const COMPLETED: &str = r#"{"type":"response.completed","response":{"status":"completed"}}"#;

/// CPU time of the thread that measures.
struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        Duration::try_from(now).expect("time does not run backwards")
    }

    fn end(&self, start: Duration) -> Duration {
        self.start().saturating_sub(start)
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

/// An event as OpenAI frames it.
fn event(kind: &str, data: &str) -> String {
    format!("event: {kind}\ndata: {data}\n\n")
}

fn deltas(count: usize) -> String {
    event("response.output_text.delta", DELTA).repeat(count)
}

fn ours(pieces: &[&[u8]]) -> usize {
    let mut parser = Parser::new(32 << 20);
    let mut bytes = 0;
    for mut piece in pieces.iter().copied() {
        while let Some(data) = parser.next(&mut piece).expect("no event is too large") {
            bytes += data.len();
        }
    }
    bytes
}

fn theirs(pieces: &[&[u8]]) -> usize {
    let pieces = stream::iter(pieces.iter().map(|piece| Ok::<_, std::io::Error>(*piece)));
    let events = pieces.eventsource();
    let bytes =
        events.fold(0, async |bytes, event| bytes + event.map_or(0, |event| event.data.len()));
    futures_util::FutureExt::now_or_never(bytes).expect("nothing is waited for")
}

fn parse(criterion: &mut Criterion<CpuTime>) {
    let many = deltas(1000);
    let large = event("response.image_generation_call.partial_image", &"x".repeat(1 << 20));
    let one = deltas(1).len();
    let cases = [
        ("an event a read", &many, one),
        ("segments of 1448", &many, 1448),
        ("reads of 64 KiB", &many, 64 << 10),
        ("1 MiB in reads of 16 KiB", &large, 16 << 10),
    ];
    let mut group = criterion.benchmark_group("parse");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    for (name, stream, size) in cases {
        let pieces: Vec<_> = stream.as_bytes().chunks(size).collect();
        assert_eq!(ours(&pieces), theirs(&pieces));
        group.throughput(Throughput::Bytes(stream.len() as u64));
        group.bench_function(BenchmarkId::new("ours", name), |b| {
            b.iter(|| ours(black_box(&pieces)));
        });
        group.bench_function(BenchmarkId::new("event-source crate", name), |b| {
            b.iter(|| theirs(black_box(&pieces)));
        });
    }
}

/// From the JSON of a delta to a [`ModelEvent`].
fn read(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("read");
    group.throughput(Throughput::Elements(1));
    let mut out = Vec::new();
    for (name, delta) in [("text", DELTA), ("reasoning, by the slow way", REASONING)] {
        let mut reader = responses::AnswerReader::new();
        group.bench_function(BenchmarkId::new("responses", name), |b| {
            b.iter(|| {
                out.clear();
                reader.feed(black_box(delta), &mut out).expect("a delta");
            });
        });
    }
    let mut reader = chat_completions::AnswerReader::new();
    group.bench_function(BenchmarkId::new("chat completions", "text"), |b| {
        b.iter(|| {
            out.clear();
            reader.feed(black_box(CHUNK), &mut out).expect("a chunk");
        });
    });
}

/// How a server sends.
#[derive(Clone, Copy)]
struct Pace {
    name: &'static str,
    streams: usize,
    deltas: usize,
    /// Between two deltas; without it all are sent at once.
    pause: Option<Duration>,
}

/// Answers every request with deltas, each in a chunk of its own.
fn serve(pace: Pace) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for socket in listener.incoming() {
            // It ends when the client closes the connection.
            thread::spawn(move || answer_all(socket.expect("a connection"), pace).err());
        }
    });
    address
}

fn answer_all(mut socket: TcpStream, pace: Pace) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                transfer-encoding: chunked\r\n\r\n";
    let delta = chunk(&deltas(1));
    let all = delta.repeat(pace.deltas);
    let end = chunk(&event("response.completed", COMPLETED)) + "0\r\n\r\n";
    loop {
        read_request(&mut socket)?;
        socket.write_all(head.as_bytes())?;
        match pace.pause {
            None => socket.write_all(all.as_bytes())?,
            Some(pause) => {
                for _ in 0..pace.deltas {
                    thread::sleep(pause);
                    socket.write_all(delta.as_bytes())?;
                }
            }
        }
        socket.write_all(end.as_bytes())?;
    }
}

/// Reads a request, whose JSON is the only thing in it that a read may end with a brace of.
fn read_request(socket: &mut TcpStream) -> io::Result<()> {
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    while !received.ends_with(b"}") {
        let read = socket.read(&mut buffer)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        received.extend_from_slice(&buffer[..read]);
    }
    Ok(())
}

/// By which way an answer is read.
enum Way {
    /// All of ours, over an HTTP client.
    Ours(Box<ResponsesModel>),
    /// The event-source crate, then our reader of the JSON.
    EventSource(reqwest::Client, String),
}

impl Way {
    fn ours(address: SocketAddr, http_client: HttpClient) -> Self {
        let base_url = format!("http://{address}/v1");
        let config = UpstreamConfig { base_url, http_client, ..UpstreamConfig::default() };
        Self::Ours(Box::new(ResponsesModel::new(UpstreamClient::new(config).expect("a client"))))
    }

    fn event_source(address: SocketAddr) -> Self {
        let client = reqwest::Client::builder().http1_only().tcp_nodelay(true).build();
        Self::EventSource(client.expect("a client"), format!("http://{address}/v1/responses"))
    }

    /// How many deltas came.
    async fn ask(&self) -> usize {
        match self {
            Self::Ours(model) => {
                let input = vec![InputItem::user_text("hi")];
                let mut events = model.stream(ModelRequest { input, ..ModelRequest::default() });
                let mut deltas = 0;
                while let Some(event) = events.next().await {
                    deltas += count(&event.expect("a good answer"));
                }
                deltas
            }
            Self::EventSource(client, url) => {
                let request = client.post(url).body("{}");
                let mut source = EventSource::new(request).expect("it can be cloned");
                source.set_retry_policy(Box::new(retry::Never));
                let mut reader = responses::AnswerReader::new();
                let (mut deltas, mut out) = (0, Vec::new());
                while let Some(event) = source.next().await {
                    let Event::Message(message) = event.expect("a good answer") else { continue };
                    reader.feed(&message.data, &mut out).expect("a good answer");
                    deltas += out.iter().map(count).sum::<usize>();
                    if let Some(ModelEvent::Finished { .. }) = out.last() {
                        break;
                    }
                    out.clear();
                }
                deltas
            }
        }
    }
}

fn count(event: &ModelEvent) -> usize {
    usize::from(matches!(event, ModelEvent::TextDelta { .. }))
}

/// From the socket to [`ModelEvent`]s, in one thread.
fn answer(criterion: &mut Criterion<CpuTime>) {
    let runtime: Runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let paces = [
        Pace { name: "one stream, all at once", streams: 1, deltas: 2000, pause: None },
        Pace {
            name: "50 streams, 2 ms apart",
            streams: 50,
            deltas: 100,
            pause: Some(Duration::from_millis(2)),
        },
    ];
    let mut group = criterion.benchmark_group("answer");
    group.sample_size(10).measurement_time(Duration::from_secs(1));
    for pace in paces {
        let address = serve(pace);
        let ways = [
            ("ours", Way::ours(address, HttpClient::Direct)),
            ("our parser over reqwest", Way::ours(address, HttpClient::Reqwest)),
            ("event-source crate", Way::event_source(address)),
        ];
        let total = pace.streams * pace.deltas;
        group.throughput(Throughput::Elements(total as u64));
        for (name, way) in &ways {
            group.bench_function(BenchmarkId::new(*name, pace.name), |b| {
                b.iter(|| {
                    let answers = join_all((0..pace.streams).map(|_| way.ask()));
                    let deltas: usize = runtime.block_on(answers).iter().sum();
                    assert_eq!(deltas, total);
                });
            });
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = parse, read, answer
}
criterion_main!(benches);
