//! What makes the gateway run with nothing to set up: a model that follows a script.
//!
//! [`scripted_model`] is an HTTP server that speaks OpenAI's two dialects as OpenAI does; what it
//! says is decided by a [`Script`](scripted_model::Script). [`assistant`] is the script of the
//! demo. Tests bring scripts of their own, and
//! [`RequestedScript`](scripted_model::RequestedScript) takes its script from the request, for
//! load generators and tests in other processes.
//!
//! Nothing here is used by a gateway that serves.

pub mod assistant;
pub mod scripted_model;
