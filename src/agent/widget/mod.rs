//! Widgets that change while they are shown: their states in, the events of the thread out.
//!
//! ```
//! use async_stream::try_stream;
//! use chatkit_gateway::agent::{Agent, AgentStream, Turn};
//! use futures_util::stream;
//! use serde_json::json;
//!
//! struct Typist;
//!
//! impl Agent for Typist {
//!     fn respond(&self, turn: Turn) -> AgentStream<'_> {
//!         let states = ["O", "On it", "On its way."].map(|text| {
//!             let line = json!({"type": "Text", "id": "line", "value": text, "streaming": true});
//!             json!({"type": "Card", "children": [line]})
//!         });
//!         Box::pin(try_stream! {
//!             for await event in turn.stream_widget(stream::iter(states), None) {
//!                 yield event?;
//!             }
//!             yield turn.say("Anything else?").into();
//!         })
//!     }
//! }
//! ```

mod diff;
#[cfg(any(test, fuzzing))]
pub(super) mod property;
mod stream;

pub use diff::diff;
pub use stream::WidgetStream;
