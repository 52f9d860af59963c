//! A terminal client of the gateway: a line in, an answer out as it is written.
//!
//! ```text
//! cargo run --example chat -- --url http://127.0.0.1:8000 --token "$TOKEN" [--thread ID]
//! ```
//!
//! It shows what a client has to do so that no answer is lost: it remembers the id of the last
//! event, and when the connection breaks it asks for what came after, until the run has ended. Its
//! messages carry an `Idempotency-Key`, so sending one again after a lost answer is harmless.
//!
//! Ctrl-C stops the answer; a second one, or one at the prompt, leaves.

use std::{io::Write as _, time::Duration};

use anyhow::{Context as _, bail};
use clap::Parser;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::sleep};

/// First pause before a connection is made again; doubled each time.
const FIRST_RETRY: Duration = Duration::from_millis(250);
/// Attempts without an event between them.
const MAX_RETRIES: u32 = 8;

#[derive(Parser)]
struct Arguments {
    /// Where the gateway is.
    #[arg(long, default_value = "http://127.0.0.1:8000")]
    url: String,
    /// A session token, as `chatkit-gateway token` prints it.
    #[arg(long)]
    token: String,
    /// A thread to go on with; a new one without it.
    #[arg(long)]
    thread: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    // reqwest is built without a provider of its own.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        bail!("the TLS provider is installed twice");
    }
    let client = Client::builder()
        .connect_timeout(Duration::from_secs(5))
        // Longer than the 15 s after which the gateway sends a comment.
        .read_timeout(Duration::from_secs(45))
        .build()?;
    let gateway = Gateway { client, url: arguments.url, token: arguments.token };
    let mut thread = arguments.thread;
    let mut lines = stdin_lines();
    loop {
        print("\n> ");
        let line = tokio::select! {
            line = lines.recv() => line,
            _ = tokio::signal::ctrl_c() => None,
        };
        let Some(line) = line else { break };
        if line.trim().is_empty() {
            continue;
        }
        match gateway.converse(line, &mut thread).await {
            Ok(Turn::Over) => {}
            Ok(Turn::Quit) => break,
            Err(error) => print(&format!("[{error:#}]\n")),
        }
    }
    if let Some(thread) = thread {
        print(&format!("\n[go on with --thread {thread}]\n"));
    }
    Ok(())
}

/// How a turn ended.
enum Turn {
    Over,
    Quit,
}

/// The gateway and how to speak to it.
struct Gateway {
    client: Client,
    url: String,
    token: String,
}

/// A run that is being read.
struct Reading {
    run: String,
    /// The last event that was seen, `RUN_ID:SEQ`.
    last_event: Option<String>,
    /// Whether the user asked to stop it.
    is_cancelled: bool,
}

impl Gateway {
    /// Sends a message and shows the answer to its end, over as many connections as it takes.
    async fn converse(&self, content: String, thread: &mut Option<String>) -> anyhow::Result<Turn> {
        let body = json!({ "thread_id": thread, "content": content });
        let mut response = self.send(&body).await?;
        *thread = header(&response, "x-thread-id").or(thread.take());
        let run = header(&response, "x-run-id").context("the answer has no X-Run-Id")?;
        let mut reading = Reading { run, last_event: None, is_cancelled: false };
        let mut retries = 0;
        loop {
            let seen = reading.last_event.clone();
            if let Turn::Quit = self.read(response, &mut reading).await? {
                return Ok(Turn::Quit);
            }
            if self.has_ended(&reading).await {
                return Ok(Turn::Over);
            }
            retries = if reading.last_event == seen { retries + 1 } else { 0 };
            response = self.resume(&reading, retries).await?;
        }
    }

    /// Posts a message; again with the same key when the answer is lost.
    async fn send(&self, body: &Value) -> anyhow::Result<Response> {
        let key = uuid::Uuid::now_v7().to_string();
        let mut retries = 0;
        loop {
            let post = self.client.post(self.address("/api/chatkit/messages"));
            let request = post.header("idempotency-key", &key).json(body);
            match self.authorized(request).send().await {
                Ok(response) => return accepted(response).await,
                Err(error) if retries == MAX_RETRIES => return Err(error.into()),
                Err(_) => wait(retries).await,
            }
            retries += 1;
        }
    }

    /// Connects again, behind the last event that was seen.
    async fn resume(&self, reading: &Reading, mut retries: u32) -> anyhow::Result<Response> {
        loop {
            if retries == MAX_RETRIES {
                bail!("the connection is lost; the run is {}", reading.run);
            }
            wait(retries).await;
            let path = format!("/api/chatkit/runs/{}/events", reading.run);
            let mut request = self.client.get(self.address(&path));
            if let Some(id) = &reading.last_event {
                request = request.header("last-event-id", id);
            }
            match self.authorized(request).send().await {
                Ok(response) if !response.status().is_server_error() => {
                    return accepted(response).await;
                }
                _ => retries += 1,
            }
        }
    }

