//! What a model's server takes and does differently from others that speak the same API.
//!
//! A profile says what is **sent**. What is **read** does not depend on it: each dialect reads all
//! the forms that servers are known to answer in, since proxies stand between and versions change.
//! `docs/model-servers.md` has the table, with the sources.

use reqwest::Url;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Ollama's port, which is nobody else's: 11434 is how one writes "llama" in digits.
const OLLAMA_PORT: u16 = 11434;

/// A server that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Server {
    /// OpenAI's own API.
    Openai,
    /// Azure OpenAI, in Microsoft Foundry.
    Azure,
    /// vLLM.
    Vllm,
    /// llama.cpp's `llama-server`, and what is built on it.
    LlamaCpp,
    /// Ollama.
    Ollama,
    /// OpenRouter.
    Openrouter,
    /// Any other: what all of them take.
    Compatible,
}

impl Server {
    /// The server that this address belongs to, as far as that can be told from it.
    pub fn of_url(base_url: &str) -> Self {
        let url = Url::parse(base_url.trim()).ok();
        let Some(url) = url.as_ref().filter(|url| url.has_host()) else { return Self::Compatible };
        let host = url.host_str().unwrap_or_default();
        let is_below = |domain: &str| {
            host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        // A name within a network of containers mostly says what runs there.
        let first = host.split('.').next().unwrap_or_default();
        let is_named = |name: &str| first == name || first.starts_with(&format!("{name}-"));
        let azure = ["openai.azure.com", "services.ai.azure.com", "cognitiveservices.azure.com"];
        if is_below("api.openai.com") {
            Self::Openai
        } else if azure.into_iter().any(is_below) {
            Self::Azure
        } else if is_below("openrouter.ai") {
            Self::Openrouter
        } else if url.port() == Some(OLLAMA_PORT) || is_named("ollama") || is_below("ollama.com") {
            Self::Ollama
        } else if is_named("vllm") {
            Self::Vllm
        } else if ["llama-cpp", "llamacpp", "llama-server"].into_iter().any(is_named) {
            Self::LlamaCpp
        } else {
            Self::Compatible
        }
    }
}

/// How requests to a server are made.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a trait of its own of a server")]
pub struct Profile {
    /// Which server it is.
    pub server: Server,
    /// How the key is presented.
    pub key_header: KeyHeader,
    /// Whether a stream is asked for its usage (`stream_options.include_usage`). Without it answers
    /// have no usage, unless the server gives it unasked. Chat Completions only.
    pub include_usage: bool,
    /// Whether the padding of streams can be switched off (`stream_options.include_obfuscation`).
    pub obfuscation: bool,
    /// In which role the instructions go. Chat Completions only.
    pub instructions_role: InstructionsRole,
    /// What the limit of an answer's tokens is called. Chat Completions only.
    pub token_limit: TokenLimit,
    /// As which members the cache key and the hashed user go.
    pub identity: Identity,
    /// Whether the server keeps answers unless it is told not to, and gives reasoning in a form that
    /// can be sent back. The Responses API only.
    pub keeps_answers: bool,
    /// Whether images may be given by an address that the server fetches.
    pub fetches_images: bool,
    /// The longest answer, in tokens, thoughts included; the server's own limit without it.
    pub max_output_tokens: Option<u32>,
    /// Members of every request, beside those that the gateway makes.
    pub extra_body: Map<String, Value>,
}

/// How a key is presented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyHeader {
    /// `Authorization: Bearer`.
    #[default]
    Bearer,
    /// `api-key`, as Azure's keys are; its tokens of Entra ID are bearer tokens.
    ApiKey,
}

/// In which role instructions go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstructionsRole {
    /// Known everywhere; OpenAI reads it as `developer` where a model has that.
    #[default]
    System,
    /// Of OpenAI's newer models. Chat templates of open models leave it out without a word.
    Developer,
}

/// What the limit of tokens is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenLimit {
    /// The older name, and the only one that some servers know.
    #[default]
    MaxTokens,
    /// OpenAI's, whose reasoning models refuse the older one.
    MaxCompletionTokens,
}

/// As which members the cache key and the hashed user go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// Not at all.
    #[default]
    None,
    /// `user` alone.
    User,
    /// `prompt_cache_key` and `safety_identifier`.
    Openai,
}

