//! An OpenAI-compatible server whose answers follow a script.
//!
//! ```text
//! POST /v1/responses ─────────┐                 ┌─ Step ─> responses ─┐
//!                             ├─> ModelCall ─> Script                 ├─> body ─> connection
//! POST /v1/chat/completions ──┘                 └─ Step ─> chat ──────┘
//! ```
//!
//! [`Script`] is asked once a request and answers [`Step`]s: text, calls, pauses, and the ways in
//! which real servers fail. The frames around them are OpenAI's: event order, sequence numbers,
//! terminal event, usage. Both routes answer streams and, without `"stream": true`, plain JSON.
//!
//! A response that was asked for with `"background": true` goes on when its reader leaves, and is
//! read again by `GET /v1/responses/{id}?stream=true&starting_after=N`.
//!
//! It promises:
//!
//! - **What is sent together arrives together.** Steps with no pause between them leave in one
//!   write, and `TCP_NODELAY` is on.
//! - **The pace is the script's.** Pauses count from the last one's end, not from the moment at
//!   which a timer fired, so a stream of 200 deltas 2 ms apart lasts 400 ms.
//! - **The client's leaving is seen.** The script's stream is dropped at once, and
//!   [`RecordedCall::ended`] says so.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use chatkit_gateway::demo::scripted_model::{ModelCall, ScriptedModel, Step};
//! use futures_util::stream;
//! use std::sync::Arc;
//!
//! let model = ScriptedModel::new(|call: Arc<ModelCall>| {
//!     stream::iter([Step::text("You said: "), Step::text(call.last_user_text())])
//! });
//! let running = model.start().await?;
//! println!("{}", running.base_url()); // http://127.0.0.1:PORT/v1
//! running.stop().await;
//! # Ok(()) }
//! ```

mod background;
mod body;
mod call;
mod chat;
mod observe;
mod requested;
mod responses;
mod routes;
mod script;
mod server;
mod whole;
mod wire;

pub use call::{Dialect, ModelCall};
pub use chat::Manner;
pub use observe::{CallEnd, Counters, RecordedCall};
pub use requested::RequestedScript;
pub use script::{Script, Step, Steps, split_words};
pub use server::{RunningModel, ScriptedModel};
