//! `[limits]`: what one user, one address and all together may take.

use serde::Deserialize;

use crate::{
    chat::MessageLimits,
    limits::{RequestSettings, TrustedProxies},
    run::{RunLimits, TokensADay},
};

use super::vars::Vars;

/// `[limits]`. 0 is no limit, unless that is said to be wrong.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsFile {
    /// Requests of one address in a minute; those of one user are `CHATKIT_REQUESTS_PER_MINUTE`.
    pub requests_per_minute_per_address: u32,
    /// Connections at a time; more wait. At least 1.
    pub connections: usize,
    /// Connections of one address at a time; more are refused.
    pub connections_per_address: usize,
    /// Whether the limits of addresses hold for private ones, too.
    pub private_addresses: bool,
    /// Proxies, or networks of them, that say in `X-Forwarded-For` for whom a request is made.
    pub trusted_proxies: Vec<String>,
    /// Tokens that models may use in a day (UTC), for one user.
    pub tokens_per_day_per_user: u64,
    /// For all users together.
    pub tokens_per_day: u64,
    /// The longest message, in characters. At least 1.
    pub message_characters: usize,
    /// The most attachments of a message.
    pub attachments_per_message: usize,
    /// How often the model is asked for one answer. At least 1.
    pub model_turns: u32,
    /// How large the events of one answer may grow, in bytes. At least 64 KiB.
    pub answer_bytes: usize,
}

/// The least `answer_bytes`: less would end answers in the middle of ordinary tool calls.
const LEAST_ANSWER: usize = 64 * 1024;

impl Default for LimitsFile {
    fn default() -> Self {
        let (messages, runs) = (MessageLimits::default(), RunLimits::default());
        Self {
            requests_per_minute_per_address: RequestSettings::default().per_address,
            connections: 20_000,
            connections_per_address: 200,
            private_addresses: false,
            trusted_proxies: Vec::new(),
            tokens_per_day_per_user: 0,
            tokens_per_day: 0,
            message_characters: messages.max_characters,
            attachments_per_message: messages.max_attachments,
            model_turns: 16,
            answer_bytes: runs.max_output_bytes,
        }
    }
}

impl LimitsFile {
    /// How many requests there may be.
    pub(super) fn requests(&self, vars: &mut Vars<'_>) -> RequestSettings {
        const PER_USER: &str = "CHATKIT_REQUESTS_PER_MINUTE";
        let mut problem = |what: &str| vars.problem("gateway.toml", what);
        for (is_wrong, what) in [
            (self.connections == 0, "limits.connections must be at least 1"),
            (self.message_characters == 0, "limits.message_characters must be at least 1"),
            (self.model_turns == 0, "limits.model_turns must be at least 1"),
            (self.answer_bytes < LEAST_ANSWER, "limits.answer_bytes must be at least 65536"),
        ] {
            if is_wrong {
                problem(what);
            }
        }
        let proxies = TrustedProxies::parse(&self.trusted_proxies).unwrap_or_else(|wrong| {
            problem(&format!(
                "limits.trusted_proxies: {wrong:?} must be an address, or a network as 10.0.0.0/8"
            ));
            TrustedProxies::default()
        });
        RequestSettings {
            per_user: vars.parsed(PER_USER, "120", "a number; 0 is no limit"),
            per_address: self.requests_per_minute_per_address,
            private_addresses: self.private_addresses,
            proxies,
        }
    }

    /// What messages may hold.
    pub(super) fn messages(&self) -> MessageLimits {
        MessageLimits {
            max_characters: self.message_characters,
            max_attachments: self.attachments_per_message,
        }
    }

    /// How many tokens models may use.
    pub(super) fn tokens_a_day(&self) -> TokensADay {
        TokensADay { per_user: self.tokens_per_day_per_user, all: self.tokens_per_day }
    }
}
