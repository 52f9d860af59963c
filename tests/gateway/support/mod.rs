//! The harness: verbs for tests, plumbing behind them.

pub(crate) mod agent;
pub(crate) mod agent_service;
pub(crate) mod client;
pub(crate) mod collector;
pub(crate) mod database;
pub(crate) mod dead_process;
pub(crate) mod events;
pub(crate) mod files;
pub(crate) mod model;
pub(crate) mod redis;
mod redis_process;
pub(crate) mod server;

pub(crate) use client::Client;
pub(crate) use events::{EventStream, Received, answer_text};
pub(crate) use server::TestServer;
