//! What becomes of a connection behind its answer.

use std::{future::poll_fn, time::Duration};

use bytes::Bytes;
use reqwest::{Method, Url, header::HeaderMap};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::super::{Client, connect::Connector, socket::Socket};
use crate::upstream::transport::{Body, Progress, Request};

const PATIENCE: Duration = Duration::from_secs(5);
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n";

/// A client, the body of an answer of which one byte was read, and the server's side of it.
async fn answer() -> (Client, Box<dyn Body>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let client = Client::with(Connector::new(&url, PATIENCE).unwrap());
    let request = Request {
        method: Method::POST,
        url,
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"{}"),
    };
    let server = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(HEAD).await.unwrap();
        let mut received = Vec::new();
        while !received.ends_with(b"{}") {
            received.push(socket.read_u8().await.unwrap());
        }
        socket
    };
    let (answer, socket) = tokio::join!(client.send(&request), server);
    let mut body = answer.ok().expect("an answer").body;
    let mut taken = Vec::new();
    let read = poll_fn(|cx| body.poll_read(cx, &mut |bytes: &[u8]| taken.extend_from_slice(bytes)));
    assert_eq!(read.await.unwrap(), Progress::Some);
    assert_eq!(taken, b"x");
    (client, body, socket)
}

/// A client, a connection, and the server's side of it.
async fn connection() -> (Client, Socket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let client = Client::with(Connector::new(&url, PATIENCE).unwrap());
    let (socket, server) = tokio::join!(client.connector.connect(), listener.accept());
    (client, socket.ok().expect("a connection"), server.unwrap().0)
}

/// Lets tasks and sockets get on until there is an idle connection.
async fn idle_connection(client: &Client) -> Socket {
    let waiting = async {
        loop {
            if let Some(socket) = client.pool.take() {
                return socket;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("no connection was kept")
}

async fn is_closed(mut socket: TcpStream) -> bool {
    matches!(timeout(PATIENCE, socket.read(&mut [0])).await, Ok(Ok(0) | Err(_)))
}

#[tokio::test]
async fn a_body_whose_end_comes_a_moment_late_leaves_its_connection() {
    let (client, body, mut server) = answer().await;

    body.finish();
    assert!(client.pool.take().is_none());
    server.write_all(b"0\r\n\r\n").await.unwrap();

    assert!(idle_connection(&client).await.is_quiet());
}

#[tokio::test]
async fn a_body_whose_end_does_not_come_is_closed() {
    let (client, body, server) = answer().await;

    body.finish();

    assert!(is_closed(server).await);
    assert!(client.pool.take().is_none());
}

#[tokio::test]
async fn an_idle_connection_is_closed_when_its_time_is_over() {
    let (client, socket, server) = connection().await;

    client.pool.put(socket, Duration::from_millis(10));

    assert!(is_closed(server).await);
    assert!(client.pool.take().is_none());
}

#[tokio::test]
async fn idle_connections_go_with_the_last_client() {
    let (client, socket, server) = connection().await;
    client.pool.put(socket, Duration::from_mins(1));

    drop(client);

    assert!(is_closed(server).await);
}

#[tokio::test]
async fn only_so_many_connections_are_kept() {
    let (client, first, _server) = connection().await;
    client.pool.put(first, PATIENCE);
    let mut servers = Vec::new();
    for _ in 0..140 {
        let (_, socket, server) = connection().await;
        client.pool.put(socket, PATIENCE);
        servers.push(server);
    }

    let kept = std::iter::from_fn(|| client.pool.take()).count();

    assert_eq!(kept, 128);
}
