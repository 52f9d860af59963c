//! The session methods of the store, in memory.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use chatkit_gateway::{
    auth::SessionStore,
    protocol::{Timestamp, UserId},
    store::{Result, StoreError, record::SessionRecord},
};

/// Each call gives way to others once before it acts, so that joined callers interleave.
#[derive(Clone, Default)]
pub(crate) struct MemoryStore(Arc<Inner>);

#[derive(Default)]
struct Inner {
    sessions: Mutex<HashMap<String, SessionRecord>>,
    is_down: AtomicBool,
}

impl MemoryStore {
    pub(crate) fn set_down(&self, is_down: bool) {
        self.0.is_down.store(is_down, Ordering::SeqCst);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.sessions.lock().unwrap().len()
    }

    async fn with<T>(
        &self,
        act: impl FnOnce(&mut HashMap<String, SessionRecord>) -> T,
    ) -> Result<T> {
        tokio::task::yield_now().await;
        if self.0.is_down.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("down".into()));
        }
        Ok(act(&mut self.0.sessions.lock().unwrap()))
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn insert_session(&self, session: SessionRecord) -> Result<()> {
        self.with(|sessions| assert!(sessions.insert(session.sid.clone(), session).is_none())).await
    }

    async fn find_session(&self, sid: &str) -> Result<Option<SessionRecord>> {
        self.with(|sessions| sessions.get(sid).cloned()).await
    }

    async fn rotate_session(
        &self,
        sid: &str,
        expected: &str,
        next: &str,
        now: Timestamp,
    ) -> Result<bool> {
        self.with(|sessions| {
            let Some(row) = sessions.get_mut(sid) else { return false };
            if row.current_jti != expected || row.revoked_at.is_some() {
                return false;
            }
            row.previous_jti = Some(std::mem::replace(&mut row.current_jti, next.to_owned()));
            row.rotated_at = now;
            true
        })
        .await
    }

    async fn revoke_session(&self, sid: &str, user: &UserId, now: Timestamp) -> Result<()> {
        self.with(|sessions| {
            let row = sessions.entry(sid.to_owned()).or_insert_with(|| SessionRecord {
                sid: sid.to_owned(),
                user_id: user.clone(),
                auth_time: now,
                current_jti: String::new(),
                previous_jti: None,
                rotated_at: now,
                revoked_at: None,
            });
            row.revoked_at.get_or_insert(now);
        })
        .await
    }

    async fn list_revoked_sessions(&self, since: Timestamp) -> Result<Vec<String>> {
        self.with(|sessions| {
            sessions
                .values()
                .filter(|row| row.revoked_at.is_some_and(|at| at >= since))
                .map(|row| row.sid.clone())
                .collect()
        })
        .await
    }
}
