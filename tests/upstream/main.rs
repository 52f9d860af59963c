//! The client of the model's API against a server that misbehaves.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::duplicate_mod, reason = "one suite, run over each HTTP client")]

mod by_reqwest;
mod connections;
mod direct;
mod server;
