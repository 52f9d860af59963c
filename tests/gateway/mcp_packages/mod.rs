//! The gateway and MCP as others have written it: servers from `PyPI` and npm whose tools the model
//! calls, and the official SDK as a client of the gateway's own tools.

mod client;
mod everything;
mod time;

use crate::support::TestServer;

fn var(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

/// A gateway with the tools of the server that this entry describes.
async fn gateway(entry: &str) -> TestServer {
    let file = format!("[[mcp.servers]]\nname = \"pkg\"\n{entry}\n");
    TestServer::start_with_tool_servers(&[("gateway.toml", &file)]).await
}

/// The names of a server's tools that the model was offered first.
async fn offered(server: &TestServer) -> Vec<String> {
    let asked = server.model.call(1).await;
    let names = asked.tools.iter().map(|tool| tool.name.clone());
    names.filter(|name| name.starts_with("pkg__")).collect()
}
