//! One of many: sends one request after the other, of all types, mostly sensible.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use chatkit_gateway::protocol::UserId;
use reqwest::Response;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::party::WORDS;
use crate::{sdk::judge::Sent, server::TestServer};

/// Threads of a user at a time, besides those that may be deleted.
const KEPT_THREADS: usize = 4;

/// What the clients of one user share: they work in the same threads.
pub(super) struct Room {
    pub(super) user: UserId,
    threads: Mutex<Threads>,
}

#[derive(Default)]
struct Threads {
    /// In which nothing is ever deleted: what was seen done must be there in the end.
    kept: Vec<String>,
    /// In which messages are answered anew, and which are deleted.
    others: Vec<String>,
    /// Items that a request may name.
    items: Vec<Item>,
    attachments: Vec<String>,
}

#[derive(Clone)]
struct Item {
    thread: String,
    id: String,
    kind: String,
}

impl Room {
    pub(super) fn new(user: &str) -> Self {
        Self { user: UserId::parse(user).unwrap(), threads: Mutex::default() }
    }

    /// The threads in which nothing was deleted.
    pub(super) fn kept(&self) -> Vec<String> {
        self.with(|threads| threads.kept.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Threads) -> T) -> T {
        act(&mut self.threads.lock().unwrap())
    }
}

/// What was seen.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) sent: Sent,
    /// Answers by type of request and status.
    statuses: BTreeMap<(&'static str, u16), usize>,
    /// Those of 500 and above, with their bodies.
    pub(super) failures: BTreeMap<String, usize>,
    /// Items seen done, by stream, in order: thread and item.
    pub(super) done: Vec<Vec<(String, Value)>>,
    /// Items seen removed by the agent.
    pub(super) removed: BTreeSet<String>,
    /// Runs, with their users.
    pub(super) runs: Vec<(UserId, String)>,
}

impl Seen {
    pub(super) fn add(&mut self, other: Self) {
        self.sent.add_all(other.sent);
        for (key, count) in other.statuses {
            *self.statuses.entry(key).or_default() += count;
        }
        for (key, count) in other.failures {
            *self.failures.entry(key).or_default() += count;
        }
        self.done.extend(other.done);
        self.removed.extend(other.removed);
        self.runs.extend(other.runs);
    }

    pub(super) fn figures(&self) -> String {
        let answers: usize = self.statuses.values().sum();
        let by_type: Vec<String> = self
            .statuses
            .iter()
            .map(|((kind, status), count)| format!("{kind} {status}: {count}"))
            .collect();
        format!("{answers} answers, {} runs; {}", self.runs.len(), by_type.join(", "))
    }
}

/// One of many.
pub(super) struct Client {
    dice: Dice,
    room: Arc<Room>,
    server: Arc<TestServer>,
    seen: Seen,
}

/// `SplitMix64`: the same throws in every run of a test.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }

    fn pick<T: Clone>(&mut self, among: &[T]) -> Option<T> {
        (!among.is_empty()).then(|| among[self.throw(among.len())].clone())
    }
}

/// All requests; those that make something for the others to work on stand more than once.
const REQUESTS: [&str; 20] = [
    "threads.create",
    "threads.add_user_message",
    "threads.add_user_message",
    "threads.add_user_message",
    "threads.add_user_message",
    "threads.add_client_tool_output",
    "threads.add_client_tool_output",
    "threads.add_structured_input",
    "threads.add_structured_input",
    "threads.retry_after_item",
    "threads.custom_action",
    "threads.sync_custom_action",
    "threads.get_by_id",
    "threads.list",
    "threads.update",
    "threads.delete",
    "items.list",
    "items.feedback",
    "attachments.create",
    "input.transcribe",
];

impl Client {
    pub(super) fn new(number: u64, room: Arc<Room>, server: Arc<TestServer>) -> Self {
        Self { dice: Dice(number), room, server, seen: Seen::default() }
    }

    pub(super) async fn work_until(mut self, end: Instant) -> Seen {
        while Instant::now() < end {
            let kind = REQUESTS[self.dice.throw(REQUESTS.len())];
            // As rare as an attachment is deleted.
            let is_deletion = kind == "attachments.create" && self.dice.throw(4) == 0;
            let kind = if is_deletion { "attachments.delete" } else { kind };
            if let Some(params) = self.params(kind) {
                self.send(kind, &params).await;
            }
        }
        self.seen
    }

