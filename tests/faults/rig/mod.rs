//! What the scenarios are made of.
//!
//! | file | is |
//! |---|---|
//! | `gateway_process` | a gateway that is started, signalled, killed and started again |
//! | `agent_process` | a remote agent that is killed and started again |
//! | `model` | a model that notes what it sent, and when |
//! | `client`, `transcript` | users that follow their answers over all reconnects, and what they saw |
//! | `database`, `postgres` | a database for a test, and what is stored in it |
//! | `postgres_server` | a PostgreSQL that is restarted, or holds still |
//! | `redis_process` | a Redis that is killed, emptied, filled, or holds still |
//! | `rude` | clients that leave at any byte |
//! | `proxy` | a wire that can be cut, stalled, slow, or carry single bytes |
//! | `invariants` | the promises |
//! | `findings` | violations, counted, and the row of the report |
//! | `settings` | rounds and seed, from the environment |

pub(crate) mod agent_process;
pub(crate) mod client;
pub(crate) mod database;
pub(crate) mod findings;
pub(crate) mod gateway_process;
pub(crate) mod invariants;
pub(crate) mod model;
pub(crate) mod postgres;
pub(crate) mod postgres_server;
pub(crate) mod proxy;
#[path = "../../gateway/support/redis_process.rs"]
pub(crate) mod redis_process;
pub(crate) mod rude;
pub(crate) mod settings;
pub(crate) mod transcript;

pub(crate) use agent_process::AgentProcess;
pub(crate) use client::User;
pub(crate) use database::Database;
pub(crate) use findings::{Findings, Invariant};
pub(crate) use gateway_process::GatewayProcess;
pub(crate) use model::{Plan, RecordingModel};
pub(crate) use redis_process::RedisProcess;
pub(crate) use transcript::Transcript;
