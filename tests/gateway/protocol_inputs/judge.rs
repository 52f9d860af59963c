//! Whether an answer is one that a client can rely on.

use std::sync::Arc;

use chatkit_gateway::{
    protocol::{
        Attachment, AttachmentId, Order, Page, Thread, ThreadEvent, ThreadId, ThreadItem, UserId,
    },
    store::{
        PageQuery, Store,
        record::{AttachmentRecord, ItemRecord, ThreadRecord},
    },
};
use reqwest::{Method, Response, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::support::{Client, TestServer, agent::SHOW_ALL};

use super::{
    requests::{ATTACHMENT, STREAMED, THREAD},
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
}

/// A user in the starting state: a thread with an item of each kind, and an attachment.
struct Start {
    user: UserId,
    client: Client,
    attachment: AttachmentId,
    stored: Stored,
}

/// All that a user has.
#[derive(Debug, PartialEq)]
struct Stored {
    threads: Vec<(ThreadRecord, Vec<ItemRecord>)>,
    attachment: Option<AttachmentRecord>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(server: &'a TestServer, store: Arc<dyn Store>) -> Self {
        Self { server, store, client: server.nobody() }
    }

    /// Posts variants of a request, each in the starting state, and says what came of them.
    pub(super) async fn verdicts(
        &self,
        share: usize,
        kind: &str,
        variants: &[Variant],
    ) -> Vec<Result<Verdict, String>> {
        let mut verdicts = Vec::new();
        let mut start = None;
        for (number, variant) in variants.iter().enumerate() {
            let begun = match start.take() {
                Some(begun) => begun,
                None => self.begin(&format!("{share} {number}")).await,
            };
            let answer = self.post(&begun, variant).await;
            let after = self.stored(&begun.user, begun.attachment).await;
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
        let file = json!({ "name": "a.txt", "size": 3, "mime_type": "text/plain" });
        let file = client.chatkit("attachments.create", &file).await.body;
        let attachment = AttachmentId::parse_or_unknown(file["id"].as_str().unwrap());
        let stored = self.stored(&user, attachment).await;
        Start { user, client, attachment, stored }
    }

    async fn stored(&self, user: &UserId, attachment: AttachmentId) -> Stored {
        let page = self.store.list_threads(user, None, all()).await.unwrap().unwrap();
        let mut threads = Vec::new();
        for thread in page.data {
            let items = self.store.list_items(user, thread.id, all()).await.unwrap().unwrap();
            threads.push((thread, items.data));
        }
        let found = self.store.find_attachments(user, &[attachment]).await.unwrap();
        Stored { threads, attachment: found.into_iter().next() }
    }
}

impl Start {
    /// A request with identifiers instead of names.
    fn name(&self, request: &Value) -> String {
        let (thread, items) = &self.stored.threads[0];
        let body = request.to_string().replace(THREAD, &thread.id.to_string());
        let mut body = body.replace(ATTACHMENT, &self.attachment.to_string());
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
    let verdict = answer.verdict()?;
    match verdict {
        Verdict::Accepted => {
            check_whole(after)?;
            answer.check_result(kind, after)?;
        }
        Verdict::Refused if variant.is_valid => return Err(format!("refused: {}", answer.body)),
        Verdict::Refused if before != after => {
            return Err(format!("something was stored: {after:?}"));
        }
        Verdict::Refused => {}
    }
    Ok(verdict)
}

/// More than a user of this test has.
fn all<I>() -> PageQuery<I> {
    PageQuery { limit: 1_000, order: Order::Asc, after: None }
}

/// Nothing half is left: no run goes on, and each thread has a message.
fn check_whole(stored: &Stored) -> Result<(), String> {
    for (thread, items) in &stored.threads {
        if thread.active_run_id.is_some() || items.is_empty() {
            return Err(format!("half a thread: {thread:?} {items:?}"));
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct UpdatedItem {
    #[serde(rename = "updated_item")]
    _item: ThreadItem,
}

#[derive(Deserialize)]
struct Transcript {
    #[serde(rename = "text")]
    _text: String,
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

    fn verdict(&self) -> Result<Verdict, String> {
        match self.status {
            200 => Ok(Verdict::Accepted),
            400..=499 if self.is_error() => Ok(Verdict::Refused),
            _ => Err(format!("status {}: {}", self.status, self.body)),
        }
    }

    /// Whether it is an error in the shape of all errors.
    fn is_error(&self) -> bool {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let says = |name: &str| body["error"][name].as_str().is_some_and(|text| !text.is_empty());
        self.content_type == "application/json"
            && says("code")
            && says("message")
            && says("request_id")
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
            "threads.sync_custom_action" if self.body != "{}" => {
                self.read::<UpdatedItem>().map(drop)
            }
            "attachments.create" => self.read::<Attachment>().map(drop),
            "input.transcribe" => self.read::<Transcript>().map(drop),
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
                Some(ThreadEvent::ItemDone { item } | ThreadEvent::ItemReplaced { item })
                    if !is_stored(&item, stored) =>
                {
                    return Err(format!("not stored: {line}"));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

fn is_stored(item: &ThreadItem, stored: &Stored) -> bool {
    let of_thread = |id: ThreadId| stored.threads.iter().find(move |(thread, _)| thread.id == id);
    of_thread(item.thread_id)
        .is_some_and(|(_, items)| items.iter().any(|known| known.item == *item))
}
