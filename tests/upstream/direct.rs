//! Over connections of our own.

use chatkit_gateway::upstream::client::HttpClient;

const HTTP_CLIENT: HttpClient = HttpClient::Direct;

#[path = "suite/mod.rs"]
pub(crate) mod suite;
