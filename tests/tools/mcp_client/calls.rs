//! What a call brings, in both eras over HTTP.

use chatkit_gateway::{
    protocol::{ThreadEvent, UserId},
    tools::{Shown, ToolContext},
};
use serde_json::json;

use super::{ERAS, Servers, assert_error, at, with_headers};
use crate::{
    test_server::within_seconds,
    tool_server::{Era, ToolServer, tool},
};

#[tokio::test]
async fn a_tool_is_listed_and_called_in_both_eras() {
    for era in ERAS {
        let server = ToolServer::start(era, &["echo"]).await;
        let servers = Servers::with(at(&server.url)).await;

        let output = servers.call("echo", &json!({ "a": [1] })).await;

        assert_eq!(servers.names(), ["srv__echo"], "{era:?}");
        assert_eq!((output.text.as_str(), output.is_error), ("{\"a\":[1]}", false), "{era:?}");
        let call = server.came("tools/call").remove(0);
        match era {
            Era::Legacy => {
                assert_eq!(call.header("mcp-session-id"), Some("session-1"));
                assert_eq!(call.header("mcp-protocol-version"), Some("2025-11-25"));
            }
            Era::Modern => {
                assert_eq!(call.header("mcp-session-id"), None);
                assert_eq!(call.header("mcp-name"), Some("echo"));
                let version =
                    &call.body["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"];
                assert_eq!(version, "2026-07-28");
            }
        }
        servers.stop().await;
    }
}

#[tokio::test]
async fn failures_are_told_to_the_model_and_the_servers_inside_is_not() {
    for era in ERAS {
        let server = ToolServer::start(era, &["fail", "refuse", "break", "die"]).await;
        let servers = Servers::with(at(&server.url)).await;

        assert_error(&servers.call("fail", &json!({})).await, "no such file");
        assert_error(&servers.call("refuse", &json!({})).await, "which one?");
        let broken = servers.call("break", &json!({})).await;
        assert_eq!((broken.text.as_str(), broken.is_error), ("the tool server failed", true));
        assert_error(&servers.call("die", &json!({})).await, "may or may not have acted");
        assert_error(&servers.call("none", &json!({})).await, "there is no tool srv__none");
        // A call that broke is not made again by itself.
        assert_eq!(server.came("tools/call").len(), 4, "{era:?}");
        servers.stop().await;
    }
}

#[tokio::test]
async fn progress_is_shown_while_the_call_is_under_way() {
    for era in ERAS {
        let server = ToolServer::start(era, &["tell"]).await;
        let mut servers = Servers::with(at(&server.url)).await;
        let (registry, context) = (servers.registry(), servers.context.clone());
        let timeout = std::time::Duration::from_secs(30);

        let call = registry.call(&context, "srv__tell", "", timeout);
        let shown = async {
            let shown = servers.shown.recv().await;
            server.go_on();
            shown
        };
        let (output, shown) = within_seconds(async { tokio::join!(call, shown) }).await;

        let text = "tell: Looking around".to_owned();
        let event = ThreadEvent::ProgressUpdate { icon: None, text };
        assert_eq!(shown, Some(Shown::Event(Box::new(event))), "{era:?}");
        assert_eq!(output.text, "told");
        servers.stop().await;
    }
}

#[tokio::test]
async fn a_call_that_is_cancelled_is_cancelled_at_the_server() {
    for era in ERAS {
        let server = ToolServer::start(era, &["hang"]).await;
        let servers = Servers::with(at(&server.url)).await;
        let cancel = async {
            server.until(|came| came.method() == "tools/call").await;
            servers.context.cancel.cancel();
        };

        let nothing = json!({});
        let (output, ()) = tokio::join!(servers.call("hang", &nothing), cancel);

        assert_error(&output, "cancelled");
        if era == Era::Legacy {
            let cancelled = server.until(|came| came.method() == "notifications/cancelled");
            let cancelled = within_seconds(cancelled).await;
            let call = server.came("tools/call").remove(0);
            assert_eq!(cancelled.body["params"]["requestId"], call.body["id"]);
        }
        servers.stop().await;
    }
}

#[tokio::test]
async fn headers_go_with_every_request_and_a_users_own_with_calls_alone() {
    for era in ERAS {
        let server = ToolServer::start(era, &["echo"]).await;
        let headers = [("Authorization", "Bearer of-the-operator"), ("X-User", "u={user_id}")];
        let servers = Servers::with(with_headers(&server.url, &headers)).await;
        let bob = UserId::parse("bob, the second").unwrap();
        let bob = ToolContext { user_id: bob, ..servers.context.clone() };

        servers.call("echo", &json!({})).await;
        let timeout = std::time::Duration::from_secs(30);
        servers.registry().call(&bob, "srv__echo", "", timeout).await;

        let calls = server.came("tools/call");
        assert_eq!(calls[0].header("x-user"), Some("u=alice"), "{era:?}");
        assert_eq!(calls[1].header("x-user"), Some("u=bob%2C%20the%20second"), "{era:?}");
        for came in server.came("tools/list").iter().chain(&calls) {
            assert_eq!(came.header("authorization"), Some("Bearer of-the-operator"));
        }
        assert_eq!(server.came("tools/list")[0].header("x-user"), None);
        servers.stop().await;
    }
}

#[tokio::test]
async fn an_image_comes_beside_the_text() {
    let server = ToolServer::start(Era::Modern, &["picture"]).await;
    let servers = Servers::with(at(&server.url)).await;

    let output = servers.call("picture", &json!({})).await;

    assert_eq!(output.text, "[image 1]");
    assert_eq!(output.images[0].url(), "data:image/png;base64,aGk=");
    servers.stop().await;
}

#[tokio::test]
async fn hints_say_whether_a_call_may_be_made_again() {
    let mut reads = tool("reads");
    reads["annotations"] = json!({ "readOnlyHint": true });
    let server = ToolServer::start_with(Era::Legacy, vec![reads, tool("acts")], 1).await;
    let servers = Servers::with(at(&server.url)).await;

    let registry = servers.registry();
    let hints: Vec<_> = registry
        .iter()
        .map(|tool| tool.spec())
        .map(|spec| (spec.name.as_str(), spec.read_only, spec.idempotent, spec.destructive))
        .collect();

    let expected = [("srv__reads", true, true, false), ("srv__acts", false, false, true)];
    assert_eq!(hints, expected);
    servers.stop().await;
}

#[tokio::test]
async fn an_answer_whose_stream_breaks_off_is_read_on_where_it_stopped() {
    let server = ToolServer::start(Era::Legacy, &["resume"]).await;
    let servers = Servers::with(at(&server.url)).await;

    let output = servers.call("resume", &json!({})).await;

    assert_eq!((output.text.as_str(), output.is_error), ("went on", false));
    assert_eq!(server.came("tools/call").len(), 1);
    servers.stop().await;
}

#[tokio::test]
async fn a_session_that_the_server_has_lost_is_begun_anew() {
    let server = ToolServer::start(Era::Legacy, &["forget"]).await;
    let servers = Servers::with(at(&server.url)).await;

    let output = servers.call("forget", &json!({ "a": 1 })).await;

    assert_eq!((output.text.as_str(), output.is_error), ("{\"a\":1}", false));
    let sessions: Vec<_> = server
        .came("tools/call")
        .iter()
        .map(|call| call.header("mcp-session-id").map(str::to_owned))
        .collect();
    assert_eq!(sessions, [Some("session-1".to_owned()), Some("session-2".to_owned())]);
    servers.stop().await;
}
