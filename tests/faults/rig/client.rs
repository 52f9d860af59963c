//! Users who ask, and follow the answer over all reconnects.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::StreamExt as _;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{
    Plan, Transcript,
    gateway_process::{http_client, token},
    transcript::{End, Seen},
};

/// All users there are: each one's texts begin with the name and a slash.
pub(crate) const USERS: [&str; 5] = ["ada", "bob", "cyd", "dan", "eve"];

/// The pause before a client asks again.
const RETRY_AFTER: Duration = Duration::from_millis(20);
/// How long a client hopes: longer than any crash may leave a thread busy.
const PATIENCE: Duration = Duration::from_secs(40);
/// More than the 15 s after which a gateway that has nothing to say says so.
const SILENCE: Duration = Duration::from_secs(20);

/// A user. Cheap to clone.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) name: &'static str,
    token: Arc<str>,
    http: reqwest::Client,
    /// Base addresses, the first one tried first.
    pub(crate) gateways: Arc<[String]>,
    /// The longest pause before a broken connection is made anew; the pause is random.
    pub(crate) comes_back_within: Duration,
    /// It leaves each connection after at most so many events, and comes back.
    pub(crate) leaves_after: Option<usize>,
    /// Silence after which it takes its connection for dead.
    pub(crate) silence: Duration,
    /// How long it hopes.
    pub(crate) patience: Duration,
}

impl User {
    /// All users, of these gateways.
    pub(crate) fn all(gateways: &[&str]) -> Vec<Self> {
        let http = http_client();
        let gateways: Arc<[String]> = gateways.iter().map(|base| (*base).to_owned()).collect();
        let user = |name| Self {
            name,
            token: token(name).into(),
            http: http.clone(),
            gateways: gateways.clone(),
            comes_back_within: Duration::ZERO,
            leaves_after: None,
            silence: SILENCE,
            patience: PATIENCE,
        };
        USERS.map(user).into()
    }

    /// The same, but with this gateway first.
    pub(crate) fn preferring(&self, first: usize) -> Self {
        let mut gateways = self.gateways.to_vec();
        gateways.rotate_left(first % self.gateways.len());
        Self { gateways: gateways.into(), ..self.clone() }
    }

    /// The session token.
    pub(crate) fn token(&self) -> Arc<str> {
        self.token.clone()
    }

    pub(crate) fn request(&self, base: &str, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{base}{path}")).bearer_auth(&self.token)
    }

    /// A GET at one gateway.
    pub(crate) async fn get(&self, base: &str, path: &str) -> (StatusCode, Value) {
        let response = self.request(base, Method::GET, path).send().await.unwrap();
        let status = response.status();
        (status, response.json().await.unwrap_or(Value::Null))
    }

    /// A message with a key of its own: the plan's tag.
    pub(crate) fn post(&self, base: &str, plan: &Plan) -> RequestBuilder {
        self.request(base, Method::POST, "/api/chatkit/messages")
            .header("idempotency-key", &plan.tag)
            .json(&json!({ "content": plan.text() }))
    }

    /// The events of a run behind a position.
    pub(crate) fn events(&self, base: &str, run: &str, after: u64) -> RequestBuilder {
        self.request(base, Method::GET, &format!("/api/chatkit/runs/{run}/events"))
            .header("last-event-id", format!("{run}:{after}"))
    }

    /// Posts the message, again with the same key until it is acknowledged, and follows the run,
    /// wherever it can be followed, to its end.
    pub(crate) async fn ask(self, plan: Plan) -> Transcript {
        let mut transcript = Transcript {
            user: self.name.to_owned(),
            tag: plan.tag.clone(),
            ..Transcript::default()
        };
        // The transcript is of use also when the end never comes.
        let _ = timeout(self.patience, self.pursue(&plan, &mut transcript)).await;
        transcript
    }

    /// Follows a run that somebody else of the same user began, from a position on.
    pub(crate) async fn resume(self, plan: Plan, mut transcript: Transcript) -> Transcript {
        transcript.acknowledged.get_or_insert_with(Instant::now);
        let _ = timeout(self.patience, self.pursue(&plan, &mut transcript)).await;
        transcript
    }

