//! Streams: each asks, reads its answer to the end, and asks again as often as it is to.

use std::{
    sync::{Arc, Barrier},
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout_at},
};

use super::{
    answer::Answer,
    audit::Said,
    clock::now,
    desk::{Desk, Request},
    http::Connection,
    options::Options,
    tally::Tally,
    target::{Target, User},
};

/// Connections that are opened at a time before the start: more would overrun the backlog of
/// many a server, and a lost SYN costs a second.
const CONNECTING: usize = 32;

/// Before a stream asks again.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// The streams of one worker: those of all whose number leaves its own over.
pub(crate) async fn run_worker(
    options: Arc<Options>,
    target: Arc<Target>,
    worker: usize,
    desk: Arc<Desk>,
    start: Arc<Barrier>,
) {
    let mut streams = Vec::new();
    for number in (worker..options.streams).step_by(options.threads) {
        streams.push(Stream {
            number,
            user: target.user(number),
            connection: None,
            thread: None,
            options: Arc::clone(&options),
            target: Arc::clone(&target),
            desk: Arc::clone(&desk),
        });
    }
    if options.over.is_zero() {
        streams = connect_all(streams).await;
    }
    // The runtime has nothing else to do meanwhile.
    start.wait();
    let began = Instant::now();
    let mut tasks: JoinSet<()> = streams.into_iter().map(|stream| stream.run(began)).collect();
    while tasks.join_next().await.is_some() {}
}

async fn connect_all(streams: Vec<Stream>) -> Vec<Stream> {
    let mut waiting = streams.into_iter();
    let mut connecting = JoinSet::new();
    let mut connected = Vec::with_capacity(waiting.len());
    loop {
        while connecting.len() < CONNECTING
            && let Some(stream) = waiting.next()
        {
            connecting.spawn(stream.connected());
        }
        match connecting.join_next().await {
            Some(Ok(stream)) => connected.push(stream),
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            None => return connected,
        }
    }
}

struct Stream {
    number: usize,
    user: User,
    connection: Option<Connection>,
    /// Where the next message goes.
    thread: Option<String>,
    options: Arc<Options>,
    target: Arc<Target>,
    desk: Arc<Desk>,
}

impl Stream {
    /// With an open connection, if there is one to be had; a failure is seen when it is used.
    async fn connected(mut self) -> Self {
        self.connection = self.desk.connect(self.target.endpoint.address).await.ok();
        self
    }

    async fn run(mut self, began: Instant) {
        #[expect(clippy::cast_precision_loss, reason = "a share of a time")]
        let share = self.number as f64 / self.options.streams as f64;
        sleep_until(began + self.options.over.mul_f64(share)).await;
        match self.options.duration {
            Some(duration) => {
                while began.elapsed() < duration {
                    self.ask().await;
                }
            }
            None => {
                for _ in 0..self.options.messages {
                    self.ask().await;
                }
            }
        }
    }

    /// Asks once and notes what came of it.
    async fn ask(&mut self) {
        let thread = self.thread.take().filter(|_| self.options.same_thread);
        let request = self.target.ask(&self.user, thread.as_deref());
        let mut answer = Answer::asked(now());
        let deadline = Instant::now() + self.options.timeout;
        let failure = match timeout_at(deadline, self.exchange(&request, &mut answer)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("took too long".to_owned()),
        };
        self.note(&answer, failure.as_deref());
        self.thread = answer.thread.or(thread);
        if failure.is_some() {
            // A server that is down must not make this a busy loop.
            sleep(PAUSE_AFTER_FAILURE).await;
        }
    }

    fn note(&self, answer: &Answer, failure: Option<&str>) {
        let (options, mut desk) = (&self.options, self.desk.open());
        answer.end(failure, options.deltas, options.stall, now(), &mut desk.tally);
        if let Some(thread) = answer.thread.as_deref()
            && options.audit
        {
            desk.said.push(Said::new(&self.user, thread, answer.done()));
        }
    }

    async fn exchange(&mut self, request: &[u8], answer: &mut Answer) -> anyhow::Result<()> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.desk.connect(self.target.endpoint.address).await?,
        };
        let asked_at = now();
        *answer = Answer::asked(asked_at);
        self.desk.open().tally.begin(asked_at);
        let request = Request { bytes: request, since: asked_at, first_byte: Tally::first_byte };
        let response = self.desk.exchange(&mut connection, request, answer, |_, _| {}).await?;
        if response.keeps_connection() {
            self.connection = Some(connection);
        }
        Ok(())
    }
}
