//! What listing costs a user with 100,000 threads against one with 100: the first page, one from the
//! middle, and the threads that are not archived when nearly all are. Medians and their ratios.
//!
//! ```text
//! cargo bench --bench many_threads
//! DATABASE_URL=postgres://… cargo bench --bench many_threads      # an empty database
//! ```

#![expect(clippy::print_stdout, reason = "it reports on its standard output")]

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use chatkit_gateway::{
    protocol::{Order, ThreadId, Timestamp, UserId},
    store::{
        self, OpenOptions, PageQuery, Store,
        record::{NewThread, ThreadPatch},
    },
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

/// How many threads the users have.
const THREADS: [usize; 2] = [100, 100_000];
/// How often each page is read.
const ROUNDS: usize = 200;
/// Threads of a page.
const PAGE: usize = 20;
/// How many threads are made at a time.
const AT_ONCE: usize = 64;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = format!("sqlite://{}/bench.db", folder.path().display());
    let database = std::env::var("DATABASE_URL").unwrap_or(file);
    let store = store::open(&database, OpenOptions::default()).await?;
    let mut users = Vec::new();
    for count in THREADS {
        users.push(Owner::new(&store, count).await?);
    }
    let mut times: BTreeMap<(&str, usize), Vec<Duration>> = BTreeMap::new();
    for _ in 0..ROUNDS {
        for user in &users {
            for (what, time) in user.measure(&*store).await? {
                times.entry((what, user.count)).or_default().push(time);
            }
        }
    }
    println!("{} on {}", store.kind(), std::env::consts::ARCH);
    report(times);
    store.close().await;
    Ok(())
}

/// A user with many threads, of which all but every hundredth are archived.
struct Owner {
    name: UserId,
    count: usize,
    middle: ThreadId,
}

impl Owner {
    async fn new(store: &Arc<dyn Store>, count: usize) -> anyhow::Result<Self> {
        let name = UserId::parse(&format!("owner-of-{count}"))?;
        let ids: Vec<ThreadId> = (0..count).map(|_| ThreadId::new()).collect();
        let made = stream::iter(ids.iter().enumerate()).map(|(number, id)| {
            let (store, user, now) = (store.clone(), name.clone(), Timestamp::now());
            let title = Some(format!("Thread {number}"));
            let new = NewThread { id: *id, user_id: user.clone(), title, now };
            async move {
                store.insert_thread(new).await?;
                if !number.is_multiple_of(100) {
                    let patch =
                        ThreadPatch { archived_at: Some(Some(now)), ..ThreadPatch::default() };
                    store.update_thread(&user, *id, patch, now).await?;
                }
                anyhow::Ok(())
            }
        });
        made.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        Ok(Self { name, count, middle: ids[count / 2] })
    }

    async fn measure(&self, store: &dyn Store) -> anyhow::Result<[(&'static str, Duration); 3]> {
        Ok([
            ("first page", self.time(store, None, None).await?),
            ("a page from the middle", self.time(store, None, Some(self.middle)).await?),
            ("first page, not archived", self.time(store, Some(false), None).await?),
        ])
    }

    async fn time(
        &self,
        store: &dyn Store,
        archived: Option<bool>,
        after: Option<ThreadId>,
    ) -> anyhow::Result<Duration> {
        let query = PageQuery { limit: PAGE, order: Order::Desc, after };
        let began = Instant::now();
        let page = store.list_threads(&self.name, archived, query).await?;
        let time = began.elapsed();
        ensure!(!page.context("the cursor is the user's")?.data.is_empty(), "the page is empty");
        Ok(time)
    }
}

fn report(mut times: BTreeMap<(&str, usize), Vec<Duration>>) {
    let mut medians: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for ((what, _), times) in &mut times {
        times.sort_unstable();
        medians.entry(what).or_default().push(times[times.len() / 2].as_secs_f64() * 1e3);
    }
    println!("{:32} {:>10} {:>12} {:>7}", "median of", "100", "100,000", "ratio");
    for (what, medians) in medians {
        let [few, many] = medians[..] else { continue };
        println!("{what:32} {few:>7.3} ms {many:>9.3} ms {:>7.2}", many / few);
    }
}
