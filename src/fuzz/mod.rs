//! What has to hold for whatever comes from outside: one property for each reader of it.
//!
//! A property is a function of bytes that panics where it does not hold. It is written once, and
//! driven by two: by `fuzz/` for a long time, guided by what code the bytes reach (`scripts/fuzz`),
//! and by the tests of this module for a moment, with the files of `fuzz/seeds` and with those
//! changed at random. What was found is a test beside the code that was wrong.
//!
//! A property answers whether its reader took the bytes for good, so that the tests can see to it
//! that the seeds get behind the first refusal, and that there are some that do not.
//!
//! Nothing of this is in the binary: the module is there for tests and with `cfg(fuzzing)` alone.
//!
//! | target | the bytes are | and so |
//! |---|---|---|
//! | `sse` | a limit, cuts, an event stream | however it is cut, the events are those of the standard, and bounded |
//! | `http1_answer` | cuts, a model's answer | head and body are the same however it is cut, and the head ends where another parser ends it |
//! | `responses`, `chat_completions` | an event stream of a model | items are begun before they grow or end, the short way through the JSON agrees with the long one |
//! | `remote_agent` | an event stream of a remote agent | its items are of the thread, under our names |
//! | `chatkit_request` | the body of a request to `/chatkit` | what passes the rules has no U+0000, and comes back from its JSON |
//! | `rest_body` | the body of any other request | no member twice; a refusal is short |
//! | `header` | a header's value | a position, an idempotency key or a bearer is the text that was sent |
//! | `cursor` | a cursor, or a query | an id has one value, a page has from one to so many entries |
//! | `token` | a way to sign, and what is signed | only what our key, or the login's, signed with its one algorithm is let in, and only while it is good |
//! | `mcp_request` | a JSON-RPC message to `/mcp` | an answer and no failure, and none about a user's things without a user |
//! | `mcp_answer` | cuts, lines of a tool server | lines are the same however they are cut, and bounded; so is what a model gets of them |
//! | `widget` | two states of a widget | the updates lead from the one to the other |
//! | `stored_events` | a chunk of stored events | what is read is written as it was, and is a sound event stream |
//! | `config` | `gateway.toml` | read, or refused with its reason |

mod config;
mod input;
mod json;
#[cfg(test)]
mod tests;
mod token;

pub(crate) use self::{
    input::cut,
    json::{comes_back, has_fraction},
};

use crate::{agent, chat, http, run, tools, upstream};

/// A property and its name, which is that of its fuzz target and of its folder of seeds.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name.
    pub name: &'static str,
    property: fn(&[u8]) -> bool,
}

impl Target {
    /// Tries the property with these bytes. Answers whether they were taken.
    ///
    /// # Panics
    ///
    /// When the property does not hold.
    pub fn check(&self, data: &[u8]) -> bool {
        (self.property)(data)
    }
}

/// All of them.
pub const TARGETS: [Target; 15] = [
    Target { name: "sse", property: upstream::property::sse },
    Target { name: "http1_answer", property: upstream::property::http1_answer },
    Target { name: "responses", property: agent::property::responses },
    Target { name: "chat_completions", property: agent::property::chat_completions },
    Target { name: "remote_agent", property: agent::property::remote_agent },
    Target { name: "chatkit_request", property: chat::property::chatkit_request },
    Target { name: "rest_body", property: http::property::rest_body },
    Target { name: "header", property: http::property::header },
    Target { name: "cursor", property: http::property::cursor },
    Target { name: "token", property: token::token },
    Target { name: "mcp_request", property: tools::property::mcp_request },
    Target { name: "mcp_answer", property: tools::property::mcp_answer },
    Target { name: "widget", property: agent::property::widget },
    Target { name: "stored_events", property: run::property::stored_events },
    Target { name: "config", property: config::config },
];

/// Tries the property of this name, for a fuzz target.
///
/// # Panics
///
/// When the property does not hold, or there is none of this name.
pub fn check(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    target.expect("every fuzz target has the name of a property").check(data);
}
