//! The gateway as its clients see it: a real server on a free port, a database of its own, a
//! scripted model behind real HTTP.
//!
//! On SQLite by default; on PostgreSQL with `GATEWAY_TEST_DATABASE=postgres` and
//! `TEST_POSTGRES_URL`. Those of `instances` need both PostgreSQL and Redis, those of `mcp_packages`
//! the packages of others.

#![expect(clippy::unwrap_used, reason = "a failure is what a test is for")]

mod support;

mod adoption;
mod ask_user;
mod bad_input;
mod canary;
mod cancel;
mod chatkit;
mod client_tools;
mod composer;
mod confirmation;
mod connections;
mod disconnect;
mod hardening;
mod hosted_tools;
mod hostile_json;
mod idempotency;
mod instances;
mod large_tools;
mod legacy;
mod limits;
mod login;
mod mcp_packages;
mod mcp_resources;
mod model_servers;
mod own_agent;
mod ownership;
mod playground;
mod promises;
mod protocol_inputs;
mod remote_agent;
mod remote_tools;
mod resume;
mod sdk;
mod shutdown;
mod streaming;
mod telemetry;
mod threads;
mod titles;
mod tool_display;
#[path = "../tools/tool_server.rs"]
mod tool_server;
mod tool_servers;
mod tool_shows;
mod tools;
mod under_way;
mod upstream_failure;
