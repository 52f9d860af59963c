//! Connections over Streamable HTTP, and what goes with a user's calls.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::stream::BoxStream;
use hyper::http::{HeaderName, HeaderValue};
use rmcp::{
    model::{ClientJsonRpcMessage, ClientRequest},
    transport::{
        StreamableHttpClientTransport,
        common::client_side_sse::ExponentialBackoff,
        streamable_http_client::{
            SseError, StreamableHttpClient, StreamableHttpClientTransportConfig,
            StreamableHttpError, StreamableHttpPostResponse, StreamableHttpResponseLimits,
        },
    },
};
use rmcp_reqwest::{Client, StatusCode, redirect};
use sse_stream::Sse;

use crate::protocol::UserId;

use super::{connection::MAX_MESSAGE_BYTES, settings::Header};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of an answer that is no message is read, for the log.
const MAX_ERROR_BYTES: usize = 4 * 1024;
/// The longest pause before a session's stream is opened again.
const MAX_RECONNECT_PAUSE: Duration = Duration::from_secs(30);
/// How many calls may wait for the beginnings of their answers at a time; more wait for them.
const MAX_REQUESTS: usize = 64;
/// How many redirects are followed.
const MAX_REDIRECTS: usize = 3;

type Error = StreamableHttpError<rmcp_reqwest::Error>;
type Headers = HashMap<HeaderName, HeaderValue>;

/// A transport to that address.
pub(super) fn transport(
    url: &str,
    headers: &[Header],
) -> Result<StreamableHttpClientTransport<HttpClient>, rmcp_reqwest::Error> {
    let http = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(redirects())
        // As rmcp's own client: one that is taken up again before its last answer is read to the
        // end costs 40 ms.
        .pool_max_idle_per_host(0)
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .build()?;
    let client = HttpClient { http, headers: headers.into() };
    let fixed = headers.iter().filter_map(|header| Some((header.name().clone(), header.fixed()?)));
    let mut config = StreamableHttpClientTransportConfig::with_uri(url);
    config.custom_headers = fixed.collect();
    config.max_json_response_size = MAX_MESSAGE_BYTES;
    config.max_sse_event_size = MAX_MESSAGE_BYTES;
    config.max_error_response_size = MAX_ERROR_BYTES;
    config.max_concurrent_requests = MAX_REQUESTS;
    let mut reconnect = ExponentialBackoff::default();
    reconnect.max_delay = Some(MAX_RECONNECT_PAUSE);
    config.retry_config = Arc::new(reconnect);
    Ok(StreamableHttpClientTransport::with_client(client, config))
}

/// Redirects that keep the message and its origin. Any other would lose the one, or show our
/// headers to somebody else.
fn redirects() -> redirect::Policy {
    redirect::Policy::custom(|attempt| {
        let keeps_message = matches!(
            attempt.status(),
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
        );
        let origin = |url: &rmcp_reqwest::Url| url.origin();
        let same = attempt.previous().first().map(origin) == Some(origin(attempt.url()));
        if keeps_message && same && attempt.previous().len() <= MAX_REDIRECTS {
            attempt.follow()
        } else {
            attempt.stop()
        }
    })
}

/// rmcp's client, with the headers that are a user's beside those of the connection.
#[derive(Clone)]
pub(super) struct HttpClient {
    http: Client,
    headers: Arc<[Header]>,
}

impl HttpClient {
    /// Adds the headers of the user that a call is made for. They stand in the request's
    /// extensions, which never leave the process.
    fn add_users(&self, message: &ClientJsonRpcMessage, headers: &mut Headers) {
        let ClientJsonRpcMessage::Request(request) = message else { return };
        let ClientRequest::CallToolRequest(call) = &request.request else { return };
        let Some(user) = call.extensions.get::<UserId>() else { return };
        let of_user =
            self.headers.iter().filter_map(|header| Some((header.name(), header.for_user(user)?)));
        headers.extend(of_user.map(|(name, value)| (name.clone(), value)));
    }
}

impl StreamableHttpClient for HttpClient {
    type Error = rmcp_reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<StreamableHttpPostResponse, Error> {
        let limits = StreamableHttpResponseLimits::default();
        self.post_message_with_response_limits(
            uri,
            message,
            session_id,
            auth_header,
            custom_headers,
            limits,
        )
        .await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        mut custom_headers: Headers,
        limits: StreamableHttpResponseLimits,
    ) -> Result<StreamableHttpPostResponse, Error> {
        self.add_users(&message, &mut custom_headers);
        self.http
            .post_message_with_response_limits(
                uri,
                message,
                session_id,
                auth_header,
                custom_headers,
                limits,
            )
            .await
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session_id: Arc<str>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<(), Error> {
        self.http.delete_session(uri, session_id, auth_header, custom_headers).await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: Headers,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Error> {
        self.get_stream_with_max_sse_event_size(
            uri,
            session_id,
            last_event_id,
            auth_header,
            custom_headers,
            MAX_MESSAGE_BYTES,
        )
        .await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: Headers,
        max_sse_event_size: usize,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Error> {
        self.http
            .get_stream_with_max_sse_event_size(
                uri,
                session_id,
                last_event_id,
                auth_header,
                custom_headers,
                max_sse_event_size,
            )
            .await
    }
}
