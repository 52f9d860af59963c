//! Servers that come, change and go.

use serde_json::json;
use tokio::net::TcpListener;

use super::{ERAS, Servers, assert_error, at};
use crate::tool_server::{Era, ToolServer, tool};

#[tokio::test]
async fn a_server_that_is_down_at_the_start_is_there_once_it_is_up() {
    for era in ERAS {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let up = ToolServer::start(Era::Modern, &["echo"]).await;
        let down = at(&format!("http://{address}/mcp"));
        let mut other = at(&up.url);
        other.name = "other".to_owned();

        let mut servers = Servers::start([down, other]).await;
        servers.until_tools(&["other__echo"]).await;
        assert!(!servers.up.borrow()[0]);
        let listener = TcpListener::bind(address).await.unwrap();
        let _late = ToolServer::start_on(listener, era, vec![tool("echo")], usize::MAX);

        servers.until_tools(&["srv__echo", "other__echo"]).await;
        servers.until_up(true).await;
        assert!(!servers.call("echo", &json!({})).await.is_error, "{era:?}");
        servers.stop().await;
    }
}

#[tokio::test]
async fn the_tools_of_a_server_that_is_gone_fail_until_it_is_back() {
    for era in ERAS {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = ToolServer::start_on(listener, era, vec![tool("echo")], usize::MAX);
        let mut servers = Servers::with(at(&server.url)).await;
        servers.until_up(true).await;

        drop(server);
        assert_error(&servers.call("echo", &json!({})).await, "tool server srv");
        servers.until_up(false).await;
        assert_error(&servers.call("echo", &json!({})).await, "the call was not made");
        assert_eq!(servers.names(), ["srv__echo"], "what the model was told stays the same");
        let listener = TcpListener::bind(address).await.unwrap();
        let _back = ToolServer::start_on(listener, era, vec![tool("echo")], usize::MAX);

        servers.until_up(true).await;
        assert!(!servers.call("echo", &json!({})).await.is_error, "{era:?}");
        servers.stop().await;
    }
}

#[tokio::test]
async fn a_list_that_changes_is_read_again() {
    for era in ERAS {
        let server = ToolServer::start(era, &["one"]).await;
        let mut servers = Servers::with(at(&server.url)).await;
        server.until_heard().await;

        server.change(&["one", "two"]);

        servers.until_tools(&["srv__one", "srv__two"]).await;
        servers.stop().await;
    }
}

#[tokio::test]
async fn a_list_that_changes_all_the_time_is_not_read_all_the_time() {
    let server = ToolServer::start(Era::Legacy, &["one"]).await;
    let mut servers = Servers::with(at(&server.url)).await;
    server.until_heard().await;

    for _ in 0..200 {
        server.change(&["one", "two"]);
        tokio::task::yield_now().await;
    }

    servers.until_tools(&["srv__one", "srv__two"]).await;
    assert!(server.came("tools/list").len() <= 5);
    servers.stop().await;
}
