//! Sessions whose end is told to other instances at once.

use std::sync::Arc;

use async_trait::async_trait;

use super::SessionStore;
use crate::{
    live::{Live, Signal},
    protocol::{Timestamp, UserId},
    store::{Result, Store, record::SessionRecord},
};

/// The sessions of a store; what is revoked is told when it is stored.
pub struct AnnouncedSessions {
    store: Arc<dyn Store>,
    live: Live,
}

impl AnnouncedSessions {
    /// Those of `store`, told by `live`.
    pub fn new(store: Arc<dyn Store>, live: Live) -> Self {
        Self { store, live }
    }
}

#[async_trait]
impl SessionStore for AnnouncedSessions {
    async fn insert_session(&self, session: SessionRecord) -> Result<()> {
        self.store.insert_session(session).await
    }

    async fn find_session(&self, sid: &str) -> Result<Option<SessionRecord>> {
        self.store.find_session(sid).await
    }

    async fn rotate_session(
        &self,
        sid: &str,
        expected: &str,
        next: &str,
        now: Timestamp,
    ) -> Result<bool> {
        self.store.rotate_session(sid, expected, next, now).await
    }

    async fn revoke_session(&self, sid: &str, user: &UserId, now: Timestamp) -> Result<()> {
        self.store.revoke_session(sid, user, now).await?;
        self.live.tell(&Signal::Revoked(sid.to_owned())).await;
        Ok(())
    }

    async fn list_revoked_sessions(&self, since: Timestamp) -> Result<Vec<String>> {
        self.store.list_revoked_sessions(since).await
    }
}