    /// The request's members; none when there is nothing yet to work on.
    fn params(&mut self, kind: &str) -> Option<Value> {
        let thread = self.any_thread();
        Some(match kind {
            "threads.create" => json!({ "input": self.input() }),
            "threads.add_user_message" => json!({ "thread_id": thread?, "input": self.input() }),
            "threads.add_client_tool_output" => {
                json!({ "thread_id": self.item("client_tool_call")?.thread, "result": { "n": 1.5 } })
            }
            "threads.add_structured_input" => {
                let item = self.item("structured_input")?;
                let answers = json!({ "choice": { "values": ["x"] } });
                let input = json!({ "answers": answers });
                json!({ "thread_id": item.thread, "item_id": item.id, "input": input })
            }
            "threads.retry_after_item" => {
                let message = self.item("user_message")?;
                let is_kept = self.room.with(|threads| threads.kept.contains(&message.thread));
                if is_kept {
                    return None;
                }
                json!({ "thread_id": message.thread, "item_id": message.id })
            }
            "threads.custom_action" | "threads.sync_custom_action" => {
                let widget = self.item("widget")?;
                let action = json!({ "type": "press", "payload": { "n": [1, null] } });
                json!({ "thread_id": widget.thread, "item_id": widget.id, "action": action })
            }
            "threads.list" => json!({ "limit": 3, "order": "asc" }),
            "threads.get_by_id" => json!({ "thread_id": thread? }),
            "threads.update" => json!({ "thread_id": thread?, "title": "é 🎉" }),
            "threads.delete" => {
                let others = self.room.with(|threads| threads.others.clone());
                // Some at a time are left for the others to work in.
                let thread = self.dice.pick(&others).filter(|_| others.len() > KEPT_THREADS)?;
                self.room.with(|threads| threads.others.retain(|other| *other != thread));
                json!({ "thread_id": thread })
            }
            "items.list" => json!({ "thread_id": thread?, "limit": 7 }),
            "items.feedback" => {
                let item = self.item("assistant_message")?;
                json!({ "thread_id": item.thread, "item_ids": [item.id], "kind": "positive" })
            }
            "attachments.create" => {
                json!({ "name": "a.txt", "size": 3, "mime_type": "text/plain" })
            }
            "attachments.delete" => json!({ "attachment_id": self.attachment()? }),
            "input.transcribe" => json!({ "audio_base64": "AAECAw==", "mime_type": "audio/mp4" }),
            _ => unreachable!("{kind}"),
        })
    }

    fn any_thread(&mut self) -> Option<String> {
        let known = self.room.with(|threads| {
            threads.kept.iter().chain(&threads.others).cloned().collect::<Vec<String>>()
        });
        self.dice.pick(&known)
    }

    /// One of the newest items of a kind.
    fn item(&mut self, kind: &str) -> Option<Item> {
        let known = self.room.with(|threads| {
            let of_kind = threads.items.iter().rev().filter(|item| item.kind == kind);
            of_kind.take(8).cloned().collect::<Vec<Item>>()
        });
        self.dice.pick(&known)
    }

    fn attachment(&self) -> Option<String> {
        self.room.with(|threads| threads.attachments.pop())
    }

    fn input(&mut self) -> Value {
        let text = format!("{} something", WORDS[self.dice.throw(WORDS.len())]);
        let attachment = if self.dice.throw(4) == 0 { self.attachment() } else { None };
        json!({
            "content": [{ "type": "input_text", "text": text }],
            "attachments": attachment.into_iter().collect::<Vec<_>>(),
            "inference_options": {},
        })
    }

    async fn send(&mut self, kind: &'static str, params: &Value) {
        let body = json!({ "type": kind, "params": params }).to_string();
        let request = self.server.post(&self.room.user, "/chatkit", body);
        let mut response = request.send().await.unwrap();
        let status = response.status().as_u16();
        *self.seen.statuses.entry((kind, status)).or_default() += 1;
        if status != 200 {
            let body = response.text().await.unwrap();
            if status >= 500 {
                *self.seen.failures.entry(format!("{kind} {status} {body}")).or_default() += 1;
            }
            return;
        }
        let run = response.headers().get("x-run-id");
        let run = run.map(|run| run.to_str().unwrap().to_owned());
        if let Some(run) = &run {
            self.seen.runs.push((self.room.user.clone(), run.clone()));
            match self.dice.throw(10) {
                // Some leave at once, some press Stop.
                0 => return drop(response.chunk().await),
                1 => self.cancel(run, &mut response).await,
                _ => {}
            }
        }
        let body = response.text().await.unwrap();
        self.seen.sent.answer(kind, kind, &body);
        if run.is_some() {
            self.take_events(&body);
        } else if kind == "attachments.create" {
            let attachment: Value = serde_json::from_str(&body).unwrap();
            let id = attachment["id"].as_str().unwrap().to_owned();
            self.room.with(|threads| threads.attachments.push(id));
        }
    }

    async fn cancel(&mut self, run: &str, response: &mut Response) {
        response.chunk().await.unwrap();
        let path = format!("/api/chatkit/runs/{run}/cancel");
        let answer =
            self.server.post(&self.room.user, &path, "{}".to_owned()).send().await.unwrap();
        // The thread may have been deleted in the meantime.
        assert!([202, 404].contains(&answer.status().as_u16()), "{answer:?}");
    }

    /// Remembers what the others may work on, and what must be stored.
    fn take_events(&mut self, body: &str) {
        let mut done = Vec::new();
        for event in body.lines().filter_map(|line| line.strip_prefix("data: ")) {
            let event: Value = serde_json::from_str(event).unwrap();
            match event["type"].as_str().unwrap() {
                "thread.created" => self.add_thread(event["thread"]["id"].as_str().unwrap()),
                "thread.item.done" => done.push(self.add_item(&event["item"])),
                "thread.item.removed" => {
                    self.seen.removed.insert(event["item_id"].as_str().unwrap().to_owned());
                }
                _ => {}
            }
        }
        self.seen.done.push(done);
    }

    fn add_thread(&mut self, id: &str) {
        self.room.with(|threads| {
            let is_kept = threads.kept.len() < KEPT_THREADS;
            let list = if is_kept { &mut threads.kept } else { &mut threads.others };
            list.push(id.to_owned());
        });
    }

    fn add_item(&mut self, item: &Value) -> (String, Value) {
        let member = |name: &str| item[name].as_str().unwrap().to_owned();
        let (thread, id, kind) = (member("thread_id"), member("id"), member("type"));
        self.room.with(|threads| {
            threads.items.push(Item { thread: thread.clone(), id, kind });
        });
        (thread, item.clone())
    }
}
