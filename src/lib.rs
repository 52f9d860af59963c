//! chatkit-gateway: the finished backend for OpenAI's ChatKit.
pub mod auth;
pub mod demo;
pub mod protocol;
pub mod store;
pub mod tools;
pub mod upstream;