impl Profile {
    /// What is known of a server.
    pub fn of(server: Server) -> Self {
        let plain = Self {
            server,
            key_header: KeyHeader::Bearer,
            include_usage: true,
            obfuscation: false,
            instructions_role: InstructionsRole::System,
            token_limit: TokenLimit::MaxTokens,
            identity: Identity::None,
            keeps_answers: false,
            fetches_images: true,
            max_output_tokens: None,
            extra_body: Map::new(),
        };
        match server {
            Server::Openai => Self {
                obfuscation: true,
                token_limit: TokenLimit::MaxCompletionTokens,
                identity: Identity::Openai,
                keeps_answers: true,
                ..plain
            },
            // Its dated versions refuse members that they do not know.
            Server::Azure => Self {
                key_header: KeyHeader::ApiKey,
                token_limit: TokenLimit::MaxCompletionTokens,
                keeps_answers: true,
                ..plain
            },
            Server::Openrouter => Self { identity: Identity::User, ..plain },
            // "invalid image input", and the whole conversation with it.
            Server::Ollama => Self { fetches_images: false, ..plain },
            Server::Vllm | Server::LlamaCpp | Server::Compatible => plain,
        }
    }

    /// What can be told from an address.
    pub fn of_url(base_url: &str) -> Self {
        Self::of(Server::of_url(base_url))
    }

    /// The key of a cache that OpenAI takes.
    pub(super) fn cache_key<'a>(&self, key: Option<&'a str>) -> Option<&'a str> {
        key.filter(|_| self.identity == Identity::Openai)
    }

    /// Who asks, hashed, as OpenAI takes it.
    pub(super) fn safety_identifier<'a>(&self, user: Option<&'a str>) -> Option<&'a str> {
        user.filter(|_| self.identity == Identity::Openai)
    }

    /// Who asks, hashed, as OpenAI took it before.
    pub(super) fn user<'a>(&self, user: Option<&'a str>) -> Option<&'a str> {
        user.filter(|_| self.identity == Identity::User)
    }

    /// The members of `extra_body` that the gateway makes itself, and which it would contradict.
    pub fn reserved(members: &Map<String, Value>) -> Vec<&str> {
        let reserved = members.keys().map(String::as_str);
        reserved.filter(|name| OWN_MEMBERS.contains(name)).collect()
    }
}

/// What the gateway makes of requests itself, in either dialect. A member that stood there twice
/// would be read as one or the other, as the server likes.
const OWN_MEMBERS: [&str; 17] = [
    "background",
    "include",
    "input",
    "instructions",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens",
    "messages",
    "model",
    "prompt_cache_key",
    "safety_identifier",
    "store",
    "stream",
    "stream_options",
    "tool_choice",
    "tools",
    "user",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_told_from_its_address() {
        for (url, server) in [
            ("https://api.openai.com/v1", Server::Openai),
            ("https://eu.api.openai.com/v1", Server::Openai),
            ("https://api.openai.com.example.org/v1", Server::Compatible),
            ("https://notapi.openai.com/v1", Server::Compatible),
            ("https://r.openai.azure.com/openai/v1", Server::Azure),
            ("https://r.services.ai.azure.com/openai/v1", Server::Azure),
            ("https://openai.azure.com.example.org/v1", Server::Compatible),
            ("https://openrouter.ai/api/v1", Server::Openrouter),
            ("http://localhost:11434/v1", Server::Ollama),
            ("http://ollama/v1", Server::Ollama),
            ("https://ollama.com/v1", Server::Ollama),
            ("http://vllm-large.internal:8000/v1", Server::Vllm),
            ("http://vllmlike:8000/v1", Server::Compatible),
            ("http://llama-server:8080/v1", Server::LlamaCpp),
            ("http://localhost:8000/v1", Server::Compatible),
            ("nonsense", Server::Compatible),
        ] {
            assert_eq!(Server::of_url(url), server, "{url}");
        }
    }

    #[test]
    fn what_the_gateway_makes_cannot_be_set_beside_it() {
        let extra = serde_json::json!({ "temperature": 0, "stream": false, "messages": [] });

        let reserved = Profile::reserved(extra.as_object().unwrap());

        assert_eq!(reserved, ["stream", "messages"]);
    }
}
