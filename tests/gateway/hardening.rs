//! What no route takes, and what every answer says.

use reqwest::{Method, StatusCode, header};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{TestServer, client::Answer};

/// Sends bytes and answers what comes back until the connection is closed. That it is closed in the
/// middle of what is sent is an answer, too.
async fn exchange(server: &TestServer, bytes: &[u8]) -> String {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let mut answer = Vec::new();
    let (_, _) = tokio::join!(writer.write_all(bytes), reader.read_to_end(&mut answer));
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn every_answer_says_that_it_is_nobodys_page_and_what_it_is() {
    let server = TestServer::start().await;
    let alice = server.alice();
    for (path, status) in [
        ("/health", 200),
        ("/metrics", 200),
        ("/openapi.json", 200),
        ("/docs", 200),
        ("/client.js", 200),
        ("/api/chatkit/threads", 200),
        ("/api/chatkit/threads/nothing", 404),
        ("/api/chatkit/session", 405),
        ("/nowhere", 404),
    ] {
        let answer = alice.get(path).await;

        assert_eq!(answer.status.as_u16(), status, "{path}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.headers[name], value, "{path}");
        }
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        let caching = answer.headers["cache-control"].to_str().unwrap();
        assert!(caching.starts_with("no-"), "{path}: {caching}");
    }
    server.stop().await;
}

#[tokio::test]
async fn methods_that_no_route_has_are_not_allowed_anywhere() {
    let server = TestServer::start().await;
    let alice = server.alice();
    for method in ["TRACE", "CONNECT", "PROPFIND", "NONSENSE"] {
        for path in ["/health", "/api/chatkit/threads", "/mcp", "/nowhere"] {
            let request =
                format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            let answer = exchange(&server, request.as_bytes()).await;

            // What is no proxy need not even read the target of a CONNECT.
            let refusal = if method == "CONNECT" { "HTTP/1.1 40" } else { "HTTP/1.1 405" };
            assert!(answer.starts_with(refusal), "{request}: {answer}");
        }
    }
    for method in [Method::GET, Method::DELETE, Method::PUT] {
        let answer = alice.request(method, "/mcp").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    server.stop().await;
}

#[tokio::test]
async fn no_body_is_unpacked() {
    let server = TestServer::start().await;
    let alice = server.alice();
    for path in ["/chatkit", "/api/chatkit/messages", "/api/chatkit/session", "/mcp"] {
        for encoding in ["gzip", "br", "zstd", "deflate", "identity, gzip"] {
            let request = alice
                .request(Method::POST, path)
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::CONTENT_ENCODING, encoding)
                .body("not looked at");
            let answer = Answer::of(request.send().await.unwrap()).await;

            let refusal = (answer.status.as_u16(), answer.code());
            assert_eq!(refusal, (415, "unsupported_media_type"), "{path}, {encoding}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let server = TestServer::start().await;
    let one = format!("GET /health HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(8_000_000));
    let many = format!("GET /health HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(10_000));
    let lines = "X: y\r\n".repeat(200);
    let just_too_many = format!("GET /health HTTP/1.1\r\nHost: a\r\n{lines}\r\n");

    for request in [one, many, just_too_many] {
        let answer = exchange(&server, request.as_bytes()).await;
        // The rest of what is sent may have made the connection's end a hard one.
        let is_refused = answer.is_empty() || answer.starts_with("HTTP/1.1 431");
        assert!(is_refused, "{answer}");
    }
    let whole = "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert!(exchange(&server, whole.as_bytes()).await.starts_with("HTTP/1.1 200"));
    server.stop().await;
}
