//! Plays a flow and judges it.

use std::collections::BTreeSet;

use chatkit_gateway::{
    protocol::{
        Attachment, AttachmentId, Order, ThreadId, ThreadItem, ThreadStatus, Timestamp, UserId,
        attachment::{AttachmentKind, UploadDescriptor},
    },
    store::{
        PageQuery,
        record::{AttachmentRecord, NewThread, ThreadPatch, ThreadRecord},
    },
};
use reqwest::{RequestBuilder, Response, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    compare::{Normal, Side, events, first_difference, times_in},
    flows::{Changes, Expected, State},
    names::Names,
    recording::{Recorded, Recording},
    server::TestServer,
    widgets,
};

/// Who posts the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Poster {
    /// A ChatKit page: it gets the SDK's framing, and no Stop button, which would stop nothing.
    Page,
    /// The gateway's own fetch helper: it gets positions to resume from, and a Stop button.
    Helper,
}

/// One play of a flow by a user of its own, so that flows do not see each other.
pub(crate) struct Play {
    pub(crate) recording: Recording,
    pub(crate) poster: Poster,
    pub(crate) user: UserId,
    names: Names,
    given_times: BTreeSet<String>,
}

/// The starting state in a case.
#[derive(Default, Deserialize)]
struct Case {
    #[serde(default)]
    store: StartingState,
}

#[derive(Default, Deserialize)]
struct StartingState {
    #[serde(default)]
    threads: Vec<StartingThread>,
    #[serde(default)]
    items: Vec<ThreadItem>,
    #[serde(default)]
    attachments: Vec<StartingAttachment>,
}

#[derive(Deserialize)]
struct StartingAttachment {
    #[serde(flatten)]
    attachment: Attachment,
    metadata: Map<String, Value>,
}

#[derive(Deserialize)]
struct StartingThread {
    id: ThreadId,
    created_at: Timestamp,
    title: Option<String>,
    status: Option<ThreadStatus>,
    allowed_image_domains: Option<Vec<String>>,
    metadata: Option<Map<String, Value>>,
}

/// A thread as the recordings write it.
#[derive(Serialize)]
struct StoredThread {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    id: ThreadId,
    created_at: Timestamp,
    status: ThreadStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_image_domains: Option<Vec<String>>,
    metadata: Map<String, Value>,
}

impl From<ThreadRecord> for StoredThread {
    fn from(record: ThreadRecord) -> Self {
        let ThreadRecord { id, title, status, allowed_image_domains, metadata, created_at, .. } =
            record;
        Self { title, id, created_at, status, allowed_image_domains, metadata }
    }
}

/// An attachment as the recordings write it.
#[derive(Serialize)]
struct StoredAttachment {
    id: AttachmentId,
    name: String,
    mime_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    upload_descriptor: Option<UploadDescriptor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_id: Option<ThreadId>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    metadata: Map<String, Value>,
    #[serde(flatten)]
    kind: AttachmentKind,
}

impl From<AttachmentRecord> for StoredAttachment {
    fn from(AttachmentRecord { attachment, metadata, .. }: AttachmentRecord) -> Self {
        let Attachment { id, name, mime_type, upload_descriptor, thread_id, kind } = attachment;
        Self { id, name, mime_type, upload_descriptor, thread_id, metadata, kind }
    }
}

/// What was answered, read to the end.
struct Answer {
    status: u16,
    content_type: String,
    body: String,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let content_type = response.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.map(|value| value.to_str().unwrap().to_owned());
        Self {
            status: response.status().as_u16(),
            content_type: content_type.unwrap_or_default(),
            body: response.text().await.unwrap(),
        }
    }
}

impl Play {
    pub(crate) fn new(flow: &str, poster: Poster) -> Self {
        let recording = Recording::read(flow);
        let texts = [recording.case.as_str(), recording.request.as_str()];
        Self {
            poster,
            user: UserId::parse(&format!("{flow} {poster:?}")).unwrap(),
            names: Names::of(&texts),
            given_times: times_in(&texts),
            recording,
        }
    }

    /// The case with our identifiers.
    pub(crate) fn script(&self) -> String {
        self.names.to_ours(&self.recording.case)
    }

