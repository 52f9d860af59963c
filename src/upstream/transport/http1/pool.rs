//! Connections that wait for their next request.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, Weak},
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::socket::Socket;

/// Most connections that are kept: enough that a thousand runs, each with a question every few
/// seconds, seldom have to make one; with TLS some 20 KiB each.
const MAX_IDLE: usize = 128;

/// The idle connections to one server, all made in the same runtime. Clones share them; when the
/// last one is dropped they are closed.
#[derive(Clone, Default)]
pub(super) struct Pool(Arc<Mutex<Shared>>);

#[derive(Default)]
struct Shared {
    /// The one used last is at the end.
    idle: Vec<Idle>,
    is_swept: bool,
    /// What goes on behind requests, aborted with the pool. None of it holds the pool, or not for
    /// longer than a moment.
    tasks: JoinSet<()>,
}

struct Idle {
    socket: Socket,
    until: Instant,
}

impl Pool {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().expect("no panic happens while the pool is locked")
    }

    /// Keeps a connection for at most this long. Nothing more is to come on it.
    pub(super) fn put(&self, socket: Socket, keep_alive: Duration) {
        let until = Instant::now() + keep_alive;
        let mut shared = self.shared();
        if shared.idle.len() >= MAX_IDLE || keep_alive.is_zero() {
            return;
        }
        shared.idle.push(Idle { socket, until });
        if !std::mem::replace(&mut shared.is_swept, true) {
            let pool = Arc::downgrade(&self.0);
            shared.spawn(sweep(pool));
        }
    }

    /// The connection used last that is still good.
    pub(super) fn take(&self) -> Option<Socket> {
        let now = Instant::now();
        let mut shared = self.shared();
        while let Some(Idle { socket, until }) = shared.idle.pop() {
            if until > now && socket.is_quiet() {
                return Some(socket);
            }
        }
        None
    }

    /// Runs a task until its end or that of the pool.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.shared().spawn(task);
    }
}

impl Shared {
    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(task);
    }
}

/// Closes what was idle for too long, until nothing is. One server wishes the same time for all, so
/// it is enough to sleep until the next is due; [`Pool::take`] looks at the time as well.
async fn sweep(pool: Weak<Mutex<Shared>>) {
    loop {
        let Some(pool) = pool.upgrade().map(Pool) else { return };
        let now = Instant::now();
        let next = {
            let mut shared = pool.shared();
            shared.idle.retain(|idle| idle.until > now);
            let next = shared.idle.iter().map(|idle| idle.until).min();
            shared.is_swept = next.is_some();
            next
        };
        drop(pool);
        match next {
            Some(next) => sleep_until(next).await,
            None => return,
        }
    }
}
