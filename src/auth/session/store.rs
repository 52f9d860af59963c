//! The part of the store that sessions live in.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    protocol::{Timestamp, UserId},
    store::{Result, Store, record::SessionRecord},
};

/// The session methods of [`Store`], which documents them. A trait of its own, so that a stand-in
/// for tests is small.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// See [`Store::insert_session`].
    async fn insert_session(&self, session: SessionRecord) -> Result<()>;

    /// See [`Store::find_session`].
    async fn find_session(&self, sid: &str) -> Result<Option<SessionRecord>>;

    /// See [`Store::rotate_session`].
    async fn rotate_session(
        &self,
        sid: &str,
        expected: &str,
        next: &str,
        now: Timestamp,
    ) -> Result<bool>;

    /// See [`Store::revoke_session`].
    async fn revoke_session(&self, sid: &str, user: &UserId, now: Timestamp) -> Result<()>;

    /// See [`Store::list_revoked_sessions`].
    async fn list_revoked_sessions(&self, since: Timestamp) -> Result<Vec<String>>;
}

// Each method names `Store`, lest it call itself.
#[async_trait]
impl SessionStore for Arc<dyn Store> {
    async fn insert_session(&self, session: SessionRecord) -> Result<()> {
        Store::insert_session(&**self, session).await
    }

    async fn find_session(&self, sid: &str) -> Result<Option<SessionRecord>> {
        Store::find_session(&**self, sid).await
    }

    async fn rotate_session(
        &self,
        sid: &str,
        expected: &str,
        next: &str,
        now: Timestamp,
    ) -> Result<bool> {
        Store::rotate_session(&**self, sid, expected, next, now).await
    }

    async fn revoke_session(&self, sid: &str, user: &UserId, now: Timestamp) -> Result<()> {
        Store::revoke_session(&**self, sid, user, now).await
    }

    async fn list_revoked_sessions(&self, since: Timestamp) -> Result<Vec<String>> {
        Store::list_revoked_sessions(&**self, since).await
    }
}
