//! Making connections: name, TCP, TLS.

use std::{sync::Arc, time::Duration};

use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Url;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio_rustls::TlsConnector;
use tower::ServiceExt;

use super::{super::SendError, socket::Socket};
use crate::upstream::{BoxError, client::UpstreamConfigError};

/// Finds dead peers behind NAT, whose tables forget after minutes.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// Makes connections to one server.
#[derive(Clone)]
pub(super) struct Connector {
    /// It resolves names off the runtime's threads and tries addresses of both families.
    tcp: HttpConnector,
    /// `scheme://host:port`.
    origin: Uri,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    timeout: Duration,
}

impl Connector {
    /// For the server of this address, whose scheme says whether there is TLS. The timeout is for
    /// name, TCP and TLS together.
    pub(super) fn new(url: &Url, timeout: Duration) -> Result<Self, UpstreamConfigError> {
        Self::with_tls(url, timeout, tls_config)
    }

    /// The same with TLS of the caller's.
    pub(super) fn with_tls(
        url: &Url,
        timeout: Duration,
        tls: impl FnOnce() -> ClientConfig,
    ) -> Result<Self, UpstreamConfigError> {
        let host = url.host_str().ok_or(UpstreamConfigError::BaseUrl)?;
        let port = url.port_or_known_default().ok_or(UpstreamConfigError::BaseUrl)?;
        let origin = format!("{}://{host}:{port}", url.scheme());
        let origin = origin.parse().map_err(|_| UpstreamConfigError::BaseUrl)?;
        let tls = if url.scheme() == "https" {
            // The brackets of an IPv6 address are of the URL.
            let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
            let name = ServerName::try_from(name).map_err(|_| UpstreamConfigError::BaseUrl)?;
            Some((TlsConnector::from(Arc::new(tls())), name))
        } else {
            None
        };
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(TCP_KEEPALIVE));
        // Shared out among a name's addresses, lest one that never answers take all of it.
        tcp.set_connect_timeout(Some(timeout));
        Ok(Self { tcp, origin, tls, timeout })
    }

    /// Makes a connection.
    pub(super) async fn connect(&self) -> Result<Socket, SendError> {
        let connected = tokio::time::timeout(self.timeout, self.connect_untimed()).await;
        let cause = match connected {
            Ok(Ok(socket)) => return Ok(socket),
            Ok(Err(cause)) => cause,
            Err(elapsed) => Box::new(elapsed),
        };
        Err(SendError::Connect { is_timeout: is_timeout(&*cause), cause })
    }

    async fn connect_untimed(&self) -> Result<Socket, BoxError> {
        let tcp = self.tcp.clone().oneshot(self.origin.clone()).await?.into_inner();
        let Some((connector, name)) = &self.tls else { return Ok(Socket::Plain(tcp)) };
        let tls = connector.connect(name.clone(), tcp).await?;
        Ok(Socket::Tls(Box::new(tls)))
    }
}

/// Whether there is a time-out among the causes of an error.
fn is_timeout(error: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut causes = causes.map(|cause| {
        cause.is::<tokio::time::error::Elapsed>()
            || cause
                .downcast_ref::<std::io::Error>()
                .is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut)
    });
    causes.any(|is_timeout| is_timeout)
}

/// TLS as `reqwest` is built to have it: Mozilla's roots and the system's. A server that speaks
/// HTTP/2 alone refuses the handshake.
fn tls_config() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    // Some of the system's may be odd or expired: the others are as good.
    let native = rustls_native_certs::load_native_certs();
    let (added, ignored) = roots.add_parsable_certificates(native.certs);
    tracing::debug!(added, ignored, errors = ?native.errors, "the system's root certificates");
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}
