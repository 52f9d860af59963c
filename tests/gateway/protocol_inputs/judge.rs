//! Whether an answer is one that a client can rely on.

use std::sync::Arc;

use chatkit_gateway::{
    protocol::{Order, Page, Thread, ThreadEvent, ThreadId, ThreadItem, UserId},
    store::{
        PageQuery, Store,
        record::{ItemRecord, ThreadRecord},
    },
};
use reqwest::{Method, Response, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::support::{Client, TestServer, agent::SHOW_ALL};

use super::{
    requests::{NOT_IMPLEMENTED, STREAMED, THREAD},
    variants::Variant,
};

pub(super) struct Judge<'a> {
    server: &'a TestServer,
    store: Arc<dyn Store>,
    client: Client,
}

/// What became of a request.
#[derive(Clone, Copy)]
pub(super) enum Verdict {
    Accepted,
    Refused,
    NotImplemented,
}

/// A user in the starting state: a thread with an item of each kind.
struct Start {
    user: UserId,
    client: Client,
    stored: Stored,
}

/// All that a user has.
type Stored = Vec<(ThreadRecord, Vec<ItemRecord>)>;

impl<'a> Judge<'a> {
    pub(super) fn new(server: &'a TestServer, store: Arc<dyn Store>) -> Self {
        Self { server, store, client: server.nobody() }
    }

    /// Posts the variants of a request, each in the starting state, and says what came of them.
    pub(super) async fn verdicts(
        &self,
        kind: &str,
        variants: &[Variant],
    ) -> Vec<Result<Verdict, String>> {
        let mut verdicts = Vec::new();
        let mut start = None;
        for (number, variant) in variants.iter().enumerate() {
            let begun = match start.take() {
                Some(begun) => begun,
                None => self.begin(&format!("{kind} {number}")).await,
            };
            let answer = self.post(&begun, variant).await;
            let after = self.stored(&begun.user).await;
            verdicts.push(
                answer.and_then(|answer| judge(kind, variant, &answer, &begun.stored, &after)),
            );
            // A user whose request has changed nothing can make the next one, too.
            start = Some(begun).filter(|begun| begun.stored == after);
        }
        verdicts
    }

    async fn post(&self, start: &Start, variant: &Variant) -> Result<Answer, String> {
        let request = start.client.request(Method::POST, "/chatkit");
        let request = request.header(header::CONTENT_TYPE, "application/json");
        Answer::of(request.body(start.name(&variant.body)).send().await.unwrap()).await
    }

    async fn begin(&self, name: &str) -> Start {
        let user = UserId::parse(name).unwrap();
        let client = self.client.with_token(&self.server.token(name));
        let input = json!({
            "content": [{"type": "input_text", "text": SHOW_ALL}],
            "attachments": [],
            "inference_options": {},
        });
        client.chatkit_stream("threads.create", &json!({ "input": input })).await.rest().await;
        let stored = self.stored(&user).await;
        Start { user, client, stored }
    }

    async fn stored(&self, user: &UserId) -> Stored {
        let threads = self.store.list_threads(user, None, all()).await.unwrap().unwrap();
        let mut stored = Vec::new();
        for thread in threads.data {
            let items = self.store.list_items(user, thread.id, all()).await.unwrap().unwrap();
            stored.push((thread, items.data));
        }
        stored
    }
}

impl Start {
    /// A request with identifiers instead of names.
    fn name(&self, request: &Value) -> String {
        let (thread, items) = &self.stored[0];
        let mut body = request.to_string().replace(THREAD, &thread.id.to_string());
        for record in items {
            let name = format!("ITEM:{}", record.item.kind.type_name());
            body = body.replace(&name, &record.item.id.to_string());
        }
        assert!(!body.contains("ITEM:"), "an item is missing: {body}");
        body
    }
}

