//! What a test may ask the model: which calls came, which are open, how they ended.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use super::ModelCall;

/// Calls that are kept, the newest ones: a load test makes thousands of them.
const MAX_RECORDED_CALLS: usize = 256;

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// As its script wanted: whole, cut, or refused.
    Played,
    /// The client left before the script was over, or the server was stopped.
    ClosedByClient,
}

/// How many there are, and were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls that were read, refused ones left out.
    pub calls: u64,
    /// Calls whose answer goes on.
    pub open_calls: u64,
    /// Calls that the client left before their end.
    pub closed_by_client: u64,
    /// TCP connections that are open.
    pub open_connections: u64,
}

/// A call that came.
#[derive(Clone, Debug)]
pub struct RecordedCall {
    /// What was asked.
    pub call: Arc<ModelCall>,
    end: watch::Receiver<Option<CallEnd>>,
}

impl RecordedCall {
    /// How it ended; `None` while it goes on.
    pub fn end(&self) -> Option<CallEnd> {
        *self.end.borrow()
    }

    /// Waits for its end.
    pub async fn ended(&self) -> CallEnd {
        let mut end = self.end.clone();
        let ended = end.wait_for(Option::is_some).await.map(|end| *end);
        // The sender says how it ended before it is dropped.
        ended.ok().flatten().unwrap_or(CallEnd::ClosedByClient)
    }
}

/// Where calls and connections are counted.
#[derive(Debug, Default)]
pub(super) struct Observer {
    counters: watch::Sender<Counters>,
    recorded: Mutex<VecDeque<RecordedCall>>,
}

impl Observer {
    /// Numbers a call, keeps it, and counts it as open until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>, mut call: ModelCall) -> (Arc<ModelCall>, CallGuard) {
        let (sender, end) = watch::channel(None);
        let mut recorded = self.recorded();
        call.number = self.counters.borrow().calls + 1;
        let call = Arc::new(call);
        if recorded.len() == MAX_RECORDED_CALLS {
            recorded.pop_front();
        }
        recorded.push_back(RecordedCall { call: Arc::clone(&call), end });
        // Counted after it is kept, and under the same lock: whoever sees the count finds the call.
        self.counters.send_modify(|counters| {
            counters.calls += 1;
            counters.open_calls += 1;
        });
        (call, CallGuard { observer: Arc::clone(self), end: sender, is_played: false })
    }

    /// Counts a connection until the guard is dropped.
    pub(super) fn connection(self: &Arc<Self>) -> ConnectionGuard {
        self.counters.send_modify(|counters| counters.open_connections += 1);
        ConnectionGuard(Arc::clone(self))
    }

    pub(super) fn counters(&self) -> Counters {
        *self.counters.borrow()
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Counters> {
        self.counters.subscribe()
    }

    pub(super) fn calls(&self) -> Vec<RecordedCall> {
        self.recorded().iter().cloned().collect()
    }

    pub(super) fn call(&self, number: u64) -> Option<RecordedCall> {
        self.recorded().iter().find(|recorded| recorded.call.number == number).cloned()
    }

    fn recorded(&self) -> MutexGuard<'_, VecDeque<RecordedCall>> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open call. Dropped before [`played`](Self::played), the client has left.
#[derive(Debug)]
pub(super) struct CallGuard {
    observer: Arc<Observer>,
    end: watch::Sender<Option<CallEnd>>,
    is_played: bool,
}

impl CallGuard {
    /// The script is over.
    pub(super) fn played(&mut self) {
        self.is_played = true;
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        let end = if self.is_played { CallEnd::Played } else { CallEnd::ClosedByClient };
        self.observer.counters.send_modify(|counters| {
            counters.open_calls -= 1;
            counters.closed_by_client += u64::from(!self.is_played);
        });
        self.end.send_replace(Some(end));
    }
}

/// An open connection.
#[derive(Debug)]
pub(super) struct ConnectionGuard(Arc<Observer>);

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.0.counters.send_modify(|counters| counters.open_connections -= 1);
    }
}
