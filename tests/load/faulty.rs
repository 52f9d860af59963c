//! A proxy in front of the model that spoils every answer in one way.

use std::{io, sync::Arc};

use axum::{Router, body::Body, extract::State, routing::post};
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// The event that is spoilt: neither the first delta nor the last.
const SPOILT: usize = 7;
/// Pieces in which no frame and no stamp fits.
const PIECE: usize = 7;

#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// A delta is left out.
    Drop,
    /// A delta is sent twice.
    Repeat,
    /// Every two deltas are sent as one: what a slow reader of the gateway gets.
    Merge,
    /// Frames are cut into small pieces: what some proxies do.
    Cut,
    /// The connection breaks in the middle.
    BreakOff,
}

/// Dropped, it stops.
pub(crate) struct FaultyProxy {
    pub(crate) url: String,
    _serving: AbortOnDropHandle<()>,
}

struct Shared {
    target: String,
    fault: Fault,
    http: reqwest::Client,
}

impl FaultyProxy {
    pub(crate) async fn start(model: &str, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let shared = Arc::new(Shared { target: format!("{model}/responses"), fault, http });
        let router = Router::new().route("/", post(answer)).with_state(shared);
        let serving = tokio_util::task::TaskTracker::new()
            .spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, _serving: AbortOnDropHandle::new(serving) }
    }
}

async fn answer(State(shared): State<Arc<Shared>>, body: Bytes) -> Body {
    let request = shared.http.post(&shared.target).body(body);
    let answer = request.send().await.unwrap().text().await.unwrap();
    let events = answer.split_inclusive("\n\n").map(str::to_owned).collect();
    let frames = spoil(events, shared.fault).into_iter().map(|frame| frame.map(Bytes::from));
    Body::from_stream(stream::iter(frames))
}

fn spoil(events: Vec<String>, fault: Fault) -> Vec<io::Result<String>> {
    let (mut before, mut others): (Vec<_>, Vec<_>) = (Vec::new(), events);
    let first = others.iter().position(|event| is_delta(event)).unwrap();
    before.extend(others.drain(..first));
    match fault {
        Fault::Drop => drop(others.remove(SPOILT)),
        Fault::Repeat => others.insert(SPOILT, others[SPOILT].clone()),
        Fault::Merge => others = merged(others),
        Fault::Cut => {}
        Fault::BreakOff => others.truncate(SPOILT),
    }
    before.append(&mut others);
    let mut frames: Vec<_> = if matches!(fault, Fault::Cut) {
        let whole = before.concat().into_bytes();
        let pieces = whole.chunks(PIECE).map(|piece| String::from_utf8(piece.to_vec()).unwrap());
        pieces.map(Ok).collect()
    } else {
        before.into_iter().map(Ok).collect()
    };
    if matches!(fault, Fault::BreakOff) {
        frames.push(Err(io::ErrorKind::ConnectionReset.into()));
    }
    frames
}

fn is_delta(event: &str) -> bool {
    event.contains("response.output_text.delta")
}

fn merged(events: Vec<String>) -> Vec<String> {
    let (deltas, others): (Vec<_>, Vec<_>) = events.into_iter().partition(|event| is_delta(event));
    let text = |event: &String| {
        let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        serde_json::from_str::<Value>(data).unwrap()["delta"].as_str().unwrap().to_owned()
    };
    let pairs = deltas.chunks(2).map(|pair| {
        let delta: String = pair.iter().map(text).collect();
        let event = json!({ "type": "response.output_text.delta", "delta": delta });
        format!("data: {event}\n\n")
    });
    pairs.chain(others).collect()
}