    /// Shows events until the connection ends, well or not.
    async fn read(&self, mut response: Response, reading: &mut Reading) -> anyhow::Result<Turn> {
        let mut parser = SseParser::default();
        loop {
            let chunk = tokio::select! {
                chunk = response.chunk() => chunk,
                _ = tokio::signal::ctrl_c() => {
                    if reading.is_cancelled {
                        return Ok(Turn::Quit);
                    }
                    reading.is_cancelled = true;
                    print("\n[stopping]\n");
                    self.cancel(&reading.run).await?;
                    continue;
                }
            };
            let Ok(Some(chunk)) = chunk else { return Ok(Turn::Over) };
            for event in parser.feed(&chunk) {
                show(&event.data);
                reading.last_event = event.id.or(reading.last_event.take());
            }
        }
    }

    async fn cancel(&self, run: &str) -> anyhow::Result<()> {
        let post = self.client.post(self.address(&format!("/api/chatkit/runs/{run}/cancel")));
        accepted(self.authorized(post).send().await?).await?;
        Ok(())
    }

    /// Whether the run is over. A body can end for other reasons, so its end says nothing.
    async fn has_ended(&self, reading: &Reading) -> bool {
        let get = self.client.get(self.address(&format!("/api/chatkit/runs/{}", reading.run)));
        let Ok(response) = self.authorized(get).send().await else { return false };
        let Ok(run) = response.json::<Value>().await else { return false };
        matches!(run["status"].as_str(), Some("completed" | "failed" | "cancelled" | "interrupted"))
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.url.trim_end_matches('/'))
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        request.bearer_auth(&self.token)
    }
}

/// The response, or what the gateway says against the request.
async fn accepted(response: Response) -> anyhow::Result<Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.json::<Value>().await.unwrap_or_default();
    let message = body["error"]["message"].as_str().unwrap_or("no reason given");
    if status == StatusCode::UNAUTHORIZED {
        bail!("{message} (is the token too old?)");
    }
    bail!("{message} ({status})");
}

fn header(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

async fn wait(retries: u32) {
    sleep(FIRST_RETRY * 2_u32.pow(retries.min(5))).await;
}

/// Shows what an event of ChatKit adds to the conversation.
fn show(data: &str) {
    let Ok(event) = serde_json::from_str::<Value>(data) else { return };
    match event["type"].as_str() {
        Some("thread.item.updated") => show_update(&event["update"]),
        Some("thread.item.done") if event["item"]["type"] == "assistant_message" => print("\n"),
        Some("progress_update" | "notice") => {
            let text = event["text"].as_str().or(event["message"].as_str()).unwrap_or_default();
            print(&format!("\n[{text}]\n"));
        }
        Some("thread.updated") => {
            if let Some(title) = event["thread"]["title"].as_str() {
                print(&format!("[title: {title}]\n"));
            }
        }
        Some("error") => {
            let message = event["message"].as_str().unwrap_or("the answer failed");
            print(&format!("\n[{message}]\n"));
        }
        _ => {}
    }
}

fn show_update(update: &Value) {
    match update["type"].as_str() {
        Some("assistant_message.content_part.text_delta") => {
            print(update["delta"].as_str().unwrap_or_default());
        }
        Some("workflow.task.added" | "workflow.task.updated") => {
            let task = &update["task"];
            let mark = if task["status_indicator"] == "complete" { "done" } else { "…" };
            let title = task["title"].as_str().unwrap_or("tool");
            let content = task["content"].as_str().unwrap_or_default().replace('\n', " ");
            print(&format!("\n[{title} {content} {mark}]\n"));
        }
        _ => {}
    }
}

/// An event as the stream has it.
struct SseEvent {
    id: Option<String>,
    data: String,
}

/// Server-Sent Events as the gateway writes them: any chunking, LF or CRLF, comments skipped.
#[derive(Default)]
struct SseParser {
    /// Bytes of an unfinished line.
    pending: Vec<u8>,
    id: Option<String>,
    data: Option<String>,
}

impl SseParser {
    fn feed(&mut self, chunk: &[u8]) -> Vec<SseEvent> {
        let mut events = Vec::new();
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            self.pending.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.pending);
                events.extend(self.line(String::from_utf8_lossy(&line).trim_end()));
            }
        }
        events
    }

    /// Takes a line; an empty one completes an event.
    fn line(&mut self, line: &str) -> Option<SseEvent> {
        if line.is_empty() {
            let (id, data) = (self.id.take(), self.data.take());
            return data.map(|data| SseEvent { id, data });
        }
        let (field, value) = line.split_once(':')?;
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.id = Some(value.to_owned()),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            _ => {}
        }
        None
    }
}

/// Lines of the terminal. A thread of its own reads them: a blocking read would keep a runtime from
/// ending.
fn stdin_lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let Ok(line) = line else { break };
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

#[expect(clippy::print_stdout, reason = "a terminal client")]
fn print(text: &str) {
    print!("{text}");
    // A closed terminal is noticed by the next read.
    let _ = std::io::stdout().flush();
}
