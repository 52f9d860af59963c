//! Real gateway processes, broken at chosen points; afterwards the database is looked at.

#![expect(clippy::unwrap_used, reason = "a failure is what a test is for")]

mod database_away;
mod gateway_process;
mod kill;
mod postgres;
mod proxy;
