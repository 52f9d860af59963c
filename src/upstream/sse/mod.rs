//! Server-Sent Events: from the bytes of a body to the data of its events.
//!
//! [`Parser`] is pure; `reader` joins it with a body, limits and time-outs.

mod parser;
#[cfg(any(test, fuzzing))]
pub(super) mod property;
mod reader;

pub use self::parser::{EventTooLarge, Parser};
pub(super) use self::reader::{EventReader, Limits};

#[cfg(test)]
mod tests;
