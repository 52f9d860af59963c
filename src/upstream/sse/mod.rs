//! Server-Sent Events: from the bytes of a body to the data of its events.
//!
//! [`Parser`] is pure; `reader` joins it with a body, limits and time-outs.

mod parser;
mod reader;

pub use self::parser::{EventTooLarge, Parser};
pub(super) use self::reader::{EventReader, Limits};

#[cfg(test)]
mod tests;
