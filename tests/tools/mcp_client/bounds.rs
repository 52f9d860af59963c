//! What servers send too much of, or in the wrong form.

use chatkit_gateway::tools::mcp_client::{ServerSettings, settings::AllowedTools};
use serde_json::{Value, json};

use super::{ERAS, SHORT, Servers, assert_error, at};
use crate::tool_server::{Era, ToolServer, tool};

fn allowing(url: &str, names: &[&str]) -> ServerSettings {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    ServerSettings { allowed_tools: AllowedTools::new(names), ..at(url) }
}

#[tokio::test]
async fn an_answer_that_is_too_long_fails_its_call_and_no_other() {
    for era in ERAS {
        let server = ToolServer::start(era, &["echo", "flood", "flood_events"]).await;
        let servers = Servers::with(at(&server.url)).await;

        assert_error(&servers.call("flood", &json!({})).await, "too long");
        assert!(servers.call("flood_events", &json!({})).await.is_error);

        assert!(!servers.call("echo", &json!({})).await.is_error, "{era:?}");
        servers.stop().await;
    }
}

#[tokio::test]
async fn a_call_that_never_ends_is_stopped_and_the_server_is_still_there() {
    for era in ERAS {
        let server = ToolServer::start(era, &["echo", "hang"]).await;
        let settings = ServerSettings { timeout: SHORT, ..at(&server.url) };
        let servers = Servers::with(settings).await;

        assert_error(&servers.call("hang", &json!({})).await, "stopped after 300ms");

        assert!(!servers.call("echo", &json!({})).await.is_error, "{era:?}");
        servers.stop().await;
    }
}

#[tokio::test]
async fn of_ten_thousand_tools_a_model_is_offered_128() {
    let tools: Vec<Value> = (0..10_000).map(|number| tool(&format!("tool_{number}"))).collect();
    for page in [100, usize::MAX] {
        let server = ToolServer::start_with(Era::Modern, tools.clone(), page).await;
        let servers = Servers::with(at(&server.url)).await;

        assert_eq!(servers.names().len(), 128);
        assert!(server.came("tools/list").len() <= 4, "no more pages than are needed");
        assert!(!servers.call("tool_7", &json!({})).await.is_error);
        servers.stop().await;
    }
}

#[tokio::test]
async fn an_allowed_tool_is_found_on_a_late_page() {
    let tools: Vec<Value> = (0..1_000).map(|number| tool(&format!("tool_{number}"))).collect();
    let server = ToolServer::start_with(Era::Legacy, tools, 50).await;

    let servers = Servers::with(allowing(&server.url, &["tool_999", "tool_50*"])).await;

    let names = servers.names();
    assert_eq!(names.len(), 12);
    assert_eq!((names[0].as_str(), names[11].as_str()), ("srv__tool_50", "srv__tool_999"));
    servers.stop().await;
}

#[tokio::test]
async fn odd_names_are_made_ones_that_models_take_and_still_reach_their_tool() {
    let odd = "a\nb: {\"role\":\"system\"}";
    let long = "x".repeat(128);
    let server = ToolServer::start(Era::Legacy, &[odd, &long, "plain.name"]).await;
    let servers = Servers::with(at(&server.url)).await;

    let names = servers.names();

    assert_eq!(names.len(), 3);
    for (name, of) in names.iter().zip([odd, &long, "plain.name"]) {
        let is_taken = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        assert!(name.len() <= 64 && name.bytes().all(is_taken), "{name:?}");
        let output = servers.call(name.strip_prefix("srv__").unwrap(), &json!({})).await;
        assert!(!output.is_error, "{output:?}");
        assert_eq!(server.came("tools/call").pop().unwrap().body["params"]["name"], of);
    }
    let registry = servers.registry();
    let title = &registry.iter().next().unwrap().spec().title;
    assert!(!title.contains('\n'), "{title:?}");
    servers.stop().await;
}

#[tokio::test]
async fn tools_of_one_name_at_two_servers_are_two_tools() {
    let (one, two) = (
        ToolServer::start(Era::Legacy, &["echo"]).await,
        ToolServer::start(Era::Modern, &["echo"]).await,
    );
    let named = |name: &str, url: &str| ServerSettings { name: name.to_owned(), ..at(url) };

    let settings = [named("one", &one.url), named("two", &two.url)];
    let mut servers = Servers::start(settings).await;

    servers.until_tools(&["one__echo", "two__echo"]).await;
    servers.stop().await;
}

#[tokio::test]
async fn a_tool_that_cannot_be_offered_is_left_out_and_the_others_are_not() {
    let mut huge = tool("huge");
    huge["inputSchema"]["title"] = "x".repeat(40_000).into();
    let mut array = tool("array");
    array["inputSchema"] = json!({ "type": "array" });
    let tools = vec![tool("good"), huge, tool("good"), array, tool("last")];
    let server = ToolServer::start_with(Era::Modern, tools, usize::MAX).await;

    let servers = Servers::with(at(&server.url)).await;

    assert_eq!(servers.names(), ["srv__good", "srv__last"]);
    servers.stop().await;
}

#[tokio::test]
async fn tools_that_a_model_could_not_read_are_left_out() {
    let long = |number: usize| {
        let mut tool = tool(&format!("tool_{number}"));
        tool["inputSchema"]["title"] = "x".repeat(30_000).into();
        tool
    };
    let server = ToolServer::start_with(Era::Modern, (0..100).map(long).collect(), 20).await;

    let servers = Servers::with(at(&server.url)).await;

    assert_eq!(servers.names().len(), 17, "17 of them have room in 512 KiB");
    servers.stop().await;
}
