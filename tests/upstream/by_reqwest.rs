//! Over `reqwest`, as behind a proxy.

use chatkit_gateway::upstream::client::HttpClient;

const HTTP_CLIENT: HttpClient = HttpClient::Reqwest;

#[path = "suite/mod.rs"]
mod suite;
