//! What the streams of one worker share: a buffer to read into and what was counted.

use std::{
    future::poll_fn,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Poll, ready},
};

use anyhow::{anyhow, bail};

use super::{
    answer::Answer,
    audit::Said,
    clock::now,
    http::{Connection, ResponseReader},
    tally::{Tally, Times},
};

/// What one read takes at most.
const READ_BYTES: usize = 64 * 1024;

/// Shared by the tasks of one thread, so that its lock is always free.
pub(crate) struct Desk(Mutex<Inner>);

pub(crate) struct Inner {
    buffer: Box<[u8]>,
    pub(crate) tally: Tally,
    /// For the audit.
    pub(crate) said: Vec<Said>,
}

/// A request, and which time its first byte is counted in, from when on.
pub(crate) struct Request<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) since: u64,
    pub(crate) first_byte: fn(&mut Tally) -> &mut Times,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let buffer = vec![0; READ_BYTES].into_boxed_slice();
        Self(Mutex::new(Inner { buffer, tally: Tally::default(), said: Vec::new() }))
    }

    pub(crate) fn open(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what was counted and said, and leaves nothing.
    pub(crate) fn clear(&self) -> (Tally, Vec<Said>) {
        let mut inner = self.open();
        (std::mem::take(&mut inner.tally), std::mem::take(&mut inner.said))
    }

    /// Connects and notes the time it took.
    pub(crate) async fn connect(
        &self,
        address: std::net::SocketAddr,
    ) -> anyhow::Result<Connection> {
        let began = now();
        match Connection::open(address).await {
            Ok(connection) => {
                self.open().tally.connect.record(now() - began);
                Ok(connection)
            }
            Err(error) => bail!("no connection: {}", error.kind()),
        }
    }

    /// Sends a request and reads its answer to the end, unless it is dropped before. `on_read`
    /// looks at what there is after each read.
    pub(crate) async fn exchange(
        &self,
        connection: &mut Connection,
        request: Request<'_>,
        answer: &mut Answer,
        mut on_read: impl FnMut(&ResponseReader, &Answer),
    ) -> anyhow::Result<ResponseReader> {
        if let Err(error) = connection.send(request.bytes).await {
            bail!("not sent: {}", error.kind());
        }
        let mut response = ResponseReader::default();
        let mut is_first = true;
        // tokio ends the loop now and then: reads count against the budget of the task.
        poll_fn(|context| {
            while !response.has_ended() {
                let inner = &mut *self.open();
                let bytes = match ready!(connection.poll_read(context, &mut inner.buffer)) {
                    Ok([]) => return Poll::Ready(response.closed()),
                    Ok(bytes) => bytes,
                    Err(error) => return Poll::Ready(Err(anyhow!("broke off: {}", error.kind()))),
                };
                let (now, tally) = (now(), &mut inner.tally);
                if std::mem::take(&mut is_first) {
                    (request.first_byte)(tally).record(now - request.since);
                }
                response.feed(bytes, |body| answer.take(body, now, tally))?;
                on_read(&response, answer);
            }
            Poll::Ready(Ok(()))
        })
        .await?;
        let head = response.head().ok_or_else(|| anyhow!("no answer"))?;
        if head.status != 200 {
            bail!("status {}", head.status);
        }
        if let Some(thread) = head.header("x-thread-id") {
            answer.thread = Some(thread.to_owned());
        }
        Ok(response)
    }
}
