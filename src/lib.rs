//! chatkit-gateway: the finished backend for OpenAI's ChatKit.
pub mod agent;
pub mod auth;
pub mod chat;
pub mod http;
pub mod protocol;
pub mod run;
pub mod store;
pub mod tools;
pub mod upstream;
