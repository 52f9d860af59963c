//! TLS, against a server with a certificate of a test authority's (`certificates/`: P-256, good
//! for a hundred years; the authority's key was thrown away).

use std::{future::poll_fn, sync::Arc, time::Duration};

use bytes::Bytes;
use reqwest::{Method, Url, header::HeaderMap};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use super::super::{Client, connect::Connector};
use crate::upstream::transport::{Answer, Progress, Request, SendError};

const CA: &[u8] = include_bytes!("certificates/ca.pem");
const CERTIFICATE: &[u8] = include_bytes!("certificates/server.pem");
const KEY: &[u8] = include_bytes!("certificates/server.key");

/// Longer than a read takes at once, so that it comes in several records.
const BODY_BYTES: usize = 100_000;

/// A server that answers each request with a body of the number of its connection.
struct Server {
    url: Url,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start(alpn: &[&[u8]]) -> Self {
        let _raced = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
        let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        let mut config = config.with_single_cert(vec![certificate], key).unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = format!("https://localhost:{port}/v1/responses").parse().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, acceptor));
        Self { url, _tasks: tasks }
    }

    fn client(&self, roots: &[&[u8]]) -> Client {
        let mut store = RootCertStore::empty();
        for root in roots {
            store.add(CertificateDer::from_pem_slice(root).unwrap()).unwrap();
        }
        let tls = || {
            let config = ClientConfig::builder().with_root_certificates(store);
            let mut config = config.with_no_client_auth();
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            config
        };
        let timeout = Duration::from_secs(10);
        Client::with(Connector::with_tls(&self.url, timeout, tls).unwrap())
    }

    fn request(&self) -> Request {
        let body = Bytes::from(vec![b'x'; BODY_BYTES]);
        Request { method: Method::POST, url: self.url.clone(), headers: HeaderMap::new(), body }
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor) {
    for number in 0_u8.. {
        let (socket, _) = listener.accept().await.unwrap();
        // A handshake that fails is the client's to judge.
        let Ok(mut tls) = acceptor.accept(socket).await else { continue };
        let mut received = vec![0; BODY_BYTES];
        for _ in 0..2 {
            while !received.ends_with(b"\r\n\r\n") {
                received.push(tls.read_u8().await.unwrap());
            }
            received.resize(BODY_BYTES, 0);
            tls.read_exact(&mut received).await.unwrap();
            assert!(received.iter().all(|byte| *byte == b'x'));
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {BODY_BYTES}\r\n\r\n");
            tls.write_all(head.as_bytes()).await.unwrap();
            tls.write_all(&vec![number; BODY_BYTES]).await.unwrap();
            tls.flush().await.unwrap();
        }
        tls.shutdown().await.unwrap();
    }
}

async fn read(mut answer: Answer) -> Vec<u8> {
    let mut taken = Vec::new();
    loop {
        let read = poll_fn(|cx| {
            answer.body.poll_read(cx, &mut |bytes: &[u8]| taken.extend_from_slice(bytes))
        });
        match read.await {
            Ok(Progress::Some) => {}
            Ok(Progress::End) => return taken,
            Err(error) => panic!("{error:?}"),
        }
    }
}

async fn ask(client: &Client, server: &Server) -> Result<Vec<u8>, SendError> {
    let request = server.request();
    let answer = client.send(&request).await?;
    Ok(read(answer).await)
}

#[tokio::test]
async fn answers_come_over_tls_and_connections_are_kept() {
    let server = Server::start(&[b"h2", b"http/1.1"]).await;
    let client = server.client(&[CA]);

    // Each connection serves two requests and is then closed.
    for connection in [0, 0, 1, 1] {
        let body = ask(&client, &server).await.ok().expect("an answer");
        assert_eq!(body, vec![connection; BODY_BYTES]);
    }
}

#[tokio::test]
async fn a_server_without_alpn_is_as_good() {
    let server = Server::start(&[]).await;

    let body = ask(&server.client(&[CA]), &server).await;

    assert_eq!(body.ok().map(|body| body.len()), Some(BODY_BYTES));
}

#[tokio::test]
async fn a_certificate_of_nobody_known_is_no_connection() {
    let server = Server::start(&[]).await;

    let error = ask(&server.client(&[]), &server).await.err();

    let Some(SendError::Connect { is_timeout: false, cause }) = error else { panic!("no error") };
    assert!(cause.to_string().contains("certificate"), "{cause}");
}

#[tokio::test]
async fn a_server_of_http_2_alone_is_no_connection() {
    let server = Server::start(&[b"h2"]).await;

    let error = ask(&server.client(&[CA]), &server).await.err();

    assert!(matches!(error, Some(SendError::Connect { is_timeout: false, .. })));
}
