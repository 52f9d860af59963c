//! The server that is asked, and the requests it is asked with.

use std::time::Duration;

use anyhow::Context as _;
use chatkit_gateway::{
    auth::{MAX_DETACHED_TTL, SessionKeys},
    config::Config,
    protocol::{Timestamp, UserId},
};
use serde_json::json;

use super::{
    http::Endpoint,
    options::{Api, Options},
};

/// Who may ask, in whose name.
pub(crate) struct Target {
    pub(crate) endpoint: Endpoint,
    api: Api,
    /// The user's message: the script that the model plays.
    pub(crate) message: String,
    headers: Vec<String>,
    token: Option<String>,
    keys: Option<SessionKeys>,
    /// Of all users of this run, so that a second run finds no thread of the first.
    user_prefix: String,
}

impl Target {
    pub(crate) fn new(options: &Options, run: u64) -> anyhow::Result<Self> {
        let keys = if options.session_tokens {
            let config =
                Config::auth(|name| std::env::var(name).ok(), |path| std::fs::read_to_string(path))
                    .context("--session-tokens needs the gateway's secret in the environment")?;
            Some(SessionKeys::new(&config.session))
        } else {
            None
        };
        let script = json!({ "script": {
            "deltas": options.deltas, "interval_ms": options.interval_ms,
            "bytes": options.bytes, "stamp": true,
        }});
        Ok(Self {
            endpoint: Endpoint::parse(&options.url)?,
            api: options.api,
            message: script.to_string(),
            headers: options.headers.clone(),
            token: options.token.clone(),
            keys,
            user_prefix: format!("load-{run:x}"),
        })
    }

    /// A user of this run.
    pub(crate) fn user(&self, name: impl std::fmt::Display) -> User {
        let id = format!("{}-{name}", self.user_prefix);
        let mut headers: Vec<_> =
            self.headers.iter().map(|header| header.replace("{user}", &id)).collect();
        let token = match &self.keys {
            Some(keys) => {
                let user = UserId::parse(&id).expect("a prefix and a number are a user's id");
                let ttl: Duration = MAX_DETACHED_TTL;
                Some(keys.issue_detached(&user, ttl, Timestamp::now()).token)
            }
            None => self.token.clone(),
        };
        headers.extend(token.map(|token| format!("Authorization: Bearer {token}")));
        User { headers }
    }

    /// The request for an answer, in a thread or for a new one.
    pub(crate) fn ask(&self, user: &User, thread: Option<&str>) -> Vec<u8> {
        let text = &self.message;
        let body = match self.api {
            Api::Messages => json!({ "content": text, "thread_id": thread }),
            Api::Responses => json!({ "model": "scripted", "stream": true, "input": [
                { "role": "user", "content": text },
            ]}),
            Api::Chatkit => {
                let input = json!({
                    "content": [{ "type": "input_text", "text": text }],
                    "attachments": [], "inference_options": {},
                });
                match thread {
                    None => json!({ "type": "threads.create", "params": { "input": input } }),
                    Some(thread) => json!({
                        "type": "threads.add_user_message",
                        "params": { "thread_id": thread, "input": input },
                    }),
                }
            }
        };
        self.endpoint.post(&user.headers, &body.to_string())
    }

    /// The request for the events of a run, from the beginning or behind one of them.
    pub(crate) fn watch(&self, user: &User, run: &str, last_id: Option<&str>) -> Vec<u8> {
        let mut headers = user.headers.clone();
        headers.extend(last_id.map(|id| format!("Last-Event-ID: {id}")));
        self.endpoint.at(format!("/api/chatkit/runs/{run}/events")).get(&headers)
    }

    /// The request for a thread with its messages.
    pub(crate) fn thread(&self, user: &User, thread: &str) -> Vec<u8> {
        self.endpoint.at(format!("/api/chatkit/threads/{thread}")).get(&user.headers)
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct User {
    headers: Vec<String>,
}
