//! The scripted model as its clients see it, over real HTTP.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod assistant;
mod failures;
mod requested;
mod streams;
mod support;
