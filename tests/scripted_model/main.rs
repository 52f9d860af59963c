//! The scripted model as its clients see it, over real HTTP.

mod assistant;
mod failures;
mod requested;
mod streams;
mod support;
