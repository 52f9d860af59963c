//! Many clients of few users at once, all requests mixed: no server error, nothing that the
//! official types refuse, and every thread consistent afterwards.
//!
//! `CROWD_SECONDS` and `CROWD_CLIENTS` make it longer and larger than the 2 s and 20 clients that
//! fit a run of all tests.

mod audit;
mod client;
mod party;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chatkit_gateway::{app::Parts, attachments::AttachmentStore};
use tokio::{task::JoinSet, time::Instant};

use self::{
    client::{Client, Room, Seen},
    party::{NoFiles, Party},
};
use crate::{database::TestDatabase, server::TestServer};

/// Clients of one user, who get in each other's way.
const CLIENTS_OF_A_USER: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs TEST_SDK_PYTHON"]
async fn a_crowd_breaks_nothing_on_sqlite() {
    let database = TestDatabase::sqlite();
    crowd(&database.url).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs TEST_SDK_PYTHON and TEST_POSTGRES_URL"]
async fn a_crowd_breaks_nothing_on_postgres() {
    let database = TestDatabase::postgres().await;
    crowd(&database.url).await;
}

#[expect(clippy::print_stdout, reason = "the figures are for whoever looks at the test's output")]
async fn crowd(database: &str) {
    let seconds = number("CROWD_SECONDS", 2);
    let clients = number("CROWD_CLIENTS", 20);
    let server = TestServer::start_on(database, |store| Parts {
        files: Some(Arc::new(NoFiles) as Arc<dyn AttachmentStore>),
        ..Parts::new(store, Arc::new(Party))
    });
    let server = Arc::new(server.await);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut rooms: Vec<Arc<Room>> = Vec::new();
    let mut tasks = JoinSet::new();
    for number in 0..clients {
        if usize::try_from(number).unwrap().is_multiple_of(CLIENTS_OF_A_USER) {
            rooms.push(Arc::new(Room::new(&format!("user-{number}"))));
        }
        let room = rooms.last().unwrap().clone();
        let client = Client::new(number, room, server.clone());
        tasks.spawn(client.work_until(end));
    }

    let mut seen = Seen::default();
    while let Some(done) = tasks.join_next().await {
        seen.add(done.unwrap());
    }

    println!("{clients} clients for {seconds} s: {}", seen.figures());
    assert_eq!(seen.failures, BTreeMap::new(), "answers of 500 and above");
    audit::wait_for_the_last_runs(&server, &seen).await;
    for room in &rooms {
        audit::check(&server, room, &seen).await;
    }
    Arc::into_inner(server).unwrap().stop().await;
    let report = seen.sent.judge();
    println!("the official types: {}", report.figures());
    report.assert_read();
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}
