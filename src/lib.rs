//! chatkit-gateway: the finished backend for OpenAI's ChatKit, in one binary or as a library.
//!
//! ```text
//! http ──> chat ──> run ──> agent ──> {upstream, tools}
//!                    │
//!                    └────> store          protocol: a leaf that all use
//! ```
//!
//! | part | holds |
//! |---|---|
//! | [`protocol`] | ChatKit's wire format |
//! | [`http`] | routes, errors, event streams, the accept loop: the only home of axum |
//! | [`chat`] | the rules: whose a thread is, what may happen in which state |
//! | [`run`] | one generation of an answer: driven, logged, committed, watched |
//! | [`agent`] | who answers: a model with tools, or an agent of your own |
//! | [`upstream`] | the model's HTTP API |
//! | [`tools`] | what the model may do besides talk; served over MCP, too |
//! | [`store`] | PostgreSQL and SQLite: the only home of `SQLx` |
//! | [`live`] | what instances tell each other: the only home of redis |
//! | [`attachments`] | where the files of attachments are: a trait for the application |
//! | [`limits`] | how many requests and connections of whom |
//! | [`auth`] | Better Auth logins and session tokens |
//! | [`config`], [`app`], [`telemetry`] | what the operator sets, and how the parts are wired |
//! | [`demo`] | a scripted model, for the demo and for tests |
//!
//! For tests alone there is `fuzz`: what has to hold for any bytes from outside.
//!
//! An application that brings its own agent implements [`agent::Agent`] and serves it with
//! [`app::Gateway::with_parts`].

pub mod agent;
pub mod app;
pub mod attachments;
pub mod auth;
pub mod chat;
pub mod config;
pub mod demo;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
pub mod http;
pub mod limits;
pub mod live;
pub mod protocol;
pub mod run;
pub mod store;
pub mod telemetry;
pub mod tools;
pub mod upstream;
