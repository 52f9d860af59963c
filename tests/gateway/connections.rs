//! Which HTTP a connection speaks.

use reqwest::{StatusCode, Version};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::TestServer;

#[tokio::test]
async fn http2_without_tls_is_answered_in_http2() {
    let server = TestServer::start().await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();

    for _ in 0..2 {
        let answer = client.get(server.url("/health")).send().await.unwrap();

        assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));
    }
    server.stop().await;
}

/// `P` alone may become POST as well as the `PRI` of HTTP/2.
#[tokio::test]
async fn a_request_that_begins_as_http2_does_and_goes_on_otherwise_is_answered() {
    let server = TestServer::start().await;
    for request in
        ["POST /health HTTP/1.1\r\n", "PRI /health HTTP/1.1\r\n", "GET /health HTTP/1.1\r\n"]
    {
        let mut connection = TcpStream::connect(server.address).await.unwrap();
        connection.set_nodelay(true).unwrap();
        let whole = format!("{request}Host: gateway\r\nConnection: close\r\n\r\n");
        let mut answer = String::new();

        for byte in whole.as_bytes() {
            connection.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        connection.read_to_string(&mut answer).await.unwrap();

        let expected = if request.starts_with("GET") { "HTTP/1.1 200" } else { "HTTP/1.1 405" };
        assert!(answer.starts_with(expected), "{request:?}: {answer}");
    }
    server.stop().await;
}
