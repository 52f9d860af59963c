//! The definition of `Store`, as tests that run on both databases, and what each database promises
//! besides. `cargo test --test store` runs SQLite's; with `TEST_POSTGRES_URL` set to a database
//! where schemas can be made, `-- --include-ignored` runs PostgreSQL's too.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod contract;
mod harness;
mod postgres;
mod sqlite;
