//! Many readers of one run, all of which lose their connection at once and come back at once.

use std::sync::Arc;

use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, timeout_at},
};

use super::{
    answer::Answer,
    audit::Said,
    clock::now,
    desk::{Desk, Request},
    http::ResponseReader,
    options::Options,
    tally::{Tally, Times},
    target::{Target, User},
};

/// Where the run is, as its readers need to know it.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// Its id, once it has begun.
    run: Option<String>,
    /// When all lost their connections.
    dropped_at: Option<u64>,
}

/// One stream asks, and so many readers watch its run.
pub(crate) async fn run_readers(
    options: Arc<Options>,
    target: Arc<Target>,
    readers: usize,
    desk: Arc<Desk>,
) {
    let user = target.user("reader");
    let (progress, watched) = watch::channel(Progress::default());
    let mut tasks = JoinSet::new();
    for _ in 0..readers {
        let reader = Reader {
            options: Arc::clone(&options),
            target: Arc::clone(&target),
            desk: Arc::clone(&desk),
            user: user.clone(),
            progress: watched.clone(),
        };
        tasks.spawn(reader.run());
    }
    drop(watched);
    ask(&options, &target, &user, &desk, progress).await;
    while tasks.join_next().await.is_some() {}
}

/// Reads the answer as any stream does, and tells the readers of it.
async fn ask(
    options: &Options,
    target: &Target,
    user: &User,
    desk: &Desk,
    progress: watch::Sender<Progress>,
) {
    let bytes = target.ask(user, None);
    let mut answer = Answer::default();
    let asking = async {
        let mut connection = desk.connect(target.endpoint.address).await?;
        let since = now();
        answer = Answer::asked(since);
        desk.open().tally.begin(since);
        let request = Request { bytes: &bytes, since, first_byte: Tally::first_byte };
        let tell = |response: &ResponseReader, answer: &Answer| {
            tell(&progress, response, answer, options.deltas / 2);
        };
        desk.exchange(&mut connection, request, &mut answer, tell).await
    };
    let deadline = Instant::now() + options.timeout;
    let failure = failure_of(timeout_at(deadline, asking).await);
    let mut desk = desk.open();
    answer.end(failure.as_deref(), options.deltas, options.stall, now(), &mut desk.tally);
    if let Some(thread) = &answer.thread
        && options.audit
    {
        desk.said.push(Said::new(user, thread, answer.done()));
    }
}

/// Publishes the run's id, and that all connections are lost, once each.
fn tell(
    progress: &watch::Sender<Progress>,
    response: &ResponseReader,
    answer: &Answer,
    drop_after: u64,
) {
    progress.send_if_modified(|progress| {
        let run = response.head().and_then(|head| head.header("x-run-id"));
        if progress.run.is_none() && run.is_some() {
            progress.run = run.map(str::to_owned);
            true
        } else if progress.dropped_at.is_none() && answer.seen() >= drop_after {
            progress.dropped_at = Some(now());
            true
        } else {
            false
        }
    });
}

struct Reader {
    options: Arc<Options>,
    target: Arc<Target>,
    desk: Arc<Desk>,
    user: User,
    progress: watch::Receiver<Progress>,
}

impl Reader {
    async fn run(mut self) {
        let Some(run) = self.begun().await else {
            self.desk.open().tally.fail("no run to read");
            return;
        };
        let since = now();
        let mut answer = Answer::asked(since);
        self.desk.open().tally.begin(since);
        let deadline = Instant::now() + self.options.timeout;
        let failure = failure_of(timeout_at(deadline, self.read(&run, &mut answer)).await);
        let (options, mut desk) = (&self.options, self.desk.open());
        answer.end(failure.as_deref(), options.deltas, options.stall, now(), &mut desk.tally);
    }

    /// Waits for the run; `None` when there is none.
    async fn begun(&mut self) -> Option<String> {
        let progress = self.progress.wait_for(|progress| progress.run.is_some()).await.ok()?;
        progress.run.clone()
    }

    /// Reads until the connection is lost, and then on from where it was.
    async fn read(&mut self, run: &str, answer: &mut Answer) -> anyhow::Result<()> {
        let since = now();
        let dropped_at = {
            let mut progress = self.progress.clone();
            tokio::select! {
                read = self.read_once(run, answer, since, Tally::first_byte) => return read,
                Ok(lost) = progress.wait_for(|progress| progress.dropped_at.is_some()) => {
                    lost.dropped_at.unwrap_or(since)
                }
            }
        };
        answer.events.disconnect();
        self.read_once(run, answer, dropped_at, Tally::reconnect).await
    }

    async fn read_once(
        &self,
        run: &str,
        answer: &mut Answer,
        since: u64,
        first_byte: fn(&mut Tally) -> &mut Times,
    ) -> anyhow::Result<()> {
        let bytes = self.target.watch(&self.user, run, answer.events.last_id());
        let mut connection = self.desk.connect(self.target.endpoint.address).await?;
        let request = Request { bytes: &bytes, since, first_byte };
        self.desk.exchange(&mut connection, request, answer, |_, _| {}).await.map(drop)
    }
}

/// What a stream failed of, in a few words.
fn failure_of<T>(read: Result<anyhow::Result<T>, tokio::time::error::Elapsed>) -> Option<String> {
    match read {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("took too long".to_owned()),
    }
}
