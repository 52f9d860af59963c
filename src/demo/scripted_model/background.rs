//! Responses in the background: they go on when nobody reads them, and can be read again from any
//! event.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_stream::stream;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use http_body_util::BodyExt as _;
use tokio::sync::watch;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::body::ScriptBody;

/// Responses that are kept, the newest ones.
const MAX_KEPT: usize = 1_024;

/// The responses that are kept.
#[derive(Debug, Default)]
pub(super) struct Kept {
    playing: TaskTracker,
    responses: Mutex<VecDeque<Arc<KeptResponse>>>,
}

/// A response that is kept.
#[derive(Debug)]
pub(super) struct KeptResponse {
    id: String,
    /// Its events; each stands at its sequence number.
    events: watch::Sender<Events>,
    /// Ends it; so does the end of the server.
    cancel: CancellationToken,
    _cancel_when_dropped: DropGuard,
}

#[derive(Debug, Default)]
struct Events {
    all: Vec<Bytes>,
    are_complete: bool,
}

impl Kept {
    /// Plays a script to its end, whoever reads it.
    pub(super) fn begin(&self, id: String, body: ScriptBody) -> Arc<KeptResponse> {
        let cancel = CancellationToken::new();
        let response = Arc::new(KeptResponse {
            id,
            events: watch::Sender::default(),
            _cancel_when_dropped: cancel.clone().drop_guard(),
            cancel: cancel.clone(),
        });
        let events = response.events.clone();
        self.playing.spawn(async move {
            let _ = cancel.run_until_cancelled(play(body, &events)).await;
            events.send_modify(|events| events.are_complete = true);
        });
        let mut responses = self.responses();
        if responses.len() == MAX_KEPT {
            responses.pop_front();
        }
        responses.push_back(response.clone());
        response
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<KeptResponse>> {
        self.responses().iter().find(|response| response.id == id).cloned()
    }

    fn responses(&self) -> MutexGuard<'_, VecDeque<Arc<KeptResponse>>> {
        self.responses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeptResponse {
    /// Ends it where it is.
    pub(super) fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Its events from a number on, those to come included.
    pub(super) fn read(
        self: Arc<Self>,
        first: usize,
    ) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> + Send {
        let mut changes = self.events.subscribe();
        stream! {
            let mut next = first;
            loop {
                let (news, are_complete) = {
                    let events = changes.borrow_and_update();
                    let news = events.all.get(next..).unwrap_or_default().concat();
                    next = next.max(events.all.len());
                    (news, events.are_complete)
                };
                if !news.is_empty() {
                    yield Ok(Bytes::from(news));
                }
                // `self` holds the sender.
                if are_complete || changes.changed().await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn play(mut body: ScriptBody, events: &watch::Sender<Events>) {
    let mut unfinished = BytesMut::new();
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(data) = frame.into_data() else { continue };
        unfinished.extend_from_slice(&data);
        let mut whole = Vec::new();
        while let Some(end) = memchr::memmem::find(&unfinished, b"\n\n") {
            whole.push(unfinished.split_to(end + 2).freeze());
        }
        events.send_modify(|events| events.all.extend(whole));
    }
}