    /// Whether the recorded server had a place for files.
    pub(crate) fn has_files(&self) -> bool {
        self.recording.case.contains("\"attachment_store\": true")
    }

    /// Brings the store into the case's starting state.
    pub(crate) async fn fill(&self, server: &TestServer) {
        let Case { store: StartingState { threads, items, attachments } } =
            serde_json::from_str(&self.script()).unwrap();
        for StartingAttachment { attachment, metadata } in attachments {
            let (user_id, created_at) = (self.user.clone(), Timestamp::now());
            let record = AttachmentRecord { attachment, user_id, metadata, created_at };
            server.store.insert_attachment(record).await.unwrap();
        }
        for thread in threads {
            let (id, now) = (thread.id, thread.created_at);
            let new =
                NewThread { id, user_id: self.user.clone(), title: thread.title.clone(), now };
            server.store.insert_thread(new).await.unwrap();
            let patch = ThreadPatch {
                status: thread.status,
                allowed_image_domains: thread.allowed_image_domains.map(Some),
                metadata: thread.metadata,
                ..ThreadPatch::default()
            };
            server.store.update_thread(&self.user, id, patch, now).await.unwrap().unwrap();
            let items: Vec<ThreadItem> =
                items.iter().filter(|item| item.thread_id == id).cloned().collect();
            assert!(server.store.upsert_items(&self.user, id, &items, now).await.unwrap());
        }
    }

    /// The request.
    pub(crate) fn request(&self, server: &TestServer) -> RequestBuilder {
        self.request_with(server, "", "")
    }

    /// The request with something else in one place.
    pub(crate) fn request_with(
        &self,
        server: &TestServer,
        recorded: &str,
        instead: &str,
    ) -> RequestBuilder {
        assert!(self.recording.request.contains(recorded));
        let body = self.names.to_ours(&self.recording.request.replacen(recorded, instead, 1));
        let request = server.post(&self.user, "/chatkit", body);
        match self.poster {
            Poster::Page => request,
            Poster::Helper => request.header("chatkit-gateway-client", "1"),
        }
    }

    /// Plays it and says what is wrong with the result.
    pub(crate) async fn judge(&self, server: &TestServer, state: State) -> Result<(), String> {
        self.fill(server).await;
        let before = self.stored(server, "").await;
        let answer = Answer::of(self.request(server).send().await.unwrap()).await;
        let after = self.stored(server, &answer.body).await;
        match state {
            State::Equal => self.compare(&answer, &after, &Changes::default()),
            State::Different { expected: Expected::Changed(changes), .. } => {
                self.compare(&answer, &after, &changes)
            }
            State::Different { expected: Expected::Refused { status, code }, .. } => {
                check_refusal(&answer, status, code)?;
                same("the store", &before, &after)
            }
        }
    }

    fn compare(&self, answer: &Answer, stored: &str, changes: &Changes) -> Result<(), String> {
        let (mut recorded, mut ours) = (self.normal(Side::Recorded), self.normal(Side::Ours));
        if answer.status != 200 {
            return Err(format!("status {}: {}", answer.status, answer.body));
        }
        match &self.recording.answer {
            Recorded::Stream(stream) => {
                check(answer.content_type == "text/event-stream", &answer.content_type)?;
                if self.poster == Poster::Page {
                    check_framing(&answer.body)?;
                }
                let expected = self.expected_events(&mut recorded, stream, changes);
                same("the stream", &expected, &events(&ours.text(&answer.body)))?;
            }
            Recorded::Json(json) => {
                check(answer.content_type == "application/json", &answer.content_type)?;
                let expected = self.given_widgets(&recorded.text(json), changes);
                let expected = Changes::make(changes.answer, &expected);
                same("the answer", &expected, &ours.text(&answer.body))?;
            }
            Recorded::Raised => return Err("the SDK raised; the gateway answered".to_owned()),
        }
        let expected = self.expected_store(&mut recorded, changes);
        same("the store", &expected, &ours.text(stored))
    }

