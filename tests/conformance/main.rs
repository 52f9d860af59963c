//! The gateway against recorded flows of the official server SDK: the same request, the same
//! thread, the same agent, and then the same bytes and the same stored items.
//!
//! `golden/` holds the recordings (its README.md says how they were made), [`flows`] says of each
//! whether the gateway does the same or another thing on purpose; that is explained in
//! `docs/differences.md`.
//!
//! | file | does |
//! |---|---|
//! | `flows` | the table of all recordings |
//! | `recording` | reads a recording |
//! | `names` | the recordings' identifiers as UUIDs, and back |
//! | `compare` | what both sides are brought to before they are compared |
//! | `widgets` | the one thing that is compared as it was given, not as it was recorded |
//! | `agent` | plays the script of a recording's handler |
//! | `bridge_agent` | plays a recorded model run through the gateway's own bridge |
//! | `server` | a gateway with that agent |
//! | `play` | plays a flow and judges it |
//! | `replay`, `stopped`, `model_input`, `catalogue` | the tests |
//! | `sdk` | tests with the SDK itself |

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod agent;
mod bridge_agent;
mod catalogue;
mod compare;
#[path = "../gateway/support/database.rs"]
mod database;
mod files;
mod flows;
mod model_input;
mod names;
mod play;
mod recording;
mod replay;
mod sdk;
mod server;
mod stopped;
mod widgets;