    /// Posts the message at the first gateway and follows the run there, and at the second as well.
    /// Whoever loses its connection looks at both.
    pub(crate) async fn ask_and_watch_elsewhere(self, plan: Plan) -> [Transcript; 2] {
        let response = self.post(&self.gateways[0], &plan).send().await.unwrap();
        let mut here = Transcript {
            user: self.name.to_owned(),
            tag: plan.tag.clone(),
            ..Transcript::default()
        };
        Self::note_run(&response, &mut here);
        let begun = Transcript { connections: 0, ..here.clone() };
        let elsewhere = self.preferring(1).resume(plan.clone(), begun);
        let here = async {
            if self.read(response, &mut here).await {
                here.end = here.ending();
            }
            if here.end == End::None { self.clone().resume(plan, here).await } else { here }
        };
        tokio::join!(here, elsewhere).into()
    }

    async fn pursue(&self, plan: &Plan, transcript: &mut Transcript) {
        let mut turn = 0;
        loop {
            let base = &self.gateways[turn % self.gateways.len()];
            turn += 1;
            let request = if transcript.acknowledged.is_none() {
                self.post(base, plan)
            } else {
                self.events(base, &transcript.run_id, transcript.position())
            };
            let answered = timeout(self.silence, request.send()).await;
            let Ok(Ok(response)) = answered else {
                sleep(RETRY_AFTER).await;
                continue;
            };
            if response.status() != StatusCode::OK {
                note_refusal(response, transcript).await;
                sleep(RETRY_AFTER).await;
                continue;
            }
            Self::note_run(&response, transcript);
            if self.read(response, transcript).await {
                transcript.end = transcript.ending();
                if transcript.end != End::None {
                    return;
                }
                transcript.silent_ends += 1;
            }
            // Where it was is tried first: a broken connection may be the wire's fault.
            turn -= usize::from(self.gateways.len() == 1);
            sleep(self.comes_back_within.mul_f64(fastrand::f64())).await;
        }
    }

    /// Notes which run a response is of.
    pub(crate) fn note_run(response: &Response, transcript: &mut Transcript) {
        transcript.connections += 1;
        let header = |name| response.headers()[name].to_str().unwrap().to_owned();
        let (run_id, thread_id) = (header("x-run-id"), header("x-thread-id"));
        if transcript.acknowledged.is_none() {
            transcript.acknowledged = Some(Instant::now());
            (transcript.run_id, transcript.thread_id) = (run_id, thread_id);
        } else if transcript.run_id != run_id || transcript.thread_id != thread_id {
            transcript.strange.push(format!("asked for {}, got {run_id}", transcript.run_id));
        }
    }

    /// Reads until the stream ends; answers whether it ended in order.
    pub(crate) async fn read(&self, response: Response, transcript: &mut Transcript) -> bool {
        let mut body = response.bytes_stream();
        let mut buffer = Vec::new();
        let leaves_at =
            self.leaves_after.map(|most| transcript.seen.len() + fastrand::usize(1..=most));
        loop {
            let chunk = match timeout(self.silence, body.next()).await {
                Ok(Some(Ok(chunk))) => chunk,
                Ok(None) => return buffer.is_empty(),
                Ok(Some(Err(_))) | Err(_) => return false,
            };
            buffer.extend_from_slice(&chunk);
            while let Some(end) = buffer.windows(2).position(|pair| pair == b"\n\n") {
                let frame: Vec<u8> = buffer.drain(..end + 2).collect();
                self.take_frame(&String::from_utf8(frame).unwrap(), transcript);
                if leaves_at.is_some_and(|at| transcript.seen.len() >= at) {
                    return false;
                }
            }
        }
    }

    fn take_frame(&self, frame: &str, transcript: &mut Transcript) {
        for other in USERS.iter().filter(|name| **name != self.name) {
            if frame.contains(&format!("{other}/")) {
                transcript.foreign.push(format!("{} was sent {frame}", self.name));
            }
        }
        let field = |name| frame.lines().find_map(|line| line.strip_prefix(name));
        let Some(data) = field("data: ") else { return };
        let seq = field("id: ").and_then(|id| id.rsplit_once(':')?.1.parse().ok());
        match (seq, serde_json::from_str(data)) {
            (Some(seq), Ok(event)) => {
                transcript.seen.push(Seen { seq, event, at: Instant::now() });
            }
            _ => transcript.strange.push(format!("cannot be read: {frame}")),
        }
    }
}

/// A refusal is strange unless it says that the server is not able to serve just now.
async fn note_refusal(response: Response, transcript: &mut Transcript) {
    let status = response.status();
    if status != StatusCode::SERVICE_UNAVAILABLE {
        let body = response.text().await.unwrap_or_default();
        transcript.strange.push(format!("{} was answered {status}: {body}", transcript.tag));
    }
}
