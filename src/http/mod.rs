//! The only home of axum: requests to calls of [`chat`](crate::chat), results to answers.
//!
//! | file | does |
//! |---|---|
//! | `server` | accepts connections: nodelay, time-outs, drain |
//! | `router` | the table of routes |
//! | `login` | who is calling; routes without a caller are a short list |
//! | `limit` | refuses what is too much: requests a minute |
//! | `guard`, `stall` | what no route takes; headers that every answer has; readers that do not read |
//! | `error` | every code with its status, and the one shape of an error |
//! | `extract` | bodies and queries, bounded |
//! | `sse` | a run's events as a response body |
//! | `observe` | request ids, spans, metrics |
//! | `assets`, `playground` | the files of `web/`, and the page that uses them |
//! | `description` | the API's description, OpenAPI 3.1, and the page that shows it |
//! | the others | a resource each |

mod assets;
mod chatkit;
mod demo_session;
mod description;
mod error;
mod extract;
mod guard;
mod legacy_chat;
mod limit;
mod login;
mod messages;
mod observe;
mod playground;
mod probes;
#[cfg(any(test, fuzzing))]
pub(crate) mod property;
mod router;
mod runs;
pub mod server;
mod session;
mod sse;
mod stall;
mod tasks;
mod threads;
mod unique_members;

use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;

use crate::{
    auth::Auth, chat::ChatService, limits::RequestLimits, store::Store, tools::ToolRegistry,
};

pub use router::{RouterOptions, router};

/// What handlers work with. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// The rules.
    pub chat: ChatService,
    /// Who is calling.
    pub auth: Auth,
    /// For the task list and for readiness.
    pub store: Arc<dyn Store>,
    /// What `/mcp` serves.
    pub tools: ToolRegistry,
    /// How many requests there may be.
    pub limits: RequestLimits,
    /// What `/metrics` prints.
    pub metrics: PrometheusHandle,
}
