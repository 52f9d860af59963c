//! The documentation, held to what it says: its lines are run against a live gateway, its queries
//! against that gateway's database, and its lists are compared with the code.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod description;
mod gateway;
mod lines;
mod metrics;
mod page;
mod queries;
mod routes;
mod settings;
mod shell;