fn judge(
    kind: &str,
    variant: &Variant,
    answer: &Answer,
    before: &Stored,
    after: &Stored,
) -> Result<Verdict, String> {
    let verdict = answer.verdict(kind)?;
    match verdict {
        Verdict::Accepted => {
            check_whole(after)?;
            answer.check_result(kind, after)?;
        }
        Verdict::Refused if variant.is_valid => return Err(format!("refused: {}", answer.body)),
        _ if before != after => return Err(format!("something was stored: {after:?}")),
        _ => {}
    }
    Ok(verdict)
}

/// More than a user of this test has.
fn all<I>() -> PageQuery<I> {
    PageQuery { limit: 1_000, order: Order::Asc, after: None }
}

/// Nothing half is left: no run goes on, and each thread has a message.
fn check_whole(stored: &Stored) -> Result<(), String> {
    for (thread, items) in stored {
        if thread.active_run_id.is_some() || items.is_empty() {
            return Err(format!("half a thread: {thread:?} {items:?}"));
        }
    }
    Ok(())
}

/// A response, read to its end.
struct Answer {
    status: u16,
    content_type: String,
    body: String,
}

impl Answer {
    async fn of(response: Response) -> Result<Self, String> {
        let status = response.status().as_u16();
        let content_type = response.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.map(|value| value.to_str().unwrap().to_owned());
        let body = response.text().await.map_err(|error| format!("broken off: {error}"))?;
        Ok(Self { status, content_type: content_type.unwrap_or_default(), body })
    }

    fn verdict(&self, kind: &str) -> Result<Verdict, String> {
        let is_listed = NOT_IMPLEMENTED.contains(&kind);
        match self.status {
            200 if is_listed => Err("implemented: take it out of the list".to_owned()),
            200 => Ok(Verdict::Accepted),
            400..=499 => self.check_error("").map(|()| Verdict::Refused),
            501 if is_listed => {
                self.check_error("not_implemented").map(|()| Verdict::NotImplemented)
            }
            _ => Err(format!("status {}: {}", self.status, self.body)),
        }
    }

    fn check_error(&self, code: &str) -> Result<(), String> {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let text = |name: &str| body["error"][name].as_str().unwrap_or_default();
        let is_error = self.content_type == "application/json"
            && ["code", "message", "request_id"].iter().all(|name| !text(name).is_empty())
            && (code.is_empty() || text("code") == code);
        if is_error { Ok(()) } else { Err(format!("no error body: {}", self.body)) }
    }

    fn check_result(&self, kind: &str, stored: &Stored) -> Result<(), String> {
        if STREAMED.contains(&kind) {
            return self.check_stream(stored);
        }
        if self.content_type != "application/json" {
            return Err(format!("no JSON: {}", self.content_type));
        }
        match kind {
            "threads.get_by_id" | "threads.update" => self.read::<Thread>().map(drop),
            "threads.list" => self.read::<Page<Thread>>().map(drop),
            "items.list" => self.read::<Page<ThreadItem>>().map(drop),
            _ if self.body == "{}" => Ok(()),
            _ => Err(format!("no result: {}", self.body)),
        }
    }

    fn read<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_str(&self.body).map_err(|error| format!("{error}: {}", self.body))
    }

    /// Whole events to a good end, and what they say is stored is stored.
    fn check_stream(&self, stored: &Stored) -> Result<(), String> {
        let is_stream = self.content_type == "text/event-stream" && self.body.ends_with("\n\n");
        if !is_stream {
            return Err(format!("no stream: {} {}", self.content_type, self.body));
        }
        for line in self.body.lines().filter(|line| !line.is_empty() && !line.starts_with(':')) {
            let event =
                line.strip_prefix("data: ").and_then(|json| serde_json::from_str(json).ok());
            match event {
                None | Some(ThreadEvent::Error(_)) => return Err(format!("not good: {line}")),
                Some(ThreadEvent::ItemDone { item }) if !is_stored(&item, stored) => {
                    return Err(format!("not stored: {line}"));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

fn is_stored(item: &ThreadItem, stored: &Stored) -> bool {
    let of_thread = |id: ThreadId| stored.iter().find(move |(thread, _)| thread.id == id);
    of_thread(item.thread_id)
        .is_some_and(|(_, items)| items.iter().any(|known| known.item == *item))
}
