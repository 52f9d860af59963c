//! Requests with the same idempotency key, one behind the other.
//!
//! The database decides what a key is worth. This only keeps requests that come at once from
//! taking a place for a run each, when at most one of them will have one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Weak},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::{protocol::UserId, store::record::IdempotencyKey};

type Name = (UserId, String, String);

/// Who is at which key.
#[derive(Debug, Default)]
pub(super) struct KeyQueue {
    doors: Mutex<HashMap<Name, Weak<AsyncMutex<()>>>>,
}

/// The turn of one request; the next one's comes when it is dropped.
pub(super) struct KeyTurn {
    _door: OwnedMutexGuard<()>,
}

impl KeyQueue {
    /// Waits for the turn of a request with this key.
    pub(super) async fn enter(&self, user: &UserId, key: &IdempotencyKey) -> KeyTurn {
        let door = self.door((user.clone(), key.route.clone(), key.key.clone()));
        KeyTurn { _door: door.lock_owned().await }
    }

    fn door(&self, name: Name) -> Arc<AsyncMutex<()>> {
        let mut doors = self.doors.lock().expect("no panic happens while locked");
        if let Some(door) = doors.get(&name).and_then(Weak::upgrade) {
            return door;
        }
        if doors.len() == doors.capacity() {
            // Before it grows: those that nobody holds any more.
            doors.retain(|_, door| door.strong_count() > 0);
        }
        let door = Arc::default();
        doors.insert(name, Arc::downgrade(&door));
        door
    }
}