    /// Brings texts of one side into the common form.
    pub(crate) fn normal(&self, side: Side) -> Normal<'_> {
        Normal::new(side, &self.names, &self.given_times)
    }

    /// The events that a stream must have.
    pub(crate) fn expected_events(
        &self,
        recorded: &mut Normal<'_>,
        stream: &str,
        changes: &Changes,
    ) -> String {
        let events = events(&recorded.text(stream));
        let events = match self.poster {
            // The server's own is the first; an agent may send others.
            Poster::Page => events.replacen(
                r#""stream_options":{"allow_cancel":true}"#,
                r#""stream_options":{"allow_cancel":false}"#,
                1,
            ),
            Poster::Helper => events,
        };
        recorded.renumber(&Changes::make(changes.answer, &self.given_widgets(&events, changes)))
    }

    /// What must be stored, in the form of [`Self::stored`].
    pub(crate) fn expected_store(&self, recorded: &mut Normal<'_>, changes: &Changes) -> String {
        let after = self.recording.after.as_ref().unwrap();
        let entries = ["threads", "items", "attachments"];
        let entries = entries.map(|name| after["store_after"][name].as_array());
        let entries = entries.into_iter().flatten().flatten().cloned();
        let lines: Vec<String> = entries.map(|entry| without_metadata(entry).to_string()).collect();
        let expected = self.given_widgets(&recorded.text(&lines.join("\n")), changes);
        recorded.renumber(&Changes::make(changes.store, &expected))
    }

    fn given_widgets(&self, recorded: &str, changes: &Changes) -> String {
        if changes.widgets_as_given {
            widgets::as_given(recorded, &self.recording.case)
        } else {
            recorded.to_owned()
        }
    }

    /// All that the user has: threads, then items, then attachments, a line of JSON each. An
    /// attachment that the server made is known by its answer.
    pub(crate) async fn stored(&self, server: &TestServer, answer: &str) -> String {
        let page = PageQuery { limit: 1_000, order: Order::Asc, after: None };
        let threads = server.store.list_threads(&self.user, None, page).await.unwrap().unwrap();
        let mut lines = Vec::new();
        let mut items = Vec::new();
        for thread in threads.data {
            let page = PageQuery { limit: 1_000, order: Order::Asc, after: None };
            let page = server.store.list_items(&self.user, thread.id, page).await.unwrap();
            items.extend(page.unwrap().data.into_iter().map(|record| record.item));
            lines.push(serde_json::to_string(&StoredThread::from(thread)).unwrap());
        }
        lines.extend(items.iter().map(|item| serde_json::to_string(item).unwrap()));
        let known = self.script() + answer;
        let known: Vec<AttachmentId> = known.split('"').filter_map(|id| id.parse().ok()).collect();
        let attachments = server.store.find_attachments(&self.user, &known).await.unwrap();
        let attachments = attachments.into_iter().map(StoredAttachment::from);
        lines.extend(attachments.map(|record| serde_json::to_string(&record).unwrap()));
        lines.join("\n")
    }
}

/// The SDK keeps what is private to an attachment in the message, too; the gateway keeps it in the
/// attachment's record alone.
fn without_metadata(mut entry: Value) -> Value {
    let attachments = entry.get_mut("content").is_some().then(|| entry.get_mut("attachments"));
    let attachments = attachments.flatten().and_then(Value::as_array_mut);
    for attachment in attachments.into_iter().flatten() {
        attachment.as_object_mut().unwrap().shift_remove("metadata");
    }
    entry
}

fn same(what: &str, expected: &str, found: &str) -> Result<(), String> {
    first_difference(expected, found)
        .map_or(Ok(()), |difference| Err(format!("{what}: {difference}")))
}

fn check(is_so: bool, found: &str) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(format!("found {found}")) }
}

/// `data: {json}` and an empty line, comments between them; nothing else.
fn check_framing(stream: &str) -> Result<(), String> {
    for frame in stream.split_terminator("\n\n") {
        let is_frame = frame.starts_with("data: {") || frame.starts_with(": ");
        check(is_frame && !frame.contains('\n'), frame)?;
    }
    check(stream.ends_with("\n\n"), "a stream that is cut off")
}

fn check_refusal(answer: &Answer, status: u16, code: &str) -> Result<(), String> {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let error = &body["error"];
    let says = |name: &str| error[name].as_str().is_some_and(|text| !text.is_empty());
    let is_so = answer.status == status && error["code"] == code;
    let is_so = is_so && says("message") && says("request_id");
    check(is_so, &format!("{} {}", answer.status, answer.body))
}
